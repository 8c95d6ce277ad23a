use clap::{Args, Subcommand, ValueEnum};

/// `xiangyun metric`.
#[derive(Debug, Args)]
pub(crate) struct MetricArgs {
    #[command(subcommand)]
    pub(crate) command: MetricCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum MetricCommand {
    /// List the metrics with their units, grains and dimensions
    List,
    /// Ask a metric
    Query(MetricQueryArgs),
    /// Propose rollups that would answer most of what was asked, by the record of queries
    #[command(
        after_help = "Prints TOML for the models' files. Servers record the queries they answer; the command line does not."
    )]
    Advise {
        /// Leave out what was asked fewer times in any one way
        #[arg(long, value_name = "N", default_value_t = 5)]
        min_count: u64,
    },
}

/// `xiangyun metric query`.
#[derive(Debug, Args)]
pub(crate) struct MetricQueryArgs {
    /// The metric
    pub(crate) name: String,
    /// Dimensions to group by, as in channel,region.prefecture
    #[arg(long, value_name = "DIMENSIONS", value_delimiter = ',')]
    pub(crate) by: Vec<String>,
    /// Predicate over dimensions, as in "channel = 'online'"
    #[arg(long = "where", value_name = "PREDICATE")]
    pub(crate) filter: Option<String>,
    /// Length of a period
    #[arg(long, value_enum, value_name = "GRAIN")]
    pub(crate) grain: Option<GrainArg>,
    /// First day, inclusive (YYYY-MM-DD)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) from: Option<chrono::NaiveDate>,
    /// Last day, inclusive (YYYY-MM-DD)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) to: Option<chrono::NaiveDate>,
    /// Rows at the most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Columns to order by, - in front for descending, as in --order=-value,period
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) order: Vec<String>,
    /// Read divisions as they were when the record was made, or as they are now
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) regions: Option<RegionsArg>,
}

/// Lengths of a period.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum GrainArg {
    Hour,
    Day,
    WorkingDay,
    Week,
    Month,
    Quarter,
    Year,
}

/// How divisions are read.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RegionsArg {
    /// 原区划
    #[value(name = "as_was", alias = "as-was")]
    AsWas,
    /// 现区划
    #[value(name = "as_is", alias = "as-is")]
    AsIs,
}

fn date(text: &str) -> Result<chrono::NaiveDate, String> {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "a date, as in 2019-03-26".into())
}
