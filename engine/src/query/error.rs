//! Why a statement was refused or failed.

use datafusion::common::DataFusionError;

use crate::catalog::TableName;
use crate::error::{Classify, Error, ErrorKind, SqlPosition};

/// What the engine itself has against a statement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("the request holds no statement")]
    Empty,
    #[error("the request holds {count} statements, and one is run at a time")]
    Several { count: usize, position: Option<SqlPosition> },
    #[error("the statement has {bytes} bytes, more than the {limit} that are allowed")]
    TooLong { bytes: usize, limit: usize },
    #[error("the statement is nested deeper than {limit} levels")]
    TooDeep { limit: usize, position: Option<SqlPosition> },
    #[error("a text of {bytes} bytes is longer than the {limit} that a constant may have")]
    LongConstant { bytes: usize, limit: usize },
    #[error("{what}: at most {limit} are allowed")]
    OutOfBounds { what: &'static str, limit: u64 },
    #[error("the statement has more than {limit} operators and keywords")]
    TooManyOperators { limit: usize, position: SqlPosition },
    #[error("{message}")]
    Syntax { message: String, position: Option<SqlPosition> },
    #[error("{what} is refused: queries only read")]
    Refused { what: String, instead: &'static str, position: Option<SqlPosition> },
    #[error("{what} is not supported")]
    NotSupported { what: String, instead: &'static str, position: Option<SqlPosition> },
    #[error("placeholder `{text}` has no type")]
    UntypedParameter { text: String, position: SqlPosition },
    #[error("parameter `{name}` has the unknown type `{type_name}`")]
    ParameterType { name: String, type_name: String, position: SqlPosition },
    #[error("parameter `{name}` is declared both as {first} and as {second}")]
    ParameterTwoTypes { name: String, first: String, second: String, position: SqlPosition },
    #[error("parameter `{name}` has no value")]
    ParameterMissing { name: String, type_name: String, position: SqlPosition },
    #[error("parameter `{name}` is not in the statement")]
    ParameterUnknown { name: String, known: Vec<String> },
    #[error("parameter `{name}` is declared as {type_name} and its value is {value}")]
    ParameterValue { name: String, type_name: String, value: String, expected: String },
    #[error("unknown table `{name}`")]
    UnknownTable { name: String, nearest: Option<TableName>, position: Option<SqlPosition> },
    #[error("table `{name}` is named without its schema")]
    Unqualified { name: String, candidates: Vec<TableName>, position: Option<SqlPosition> },
    #[error("unknown table function `{name}`")]
    UnknownTableFunction { name: String, position: Option<SqlPosition> },
    #[error("`{name}` is a file, and queries read tables only")]
    FileAsTable { name: String, position: Option<SqlPosition> },
    #[error("`as_of` names `{name}`, which the statement does not read")]
    AsOfUnread { name: TableName },
    #[error("view `{name}` depends on itself: {path}")]
    ViewCycle { name: TableName, path: String },
    #[error("view `{name}` lies {depth} views deep, and {limit} are allowed: {path}")]
    ViewTooDeep { name: TableName, depth: usize, limit: usize, path: String },
    #[error("cannot plan view `{name}`")]
    View { name: TableName, source: Box<Error> },
    #[error("the result has two columns called `{name}`")]
    DuplicateColumn { name: String },
    #[error("the query did not end within {seconds} s (`{setting}`)")]
    Timeout { seconds: u64, setting: &'static str },
    #[error("the query read more than {limit} bytes from files (`{setting}`)")]
    ScanLimit { limit: u64, setting: &'static str },
    #[error("the query was cancelled")]
    Cancelled,
    #[error("{running} queries of class `{class}` run and {waiting} wait, and no more may")]
    QueueFull { class: &'static str, running: usize, waiting: usize },
    #[error("the result has more than {limit} bytes, and no more are kept (`{setting}`)")]
    ResultTooLarge { limit: u64, setting: &'static str },
    #[error("the query stopped at a defect: {message}")]
    Panicked { message: String },
    #[error("cannot prepare the query runtime")]
    Runtime { source: DataFusionError },
    /// What another module said, unchanged.
    #[error(transparent)]
    Other(Box<Error>),
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        Self::Other(Box::new(error))
    }
}

impl Classify for QueryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty
            | Self::Several { .. }
            | Self::UntypedParameter { .. }
            | Self::ParameterType { .. }
            | Self::ParameterTwoTypes { .. }
            | Self::ParameterMissing { .. }
            | Self::ParameterUnknown { .. }
            | Self::ParameterValue { .. } => ErrorKind::InvalidInput,
            Self::TooLong { .. }
            | Self::TooDeep { .. }
            | Self::LongConstant { .. }
            | Self::OutOfBounds { .. }
            | Self::TooManyOperators { .. }
            | Self::Timeout { .. }
            | Self::ScanLimit { .. }
            | Self::ResultTooLarge { .. } => ErrorKind::LimitExceeded,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::QueueFull { .. } => ErrorKind::Busy,
            Self::Syntax { .. }
            | Self::DuplicateColumn { .. }
            | Self::Unqualified { .. }
            | Self::UnknownTableFunction { .. } => ErrorKind::Sql,
            Self::ViewCycle { .. } | Self::ViewTooDeep { .. } | Self::AsOfUnread { .. } => ErrorKind::InvalidInput,
            Self::Refused { .. } | Self::NotSupported { .. } | Self::FileAsTable { .. } => ErrorKind::Unsupported,
            Self::UnknownTable { .. } => ErrorKind::NotFound,
            Self::View { source, .. } | Self::Other(source) => source.kind(),
            Self::Panicked { .. } | Self::Runtime { .. } => ErrorKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Several { .. } => "send the statements one by one".into(),
            Self::TooLong { .. } => {
                "put long lists into a table and join it, or raise the setting `limits.sql_bytes`".into()
            }
            Self::TooDeep { .. } => "split the statement into views or WITH queries".into(),
            Self::LongConstant { .. } => "put it into a table and join that".into(),
            Self::TooManyOperators { .. } => "write long chains of OR as `column IN (...)`, or join a table".into(),
            Self::Refused { instead, .. } | Self::NotSupported { instead, .. } => (*instead).into(),
            Self::UntypedParameter { .. } => {
                "write a named and typed parameter, as in `{agency:Text}`, and give its value with the request".into()
            }
            Self::ParameterType { .. } => {
                "use Text, Int64, Float64, Boolean, Date, Timestamp or Decimal(p,s), as in `{agency:Text}`".into()
            }
            Self::ParameterTwoTypes { .. } => "use one type for one name, or two names".into(),
            Self::ParameterMissing { name, type_name, .. } => {
                format!("give a value for `{name}`, of type {type_name}, with the request")
            }
            Self::ParameterUnknown { known, .. } if known.is_empty() => {
                "the statement has no parameters; declare one as in `{agency:Text}`".into()
            }
            Self::ParameterUnknown { known, .. } => format!("the statement's parameters are {}", list(known)),
            Self::ParameterValue { expected, .. } => format!("write {expected}"),
            Self::UnknownTable { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownTable { nearest: None, .. } => {
                "list the tables with `SELECT table_schema, table_name FROM information_schema.tables`".into()
            }
            Self::Unqualified { candidates, .. } if candidates.is_empty() => {
                "write `schema.table`, where the schema is the agency's short name".into()
            }
            Self::Unqualified { candidates, .. } => format!("did you mean {}?", list(candidates)),
            Self::UnknownTableFunction { .. } => {
                "the table functions are generate_series, range and unnest; files are loaded with `xiangyun load`"
                    .into()
            }
            Self::FileAsTable { .. } => {
                "declare the table in tables/*.toml, its file in pipelines/*.toml, and run `xiangyun load`".into()
            }
            Self::AsOfUnread { .. } => "name the tables that are read, those under its views too".into(),
            Self::ViewCycle { .. } => "let one of these views read tables only".into(),
            Self::ViewTooDeep { .. } => "fold some of these views into one".into(),
            Self::View { source, .. } | Self::Other(source) => return source.hint().map(Into::into),
            Self::DuplicateColumn { name } => format!("name the columns apart with AS, as in `a.{name} AS a_{name}`"),
            Self::Timeout { setting, .. } => format!("narrow the query, or raise the setting `{setting}`"),
            Self::ScanLimit { setting, .. } => {
                format!("ask for fewer columns or a shorter time, or raise the setting `{setting}`")
            }
            Self::QueueFull { class, .. } => {
                format!(
                    "ask again in a moment; the settings are `limits.{class}_concurrent` and `limits.{class}_queued`"
                )
            }
            Self::ResultTooLarge { setting, .. } => {
                format!(
                    "aggregate earlier, ask without `wait` to have the rows streamed, or raise the setting `{setting}`"
                )
            }
            _ => return None,
        })
    }

    fn position(&self) -> Option<SqlPosition> {
        match self {
            Self::Several { position, .. }
            | Self::TooDeep { position, .. }
            | Self::Syntax { position, .. }
            | Self::Refused { position, .. }
            | Self::NotSupported { position, .. }
            | Self::UnknownTable { position, .. }
            | Self::Unqualified { position, .. }
            | Self::UnknownTableFunction { position, .. }
            | Self::FileAsTable { position, .. } => *position,
            Self::TooManyOperators { position, .. }
            | Self::UntypedParameter { position, .. }
            | Self::ParameterType { position, .. }
            | Self::ParameterTwoTypes { position, .. }
            | Self::ParameterMissing { position, .. } => Some(*position),
            Self::Other(error) => error.position(),
            // A place in a view's text would be taken for one in the statement.
            _ => None,
        }
    }
}

fn list<T: std::fmt::Display>(names: &[T]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
