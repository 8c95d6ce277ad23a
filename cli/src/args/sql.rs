use std::path::PathBuf;

use clap::Args;

/// `xiangyun sql`.
#[derive(Debug, Args)]
#[command(after_help = "Without -c and -f the statements are read from standard input; on a terminal an interactive \
                        shell opens. Commands as psql has them (\\dt, \\d TABLE; \\? lists them) may stand between \
                        statements, up to the end of their line.")]
pub(crate) struct SqlArgs {
    /// Run this SQL, or a command like \dt
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    pub(crate) command: Option<String>,
    /// Run the statements in FILE
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Bind a parameter, written {name:Type} in the SQL; may be repeated
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = super::key_value)]
    pub(crate) params: Vec<(String, String)>,
}
