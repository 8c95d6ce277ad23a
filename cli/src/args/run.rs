use clap::Args;

/// `xiangyun run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Run what is due now, and what becomes due by it, and end
    #[arg(long, conflicts_with = "plan")]
    pub(crate) once: bool,
    /// Show the scheduled pipelines with their next times and end
    #[arg(long)]
    pub(crate) plan: bool,
}
