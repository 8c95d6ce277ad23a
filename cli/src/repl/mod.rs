//! The interactive shell of `xiangyun sql`.

mod completer;
mod console;
mod editor;
mod highlighter;
mod meta;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use reedline::Signal;
use tokio::sync::Notify;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Error, QueryContext};

use crate::output::{Output, note};
use crate::report::{self, SqlFailure};
use crate::settings::Environment;
use crate::sql_text::statements;
pub(crate) use console::Console;
use editor::Prompt;
pub(crate) use meta::Meta;

/// Reads and runs statements until the user leaves.
pub(crate) async fn run(queries: QueryContext, output: Output, environment: &Environment) -> anyhow::Result<()> {
    let color = report::color(environment);
    let words = completer::Words::of(&queries).await;
    let mut editor = editor::open(words, environment, color);
    let mut shell = Shell { console: Console::new(queries, output), color, interrupts: listen()? };
    shell
        .console
        .output
        .note(&format!("xiangyun {}; \\? lists the commands, a statement ends with ;", env!("CARGO_PKG_VERSION")));
    loop {
        // reading blocks the thread; the runtime moves its other work away
        match tokio::task::block_in_place(|| editor.read_line(&Prompt))? {
            Signal::Success(line) => {
                // written now, so that a shell that is killed keeps its history; without it the shell still works
                let _ = editor.sync_history();
                if shell.run(&line).await? == After::Leave {
                    break;
                }
            }
            Signal::CtrlD => break,
            _ => {} // Ctrl-C drops the line
        }
    }
    shell.console.output.finish()
}

struct Shell {
    console: Console,
    color: bool,
    interrupts: Arc<Notify>,
}

/// Hears every Ctrl-C outside the line editor, also one that comes before the query has begun to listen. A thread of its
/// own waits for it: those of the runtime may all be busy with the query that is to be cancelled.
fn listen() -> anyhow::Result<Arc<Notify>> {
    let interrupts = Arc::new(Notify::new());
    let told = Arc::clone(&interrupts);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().context("cannot listen to Ctrl-C")?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                told.notify_one();
            }
        });
    });
    Ok(interrupts)
}

#[derive(PartialEq, Eq)]
enum After {
    Stay,
    Leave,
}

impl Shell {
    /// Runs a line. What fails is told, and the shell goes on.
    async fn run(&mut self, line: &str) -> anyhow::Result<After> {
        self.console.output.begin();
        let done = match Meta::parse(line) {
            Some(Ok(Meta::Quit)) => return Ok(After::Leave),
            Some(Ok(command)) => self.console.command(command).await,
            Some(Err(error)) => Err(error.into()),
            None => self.statements(line).await,
        };
        match done {
            Err(error) if report::is_broken_pipe(&error) => Err(error),
            Err(error) => {
                report::tell(&error, self.color);
                Ok(After::Stay)
            }
            Ok(()) => Ok(After::Stay),
        }
    }

    async fn statements(&mut self, line: &str) -> anyhow::Result<()> {
        let interrupts = Arc::clone(&self.interrupts);
        for range in statements(line) {
            let begun = Instant::now();
            let start = range.start;
            // Ctrl-C drops the query, which cancels it, and leaves the shell
            let rows = tokio::select! {
                rows = self.console.query(SqlRequest::new(&line[range])) => rows,
                () = interrupts.notified() => {
                    note("cancelled");
                    return Ok(());
                }
            };
            let rows = rows.map_err(|error| match error.downcast::<Error>() {
                Ok(error) => SqlFailure::new(error, "statement", line, start).into(),
                Err(error) => error,
            })?;
            self.console
                .output
                .note(&format!("({})", report::plural(usize::try_from(rows).unwrap_or(usize::MAX), "row")));
            self.console.tell_time(begun);
        }
        Ok(())
    }
}
