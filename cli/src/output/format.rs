//! Which format the output has.

use std::fmt;
use std::path::Path;

use xiangyun_api::encode::Format;
use xiangyun_engine::{Error, ErrorKind};

use crate::args::{FormatArg, GlobalArgs};

/// A format of the command line: those of every door, and two for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Columns drawn for a reader.
    Table,
    /// A Markdown table.
    Markdown,
    /// A format that every door writes.
    Encoded(Format),
}

impl OutputFormat {
    pub(super) fn choose(global: &GlobalArgs, terminal: bool) -> Result<Self, Error> {
        if global.json {
            return Ok(Self::Encoded(Format::Json));
        }
        if let Some(format) = global.format {
            return Ok(format.into());
        }
        match &global.output {
            Some(path) => Self::of_extension(path),
            None if terminal => Ok(Self::Table),
            None => Ok(Self::Encoded(Format::Csv)),
        }
    }

    fn of_extension(path: &Path) -> Result<Self, Error> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Ok(match extension.as_str() {
            "csv" => Self::Encoded(Format::Csv),
            "json" => Self::Encoded(Format::Json),
            "ndjson" | "jsonl" => Self::Encoded(Format::Ndjson),
            "arrow" | "arrows" => Self::Encoded(Format::Arrow),
            "parquet" => Self::Encoded(Format::Parquet),
            "xlsx" => Self::Encoded(Format::Xlsx),
            "md" => Self::Markdown,
            "txt" => Self::Table,
            _ => {
                let message = format!("cannot tell the format of {} by its extension", path.display());
                let hint =
                    "name the format by `--format`, or use .csv, .json, .ndjson, .arrow, .parquet, .xlsx, .md or .txt";
                return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint));
            }
        })
    }

    /// The format called `name`, for the interactive shell.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "table" => Some(Self::Table),
            "markdown" => Some(Self::Markdown),
            _ => name.parse().ok().map(Self::Encoded),
        }
    }

    /// Whether it can be shown on a terminal and several results can follow each other.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::Table | Self::Markdown => true,
            Self::Encoded(format) => format.is_text(),
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("table"),
            Self::Markdown => f.write_str("markdown"),
            Self::Encoded(format) => format.fmt(f),
        }
    }
}

impl From<FormatArg> for OutputFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Table => Self::Table,
            FormatArg::Markdown => Self::Markdown,
            FormatArg::Csv => Self::Encoded(Format::Csv),
            FormatArg::Json => Self::Encoded(Format::Json),
            FormatArg::Ndjson => Self::Encoded(Format::Ndjson),
            FormatArg::Arrow => Self::Encoded(Format::Arrow),
            FormatArg::Parquet => Self::Encoded(Format::Parquet),
            FormatArg::Xlsx => Self::Encoded(Format::Xlsx),
        }
    }
}
