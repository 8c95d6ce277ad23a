use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};

/// Prints the completion script of a shell.
pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "xiangyun", &mut script);
    std::io::stdout().write_all(&script).context("cannot write to standard output")
}
