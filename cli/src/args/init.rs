use std::path::PathBuf;

use clap::Args;

/// `xiangyun init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to create; an existing one must be empty
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
