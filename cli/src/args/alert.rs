use clap::{Args, Subcommand};

/// `xiangyun alert`.
#[derive(Debug, Args)]
pub(crate) struct AlertArgs {
    #[command(subcommand)]
    pub(crate) command: AlertCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List the alerts and how they stood when they were evaluated last
    List,
    /// Evaluate an alert now and show each group: nothing is sent, and nothing is remembered
    Test(AlertTestArgs),
}

/// `xiangyun alert test`.
#[derive(Debug, Args)]
pub(crate) struct AlertTestArgs {
    /// The alert
    pub(crate) name: String,
}
