use clap::Args;

/// `xiangyun load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The pipelines to run [default: all, in the order they depend on each other]
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Take the rows of this run out and load its files again, as they are now; see `system.runs`
    #[arg(long, value_name = "RUN", conflicts_with = "pipelines")]
    pub(crate) redo: Option<String>,
    /// Read, transform and check; commit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Multiplies the rows of synthetic sources
    #[arg(long, value_name = "N", value_parser = super::scale)]
    pub(crate) scale: Option<f64>,
}
