//! The interactive shell of `xiangyun sql`.

mod completer;
mod editor;
mod highlighter;
mod meta;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use reedline::Signal;
use tokio::sync::Notify;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Error, FunctionDoc, QueryContext};

use crate::commands::{table_columns, table_facts, tables_as_rows};
use crate::output::{Output, OutputFormat, note, text};
use crate::report::{self, SqlFailure};
use crate::settings::Environment;
use crate::sql_text::statements;
use editor::Prompt;
use meta::Meta;

/// Reads and runs statements until the user leaves.
pub(crate) async fn run(queries: QueryContext, output: Output, environment: &Environment) -> anyhow::Result<()> {
    let color = report::color(environment);
    let words = completer::Words::of(&queries).await;
    let mut editor = editor::open(words, environment, color);
    let mut shell = Shell { queries, output, timing: false, color, interrupts: listen() };
    shell
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
    shell.output.finish()
}

struct Shell {
    queries: QueryContext,
    output: Output,
    timing: bool,
    color: bool,
    interrupts: Arc<Notify>,
}

/// Hears every Ctrl-C outside the line editor, also one that comes before the query has begun to listen.
fn listen() -> Arc<Notify> {
    let interrupts = Arc::new(Notify::new());
    let told = Arc::clone(&interrupts);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            told.notify_one();
        }
    });
    interrupts
}

#[derive(PartialEq, Eq)]
enum After {
    Stay,
    Leave,
}

impl Shell {
    /// Runs a line. What fails is told, and the shell goes on.
    async fn run(&mut self, line: &str) -> anyhow::Result<After> {
        self.output.begin();
        let done = match Meta::parse(line) {
            Some(Ok(Meta::Quit)) => return Ok(After::Leave),
            Some(Ok(command)) => self.command(command).await,
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
                rows = self.query(&line[range]) => rows,
                () = interrupts.notified() => {
                    note("cancelled");
                    return Ok(());
                }
            };
            let rows = rows.map_err(|error| match error.downcast::<Error>() {
                Ok(error) => SqlFailure::new(error, "statement", line, start).into(),
                Err(error) => error,
            })?;
            self.output.note(&format!("({})", report::plural(usize::try_from(rows).unwrap_or(usize::MAX), "row")));
            if self.timing {
                note(&format!("time: {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0));
            }
        }
        Ok(())
    }

    async fn query(&mut self, statement: &str) -> anyhow::Result<u64> {
        let result = self.queries.sql(SqlRequest::new(statement)).await?;
        self.output.result(result).await
    }

    async fn command(&mut self, command: Meta) -> anyhow::Result<()> {
        match command {
            Meta::Help => self.output.plain(meta::HELP)?,
            Meta::Tables => self.output.rows(tables_as_rows(&self.queries.tables().await?)?).await?,
            Meta::Describe(name) => {
                let detail = self.queries.table(&name).await?;
                for line in table_facts(&detail) {
                    note(&line);
                }
                self.output.rows(table_columns(&detail)?).await?;
            }
            Meta::Functions(part) => self.output.rows(functions(&self.queries.functions(), &part)?).await?,
            Meta::Mode(None) => note(&format!("mode: {}", self.output.format())),
            Meta::Mode(Some(format)) => self.mode(format),
            Meta::Timing => {
                self.timing = !self.timing;
                note(if self.timing { "timing is on" } else { "timing is off" });
            }
            Meta::Quit => {}
        }
        Ok(())
    }

    fn mode(&mut self, format: OutputFormat) {
        if format.is_text() {
            self.output.set_format(format);
        } else {
            note(&format!("{format} is not text: leave the shell and use `xiangyun sql -c ... -o FILE`"));
        }
    }
}

fn functions(all: &[FunctionDoc], part: &str) -> anyhow::Result<RecordBatch> {
    let shown: Vec<&FunctionDoc> = all.iter().filter(|function| function.name.contains(part)).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("function", text(shown.iter().map(|function| Some(&function.signature))), false),
        ("description", text(shown.iter().map(|function| Some(&function.description))), false),
    ])?)
}
