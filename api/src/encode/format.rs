//! The formats by name and media type.

use std::fmt;
use std::str::FromStr;

use xiangyun_engine::error::{Classify, ErrorKind};

/// A format for results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One document with schema, rows as objects and counts.
    Json,
    /// One object a line.
    Ndjson,
    /// Comma-separated, UTF-8, with a header.
    Csv,
    /// Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
    /// An Excel workbook.
    Xlsx,
}

/// Why a text names no format.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a format")]
pub struct UnknownFormat {
    text: String,
}

impl Classify for UnknownFormat {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn hint(&self) -> Option<String> {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        Some(format!("use one of {}", names.join(", ")))
    }
}

impl Format {
    /// All of them, the default first.
    pub const ALL: [Self; 6] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet, Self::Xlsx];

    /// The name, as in `?format=csv`; a file's extension too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }

    /// The media type without parameters, as in an `Accept` header.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Whether the bytes are text that a terminal can show.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson | Self::Csv)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownFormat { text: text.into() })
    }
}
