//! The command line: one struct per command, nothing but what was typed.

mod alert;
mod completions;
mod config;
mod demo;
#[cfg(test)]
mod documents;
mod infer;
mod init;
mod load;
mod metric;
mod quarantine;
mod rollup;
mod run;
mod serve;
mod sql;
mod table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use alert::{AlertArgs, AlertCommand};
pub(crate) use completions::CompletionsArgs;
pub(crate) use config::{ConfigArgs, ConfigCommand};
pub(crate) use demo::DemoArgs;
pub(crate) use infer::InferArgs;
pub(crate) use init::InitArgs;
pub(crate) use load::LoadArgs;
pub(crate) use metric::{GrainArg, MetricArgs, MetricCommand, MetricQueryArgs, RegionsArg};
pub(crate) use quarantine::{FilterArgs, QuarantineArgs, QuarantineCommand};
pub(crate) use rollup::{RollupArgs, RollupCommand};
pub(crate) use run::RunArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use sql::SqlArgs;
pub(crate) use table::{Consent, LookCommand, TableArgs, TableCommand};

/// Agency files become governed tables, SQL and metrics.
#[derive(Debug, Parser)]
#[command(name = "xiangyun", version, propagate_version = true, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 SQL error, 4 not allowed, 5 data quality, \
                          130 interrupted.";

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct GlobalArgs {
    /// The project's folder [default: the nearest folder upwards that has xiangyun.toml]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) project: Option<PathBuf>,
    /// Set one setting for this command, as in limits.timeout_seconds=10; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Global options")]
    pub(crate) set: Vec<(String, String)>,
    /// Format of the output [default: by the extension of -o FILE, else table on a terminal and csv in a pipe]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) format: Option<FormatArg>,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format", help_heading = "Global options")]
    pub(crate) json: bool,
    /// Write the output to FILE instead of standard output; the file appears when it is complete
    #[arg(short, long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) output: Option<PathBuf>,
    /// Rows that a table shows, 0 for all [default: 100 on a terminal, 10000 elsewhere]
    #[arg(long, global = true, value_name = "N", help_heading = "Global options")]
    pub(crate) rows: Option<usize>,
    /// Print no progress and no notes
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

/// Formats by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// Columns drawn for a reader
    Table,
    /// Comma-separated, UTF-8, with a header
    Csv,
    /// One document: schema, rows as objects, counts; int64 and decimals are strings
    Json,
    /// One object a line
    Ndjson,
    /// Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
    /// An Excel workbook; rows that do not fit a sheet go on to the next
    Xlsx,
    /// A Markdown table
    Markdown,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the example project, load it and serve it
    Demo(DemoArgs),
    /// Create an empty, commented project
    Init(InitArgs),
    /// Write a first contract and pipeline from a sample of a file, with the guesses marked
    Infer(InferArgs),
    /// Check every file of the project and tell all faults at once
    Check,
    /// Run pipelines: read, check and commit their sources
    Load(LoadArgs),
    /// Look at rejected rows, export them, and load them corrected
    Quarantine(QuarantineArgs),
    /// Work the schedule: run pipelines when they are due, and watch alerts
    Run(RunArgs),
    /// Run SQL, or open an interactive shell
    Sql(SqlArgs),
    /// Look at tables and look after them
    Table(TableArgs),
    /// Look at metrics and ask them
    Metric(MetricArgs),
    /// Look at rollups and bring them up to date
    Rollup(RollupArgs),
    /// Look at alerts on metrics and try them
    Alert(AlertArgs),
    /// Serve the HTTP interface
    Serve(ServeArgs),
    /// Look at settings
    Config(ConfigArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().into(), value.trim().into()))
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        _ => Err("a number above 0 and up to 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
