use clap::Args;

/// `xiangyun infer`.
#[derive(Debug, Args)]
pub(crate) struct InferArgs {
    /// The file or pattern to look at
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Name of the table, as in permits.decisions [default: made of the file's name]
    #[arg(long, value_name = "SCHEMA.TABLE")]
    pub(crate) table: Option<String>,
    /// Rows to look at
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: u32,
    /// Write both files into the project instead of showing them; files that are there stay as they are
    #[arg(long)]
    pub(crate) write: bool,
}
