use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// `xiangyun quarantine`.
#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    #[command(subcommand)]
    pub(crate) command: QuarantineCommand,
}

/// What to do with rejected rows.
#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List rejected rows, oldest first, with file, line and reason
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Those too that a later run has taken up
        #[arg(long)]
        all: bool,
    },
    /// Write rejected rows of one pipeline with their own columns, to be corrected in a spreadsheet
    Export {
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Load corrected rows, or those of a run as they were, through their pipeline's checks, once
    Replay {
        /// A file that `export` wrote, corrected
        #[arg(value_name = "FILE", required_unless_present = "run", conflicts_with = "run")]
        file: Option<PathBuf>,
        /// Rows of this run as they were, once contract, pipeline or other tables have changed
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Read and check; commit nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which rejected rows; all conditions hold.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Of this run
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// For this reason, as in TYPE
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: Option<String>,
    /// Rejected on this day or later, as in 2026-11-24
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<NaiveDate>,
}
