//! Why a result cannot be written in a format.

use arrow::error::ArrowError;
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
}

impl EncodeError {
    pub(super) fn of(format: Format) -> impl Fn(ArrowError) -> Self {
        move |source| Self::Arrow { format, source }
    }
}

impl Classify for EncodeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }

    fn hint(&self) -> Option<String> {
        Some("cast the column to text, or choose the arrow format, which holds every type".into())
    }
}
