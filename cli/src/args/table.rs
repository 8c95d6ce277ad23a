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
pub(crate) enum TableCommand {
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
