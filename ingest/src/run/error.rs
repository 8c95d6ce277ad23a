//! Why a run failed. Nothing of it is in the table then.

use xiangyun_engine::ErrorKind;
use xiangyun_engine::error::{BoxError, Classify};

use crate::check::MismatchedColumn;

/// Why a run failed. Nothing of it is in the table then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// No such pipeline.
    #[error("there is no pipeline `{name}`")]
    UnknownPipeline { name: String, names: Vec<String> },
    /// A pipeline whose table was not declared when it was opened.
    #[error("pipeline `{pipeline}` loads `{table}`, which the project does not declare")]
    NoContract { pipeline: String, table: String },
    /// Columns that do not become the table's.
    #[error("the rows of pipeline `{pipeline}` do not fit `{table}`: {}", list(.faults))]
    Columns { pipeline: String, table: String, faults: Vec<MismatchedColumn> },
    /// Columns that are not those they were.
    #[error("the columns of pipeline `{pipeline}`'s source have changed: {change}")]
    Drift { pipeline: String, change: String, hint: String },
    /// A form that a column cannot have.
    #[error("`written` of column `{column}` in pipeline `{pipeline}`: {message}")]
    Written { pipeline: String, column: String, message: String, hint: &'static str },
    /// A check that cannot run.
    #[error("check {number} of pipeline `{pipeline}` cannot run: {message}")]
    Check { pipeline: String, number: usize, message: String, hint: Option<String> },
    /// A check with `on_fail = "stop"`.
    #[error("a row stops the run{}: {message}", place(.file, .line))]
    Stopped { file: Option<String>, line: Option<u64>, message: String },
    /// A table with more values than a check can compare with.
    #[error("column `{column}` of `{table}` has more than {limit} values, too many to compare with")]
    TooManyValues { table: String, column: String, limit: usize },
    /// A check of the load that cannot run.
    #[error("batch check {number} of pipeline `{pipeline}` cannot run: {message}")]
    BatchCheck { pipeline: String, number: usize, message: String, hint: Option<String> },
    /// A check of the load with `on_fail = "stop"`.
    #[error("the check `{rule}` stops the run: {message}")]
    BatchStopped { rule: String, message: String },
    /// More rejected rows than may be.
    #[error("{rejected} of {read} rows are rejected, more than `max_rejected = {most}`{}", first_of(.first))]
    TooManyRejected { rejected: u64, read: u64, most: String, first: Option<String>, run: String },
    /// A SQL expression failed on the data.
    #[error("the rows cannot be checked")]
    Evaluate { source: BoxError },
    /// The counts do not add up: rows would be lost or doubled.
    #[error(
        "{read} rows were read, and {loaded} to be loaded, {rejected} rejected and {duplicate} duplicates do not add \
         up to them"
    )]
    Unbalanced { read: u64, loaded: u64, rejected: u64, duplicate: u64 },
    /// Files that hold another number of rows than were handed to them.
    #[error("{loaded} rows were to be written, and the files hold {staged}")]
    Staged { loaded: u64, staged: u64 },
    /// A transform that is no statement.
    #[error("the transform cannot be read: {message}")]
    Transform { message: String },
    /// Other processes loaded some of the same files, again and again.
    #[error("other runs loaded the same files into `{table}` at the same time, every time")]
    Overtaken { table: String },
    /// A file with other content, where the pipeline says to stop.
    #[error("`{path}` has other content than when run {run} loaded it")]
    FileChanged { path: String, run: String },
    /// A run that the lake does not know.
    #[error("no table that a pipeline loads has rows of a run `{run}`")]
    UnknownRun { run: String },
    /// A run whose mode cannot be made again.
    #[error("run {run} cannot be made again: {why}")]
    NoRedo { run: String, why: &'static str },
    /// A run whose file is gone.
    #[error("run {run} cannot be made again: `{path}`, which it loaded, is no longer among the source's files")]
    RedoFile { run: String, path: String },
    /// A run that was made again already, with other content.
    #[error("run {run} was made again by run {by}, whose rows stand in the place of its own")]
    Redone { run: String, by: String },
    /// A row that no run rejected.
    #[error("run {run} has no row {number} in quarantine")]
    NotQuarantined { run: String, number: u64 },
    /// Rows whose load is no longer the table's.
    #[error("rows that run {run} rejected cannot be replayed: {why}")]
    NoReplay { run: String, why: String },
    /// The load's identity could not be written down.
    #[error("the pipeline's definition cannot be hashed")]
    Identity { source: BoxError },
    /// A commit was to be named by content that nobody has read.
    #[error("the content of `{path}` is not known")]
    Unhashed { path: String },
    /// The factor for synthetic sources.
    #[error("the scale cannot be {scale}")]
    Scale { scale: f64 },
    /// A worker thread ended without an answer.
    #[error("reading the source was cut off")]
    ReaderLost { source: BoxError },
}

fn list(faults: &[MismatchedColumn]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn first_of(first: &Option<String>) -> String {
    first.as_ref().map(|first| format!("; the first is {first}")).unwrap_or_default()
}

fn place(file: &Option<String>, line: &Option<u64>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!(", line {line} of `{file}`"),
        _ => String::new(),
    }
}

impl Classify for RunError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownPipeline { .. }
            | Self::NotQuarantined { .. }
            | Self::UnknownRun { .. }
            | Self::RedoFile { .. } => ErrorKind::NotFound,
            Self::NoRedo { .. } => ErrorKind::Unsupported,
            Self::TooManyValues { .. } => ErrorKind::LimitExceeded,
            Self::Redone { .. } | Self::NoReplay { .. } | Self::Overtaken { .. } => ErrorKind::Conflict,
            Self::NoContract { .. }
            | Self::Columns { .. }
            | Self::Check { .. }
            | Self::Written { .. }
            | Self::BatchCheck { .. }
            | Self::Scale { .. } => ErrorKind::InvalidInput,
            Self::Transform { .. } => ErrorKind::Sql,
            Self::Stopped { .. }
            | Self::Drift { .. }
            | Self::BatchStopped { .. }
            | Self::TooManyRejected { .. }
            | Self::Evaluate { .. }
            | Self::FileChanged { .. } => ErrorKind::DataQuality,
            Self::Unbalanced { .. }
            | Self::Staged { .. }
            | Self::Identity { .. }
            | Self::Unhashed { .. }
            | Self::ReaderLost { .. } => ErrorKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownPipeline { names, .. } if names.is_empty() => {
                Some("the project declares none: write one in pipelines/*.toml".into())
            }
            Self::UnknownPipeline { names, .. } => Some(format!("the project declares {}", names.join(", "))),
            Self::NoContract { table, .. } => Some(format!("declare it in tables/{table}.toml")),
            Self::Columns { .. } => {
                Some("name the source's column in the pipeline's [columns], or write a transform".into())
            }
            Self::Check { hint, .. } | Self::BatchCheck { hint, .. } => hint.clone(),
            Self::BatchStopped { .. } => {
                Some("see what the agency sent, or let the check warn instead; nothing was committed".into())
            }
            Self::TooManyRejected { run, .. } => {
                Some(format!("nothing was loaded; all reasons: `xiangyun quarantine list --run {run}`"))
            }
            Self::Written { hint, .. } => Some((*hint).into()),
            Self::Drift { hint, .. } => Some(hint.clone()),
            Self::Stopped { .. } => {
                Some("correct the file, or let the check reject or warn instead; nothing was committed".into())
            }
            Self::Overtaken { .. } => Some("run the load again: nothing was committed".into()),
            Self::FileChanged { .. } => Some(
                "let `on_changed_file` in the pipeline be \"replace\" or \"load\", or give the file another name"
                    .into(),
            ),
            Self::UnknownRun { .. } => {
                Some("list the runs with `SELECT run_id, pipeline, status, started_at FROM system.runs`".into())
            }
            Self::NoRedo { .. } => Some("load the table anew, from the first file on".into()),
            Self::RedoFile { .. } => Some("put the file back, corrected or empty but for its header".into()),
            Self::Redone { by, .. } => Some(format!("make that one again: `xiangyun load --redo {by}`")),
            Self::TooManyValues { .. } => {
                Some("make the column the primary key and use `mode = { upsert = {} }`, which works on disk".into())
            }
            Self::NotQuarantined { .. } => Some("list them with `xiangyun quarantine list --all`".into()),
            Self::NoReplay { .. } => {
                Some("correct the file itself and load it: what it rejects then is in a quarantine of its own".into())
            }
            Self::Scale { .. } => Some("use a number greater than zero".into()),
            Self::Evaluate { .. } => {
                Some("a check's expression fails on a value: use try_cast or a condition around it".into())
            }
            Self::Unbalanced { .. }
            | Self::Staged { .. }
            | Self::Transform { .. }
            | Self::Identity { .. }
            | Self::Unhashed { .. }
            | Self::ReaderLost { .. } => None,
        }
    }
}
