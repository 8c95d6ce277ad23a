use clap::{Args, Subcommand};

/// `xiangyun rollup`.
#[derive(Debug, Args)]
pub(crate) struct RollupArgs {
    #[command(subcommand)]
    pub(crate) command: RollupCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum RollupCommand {
    /// List the rollups, what they keep and whether they are up to date
    List,
    /// Bring rollups up to date, as loads and servers do by themselves
    Refresh {
        /// The rollups; all where none is named
        names: Vec<String>,
        /// Read all rows of the tables, whatever is kept already
        #[arg(long)]
        anew: bool,
    },
}
