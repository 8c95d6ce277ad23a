//! Why a result cannot be written in a format.

use std::io;

use arrow::error::ArrowError;
use rust_xlsxwriter::XlsxError;
use xiangyun_engine::error::{Classify, ErrorKind};

use super::format::Format;

/// Why a result cannot be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A column's type has no form in the format, or a value does not fit it.
    #[error("cannot write the result as {format}")]
    Arrow {
        /// The format.
        format: Format,
        /// The cause.
        source: ArrowError,
    },
    /// The Parquet writer refused.
    #[error("cannot write the result as parquet")]
    Parquet {
        /// The cause.
        #[from]
        source: parquet::errors::ParquetError,
    },
    /// The writer of workbooks refused.
    #[error("cannot write the result as xlsx")]
    Workbook {
        /// The cause.
        source: XlsxError,
    },
    /// A result that is made whole at its end has nowhere to wait.
    #[error("cannot keep the workbook in a temporary file")]
    Temporary {
        /// The cause.
        source: io::Error,
    },
    /// A value that no cell holds.
    #[error("row {row} of column `{column}` has {characters} characters, and a cell of a workbook holds {limit}")]
    TextTooLong {
        /// The column.
        column: String,
        /// The row of the result, from 1.
        row: u64,
        /// Length of the value, as UTF-16 counts.
        characters: usize,
        /// Length that a cell holds.
        limit: usize,
    },
    /// More columns than a sheet has.
    #[error("the result has {columns} columns, and a sheet of a workbook holds {limit}")]
    TooManyColumns {
        /// Columns of the result.
        columns: usize,
        /// Columns of a sheet.
        limit: usize,
    },
    /// The encoder was asked while another thread had it.
    #[error("the encoder is at work elsewhere")]
    Away,
}

impl EncodeError {
    pub(super) fn of(format: Format) -> impl Fn(ArrowError) -> Self {
        move |source| Self::Arrow { format, source }
    }

    pub(super) fn temporary(source: io::Error) -> Self {
        Self::Temporary { source }
    }

    pub(super) fn workbook(error: XlsxError) -> Self {
        match error {
            XlsxError::IoError(source) | XlsxError::TempFileError(_, source) => Self::Temporary { source },
            source => Self::Workbook { source },
        }
    }
}

impl Classify for EncodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Temporary { .. } => ErrorKind::Unavailable,
            Self::Away => ErrorKind::Internal,
            _ => ErrorKind::Unsupported,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Arrow { .. } | Self::Parquet { .. } => {
                "cast the column to text, or choose the arrow format, which holds every type".into()
            }
            Self::Workbook { .. } => "ask for fewer rows or columns, or choose csv or parquet".into(),
            Self::Temporary { .. } => "make room in the server's folder for temporary files, or choose csv".into(),
            Self::TextTooLong { column, limit, .. } => {
                format!("shorten it, as in left({column}, {limit}), leave the column out, or choose csv or parquet")
            }
            Self::TooManyColumns { .. } => "name fewer columns, or choose csv or parquet".into(),
            Self::Away => return None,
        })
    }
}
