use std::time::Duration;

use clap::{Args, Subcommand};
use xiangyun_engine::catalog::TableName;

/// `xiangyun table`.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    #[command(subcommand)]
    pub(crate) command: TableCommand,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum LookCommand {
    /// List the tables and views
    List,
    /// Show a table's contract, state and columns
    Show {
        /// schema.table
        name: TableName,
    },
    /// List a table's commits, newest first
    History {
        /// schema.table
        name: TableName,
    },
    /// Show a table's first rows
    Preview {
        /// schema.table
        name: TableName,
        /// Rows to show
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum TableCommand {
    #[command(flatten)]
    Look(LookCommand),
    /// Judge today which tables keep the freshness promise of their contract
    #[command(
        after_help = "Exits with 5 where a table is overdue, or where that cannot be told. The data of a generator do not count."
    )]
    Freshness,
    /// Put small files together, sorted as the contract says
    Optimize {
        /// schema.table; every declared table and the lake's own logs where none is named
        names: Vec<TableName>,
        /// Show what would be put together and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove files that no version within the retention needs
    #[command(after_help = "Earlier versions whose files are removed can neither be restored nor compared.")]
    Vacuum {
        /// schema.table; every declared table and the lake's own logs where none is named
        names: Vec<TableName>,
        /// How long the files of earlier versions are kept, as in 7d or 36h; at least a day
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
        retention: Duration,
        /// Allow a retention of less than a day, where nothing writes to the lake: files of running loads would be removed
        #[arg(long)]
        unsafe_retention: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Bring the rows of an earlier version back, as a new version
    #[command(disable_version_flag = true)]
    Restore {
        /// schema.table
        name: TableName,
        /// The version, as in `xiangyun table history`
        #[arg(long, value_name = "N")]
        version: u64,
        #[command(flatten)]
        consent: Consent,
    },
    /// Count the rows that differ between two versions
    Diff {
        /// schema.table
        name: TableName,
        /// The version to start from
        from: u64,
        /// The version to compare it with
        to: u64,
        /// Show the rows that differ, and not how many there are
        #[arg(long)]
        list: bool,
    },
}

/// How a command that destroys is agreed to.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Consent {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.strip_suffix('d') {
        Some(days) => days.parse::<u64>().ok().and_then(|days| days.checked_mul(24 * 3600)),
        None => text.strip_suffix('h').and_then(|hours| hours.parse::<u64>().ok()?.checked_mul(3600)),
    };
    seconds.map(Duration::from_secs).ok_or_else(|| "days or hours, as in 7d or 36h".into())
}
