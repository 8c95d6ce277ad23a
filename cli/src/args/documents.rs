//! `docs/cli.md`, written from the definition of the command line.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use clap::{Command, CommandFactory};

use super::Cli;

#[test]
fn documents_agree_with_the_definition() {
    let mut text = String::from(
        "# The command line\n\n<!-- Written by `UPDATE_DOCS=1 cargo test --workspace --bin xiangyun documents`; a test compares. -->\n\n\
         Data goes to standard output, everything else to standard error. On a terminal the output is a table with a\n\
         row cap, in a pipe it is CSV; `--format` and `-o FILE` choose otherwise. Settings are in\n\
         [settings.md](settings.md).\n",
    );
    let mut root = Cli::command().term_width(100);
    root.build();
    write(&mut text, &mut root, "xiangyun".into());
    crate::documents::compare("cli.md", &text);
}

fn write(text: &mut String, command: &mut Command, name: String) {
    let help = command.render_long_help().to_string();
    // the global options are told once, with the program itself
    let own = if name == "xiangyun" { &help } else { help.split("\nGlobal options:").next().unwrap() };
    let own: String = own.trim_end().lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    write!(text, "\n## `{name}`\n\n```text\n{own}```\n").unwrap();
    for child in command.get_subcommands_mut().filter(|child| child.get_name() != "help") {
        let name = format!("{name} {}", child.get_name());
        write(text, child, name);
    }
}
