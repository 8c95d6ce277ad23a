//! What the shell and a script of `xiangyun sql` have in common: results go somewhere, and commands that are no SQL say how.

use std::time::Instant;

use arrow::array::RecordBatch;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{FunctionDoc, QueryContext};

use super::meta::{self, Meta};
use crate::commands::{table_columns, table_facts, tables_as_rows};
use crate::output::{Output, OutputFormat, note, text};

pub(crate) struct Console {
    queries: QueryContext,
    pub(crate) output: Output,
    timing: bool,
}

impl Console {
    pub(crate) fn new(queries: QueryContext, output: Output) -> Self {
        Self { queries, output, timing: false }
    }

    /// Runs a statement and writes its rows. Returns how many those were.
    pub(crate) async fn query(&mut self, request: SqlRequest) -> anyhow::Result<u64> {
        let result = self.queries.sql(request).await?;
        self.output.result(result).await
    }

    /// Tells what has gone since `begun`, where that was asked for.
    pub(crate) fn tell_time(&self, begun: Instant) {
        if self.timing {
            note(&format!("time: {:.1} ms", begun.elapsed().as_secs_f64() * 1000.0));
        }
    }

    /// Carries out a command; [`Meta::Quit`] is its caller's.
    pub(crate) async fn command(&mut self, command: Meta) -> anyhow::Result<()> {
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
            note(&format!("{format} is not text: use `xiangyun sql -c ... -o FILE`"));
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
