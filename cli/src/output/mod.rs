//! The only place that prints. Data goes to standard output or a file, notes to standard error.

mod consent;
mod destination;
mod format;
mod listing;
mod progress;
mod table;

use std::io::{self, IsTerminal, Write};

use anyhow::bail;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt};
use serde_json::{Map, Value, json};
use xiangyun_api::encode::{EncodeOptions, Ending, Format, encoder};
use xiangyun_engine::query::QueryResult;
use xiangyun_engine::{Error, ErrorKind};

pub(crate) use consent::agreed;
pub(crate) use destination::Destination;
pub(crate) use format::OutputFormat;
pub(crate) use listing::{count, instant, text};
pub(crate) use progress::LoadProgress;

use crate::args::GlobalArgs;
use crate::report::printable;

/// Rows of a table on a terminal, unless asked for more.
const TERMINAL_ROWS: usize = 100;
/// Rows of a table elsewhere: a table is laid out in memory, so it cannot be endless.
const TABLE_ROWS: usize = 10_000;

/// Where a command's output goes, and how it looks.
pub(crate) struct Output {
    destination: Destination,
    format: OutputFormat,
    rows: usize,
    quiet: bool,
    /// An empty line goes before the next result, to tell it from the one before.
    separate: bool,
}

impl Output {
    /// By the flags: `--format`, else the extension of `-o`, else a table on a terminal and CSV in a pipe.
    pub(crate) fn open(global: &GlobalArgs) -> anyhow::Result<Self> {
        let terminal = global.output.is_none() && io::stdout().is_terminal();
        let format = OutputFormat::choose(global, terminal)?;
        if terminal && !format.is_text() {
            let hint = "write it to a file by `-o FILE`, or into a pipe";
            let message = format!("{format} is not text for a terminal");
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint).into());
        }
        let rows = global.rows.unwrap_or(if terminal { TERMINAL_ROWS } else { TABLE_ROWS });
        let destination = match &global.output {
            Some(path) => Destination::file(path)?,
            None => Destination::stdout(),
        };
        Ok(Self { destination, format, rows, quiet: global.quiet, separate: false })
    }

    /// The format in force.
    pub(crate) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Changes the format, in the interactive shell.
    pub(crate) fn set_format(&mut self, format: OutputFormat) {
        self.format = format;
    }

    /// The next result stands by itself: in the shell a prompt is in front of it.
    pub(crate) fn begin(&mut self) {
        self.separate = false;
    }

    /// Whether several results can follow each other.
    pub(crate) fn takes_many(&self) -> bool {
        self.format.is_text()
    }

    /// Writes a query's rows as they come. Returns how many were written.
    pub(crate) async fn result(&mut self, result: QueryResult) -> anyhow::Result<u64> {
        self.answer(result, Map::new()).await
    }

    /// Writes a query's rows as they come, with `head` in front of a JSON document.
    pub(crate) async fn answer(&mut self, result: QueryResult, mut head: Map<String, Value>) -> anyhow::Result<u64> {
        head.insert("query_id".into(), json!(result.id.to_string()));
        head.insert("tables".into(), json!(result.tables));
        let (schema, status) = (result.schema.clone(), result.status.clone());
        let batches = result.map(|batch| batch.map_err(anyhow::Error::from));
        let truncated = || status.is_truncated();
        let shown = self.stream(schema, head, batches, truncated).await?;
        if shown.all && !status.is_complete() {
            bail!("the result ended early: what was written is not complete");
        }
        if status.is_truncated() {
            self.note(&format!("the result was cut at {} rows by a limit", status.rows()));
        }
        Ok(shown.rows)
    }

    /// Writes rows as they come. Returns how many were written.
    pub(crate) async fn batches(
        &mut self,
        schema: SchemaRef,
        batches: impl Stream<Item = xiangyun_engine::Result<RecordBatch>> + Unpin,
    ) -> anyhow::Result<u64> {
        let batches = batches.map(|batch| batch.map_err(anyhow::Error::from));
        Ok(self.stream(schema, Map::new(), batches, || false).await?.rows)
    }

    /// Says in front of a CSV file that it is UTF-8: spreadsheets take it for the machine's own encoding otherwise.
    pub(crate) fn mark_utf8(&mut self) -> anyhow::Result<()> {
        if self.format == OutputFormat::Encoded(Format::Csv) {
            self.destination.write("\u{feff}".as_bytes())?;
        }
        Ok(())
    }

    /// Writes rows that are already there.
    pub(crate) async fn rows(&mut self, batch: RecordBatch) -> anyhow::Result<()> {
        let schema = batch.schema();
        let batches = futures::stream::iter([Ok(batch)]);
        self.stream(schema, Map::new(), batches, || false).await.map(drop)
    }

    /// Writes text as it is, for output that has no columns.
    pub(crate) fn plain(&mut self, text: &str) -> anyhow::Result<()> {
        self.destination.write(text.as_bytes())?;
        self.destination.flush()
    }

    /// Ends the output: a file appears under its name now, and not before.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.destination.finish()
    }

    /// Tells something beside the data.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    async fn stream(
        &mut self,
        schema: SchemaRef,
        head: Map<String, Value>,
        mut batches: impl Stream<Item = anyhow::Result<RecordBatch>> + Unpin,
        truncated: impl Fn() -> bool,
    ) -> anyhow::Result<Shown> {
        if self.separate && self.format.is_text() {
            self.destination.write(b"\n")?;
        }
        self.separate = true;
        let OutputFormat::Encoded(format) = self.format else {
            return self.table(schema, batches).await;
        };
        let mut encoder =
            encoder(format, schema, EncodeOptions { head, ..EncodeOptions::default() }).map_err(Error::from)?;
        let mut bytes = Vec::new();
        let mut rows = 0;
        encoder.begin(&mut bytes).map_err(Error::from)?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            encoder.batch(&batch, &mut bytes).map_err(Error::from)?;
            self.destination.write(&bytes)?;
            bytes.clear();
        }
        encoder.end(Ending { rows, truncated: truncated() }, &mut bytes).map_err(Error::from)?;
        loop {
            if bytes.is_empty() {
                encoder.rest(&mut bytes).map_err(Error::from)?;
            }
            if bytes.is_empty() {
                break;
            }
            self.destination.write(&bytes)?;
            bytes.clear();
        }
        self.destination.flush()?;
        Ok(Shown { rows, all: true })
    }

    /// Takes as many rows as a table shows, and lets go of the rest.
    async fn table(
        &mut self,
        schema: SchemaRef,
        mut batches: impl Stream<Item = anyhow::Result<RecordBatch>> + Unpin,
    ) -> anyhow::Result<Shown> {
        let limit = if self.rows == 0 { usize::MAX } else { self.rows };
        let (mut kept, mut rows, mut all) = (Vec::new(), 0, true);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let take = batch.num_rows().min(limit - rows);
            all = take == batch.num_rows();
            rows += take;
            kept.push(batch.slice(0, take));
            if !all {
                break;
            }
        }
        drop(batches);
        let markdown = self.format == OutputFormat::Markdown;
        let drawn = match markdown {
            true => table::markdown(&schema, &kept)?,
            false => table::draw(&schema, &kept)?,
        };
        self.destination.write(drawn.as_bytes())?;
        self.destination.flush()?;
        if !all {
            self.note(&format!("the first {rows} rows; there are more: --rows N shows them, -o FILE writes them all"));
        }
        Ok(Shown { rows: rows as u64, all })
    }
}

/// What became of a result.
struct Shown {
    rows: u64,
    /// The stream was read to its end.
    all: bool,
}

/// Tells something on standard error. What cannot be told there has nowhere else to go.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}
