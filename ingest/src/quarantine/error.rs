//! Why rejected rows cannot be exported or replayed.

use xiangyun_engine::error::{BoxError, Classify, ErrorKind};

use super::corrected::{NUMBER, ROWS_LIMIT, RUN};

/// Why rejected rows cannot be exported or replayed. Nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuarantineError {
    /// No such rows.
    #[error("no rejected row is like that")]
    Nothing,
    /// Rows of several pipelines.
    #[error("the rejected rows are of several pipelines: {}", .names.join(", "))]
    SeveralPipelines { names: Vec<String> },
    /// A pipeline that is no longer declared.
    #[error("the rows are of the pipeline `{name}`, which the project no longer declares")]
    PipelineGone { name: String },
    /// A column that has the name of one of ours.
    #[error("the rows have a column `{name}` of their own")]
    Reserved { name: String },
    /// All rows of a run could not be split into columns.
    #[error("no rejected row of run {run} has columns")]
    NoColumns { run: String },
    /// A file that is not one of ours.
    #[error("`{path}` has no column `{column}`")]
    NoId { path: String, column: &'static str },
    /// A row that cannot be assigned.
    #[error("line {line} of `{path}`: {reason}")]
    Row { path: String, line: u64, reason: String },
    /// More rows than fit.
    #[error("`{path}` has more than {ROWS_LIMIT} rows")]
    TooMany { path: String },
    /// A result that a limit cut.
    #[error("a limit of the project cuts the rejected rows at {rows}")]
    Cut { rows: u64 },
    /// The rows could not be written or read back.
    #[error("the rejected rows cannot be put down")]
    Write { source: BoxError },
}

impl Classify for QuarantineError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Nothing | Self::NoColumns { .. } | Self::PipelineGone { .. } => ErrorKind::NotFound,
            Self::SeveralPipelines { .. } | Self::Reserved { .. } | Self::NoId { .. } | Self::Row { .. } => {
                ErrorKind::InvalidInput
            }
            Self::TooMany { .. } | Self::Cut { .. } => ErrorKind::LimitExceeded,
            Self::Write { .. } => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Nothing => "list them with `xiangyun quarantine list --all`".into(),
            Self::SeveralPipelines { .. } => "name one with --pipeline: their columns differ".into(),
            Self::PipelineGone { .. } => "declare it again in pipelines/*.toml".into(),
            Self::Reserved { .. } => "let the source or the transform call it otherwise".into(),
            Self::NoColumns { run } => format!(
                "export them with `xiangyun quarantine export --run {run} -o FILE.csv`, fill the columns in, and replay the file"
            ),
            Self::NoId { .. } => {
                "replay a file that `xiangyun quarantine export` wrote, with its first columns left as they are".into()
            }
            Self::Row { .. } => {
                format!("`{RUN}` and `{NUMBER}` say which rejected row a line corrects, and stay as they were")
            }
            Self::TooMany { .. } => "split the file".into(),
            Self::Cut { .. } => "raise limits.max_rows for this command with `--set limits.max_rows=0`".into(),
            Self::Write { .. } => return None,
        })
    }
}
