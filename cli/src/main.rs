//! `xiangyun`: the platform on the command line.

mod args;
mod commands;
#[cfg(test)]
mod documents;
mod log;
mod output;
mod repl;
mod report;
mod session;
mod settings;
mod sql_text;
mod traces;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::report::Exit;
use crate::session::Session;
use crate::settings::Environment;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // help and version end here too, with code 0; a closed pipe is the reader's right
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let session = Session::new(cli.global, Environment::of_process());
    let color = report::color(&session.environment);
    match commands::run(session, cli.command) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            report::tell(&error, color);
            report::exit_of(&error).into()
        }
    }
}
