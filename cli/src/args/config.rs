use clap::{Args, Subcommand};

/// `xiangyun config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting that is in force; secrets are masked
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
}
