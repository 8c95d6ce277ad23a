use std::path::PathBuf;

use clap::Args;

/// `xiangyun demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The folder to create the example project in
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub(crate) dir: PathBuf,
    /// Multiplies the rows of the synthetic tables [default: what was loaded before, else 1]
    #[arg(long, value_name = "N", value_parser = super::scale)]
    pub(crate) scale: Option<f64>,
}
