//! Where the errors of DataFusion, Arrow, Parquet and the store belong in the closed list of kinds.

use std::error::Error as StdError;

use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;
use parquet::errors::ParquetError;

use super::error::QueryError;
use crate::error::{Error, ErrorKind, SqlPosition};
use crate::project::nearest;

/// The boundary error for what DataFusion says while it plans or runs a statement.
pub(crate) fn from_datafusion(error: &DataFusionError) -> Error {
    let position = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| SqlPosition { line: span.start.line, column: span.start.column });
    let found = classify(error);
    match position {
        Some(position) if found.position().is_none() => found.with_position(position),
        _ => found,
    }
}

fn classify(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => classify(inner),
        DataFusionError::Shared(inner) => classify(inner),
        DataFusionError::Collection(errors) => errors
            .first()
            .map_or_else(|| Error::new(ErrorKind::Internal, "an error without a message"), from_datafusion),
        DataFusionError::SQL(error, _) => syntax(error).into(),
        DataFusionError::Plan(message) => described(ErrorKind::Sql, message),
        DataFusionError::SchemaError(error, _) => schema_error(error),
        DataFusionError::NotImplemented(message) => described(ErrorKind::Unsupported, message),
        DataFusionError::Execution(message) => described(ErrorKind::Sql, message),
        DataFusionError::ResourcesExhausted(message) => described(ErrorKind::LimitExceeded, message).with_hint(
            "narrow the query or aggregate earlier; the setting `limits.memory_bytes` bounds all running queries together",
        ),
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => {
            Error::new(ErrorKind::Cancelled, "the query was cancelled")
        }
        DataFusionError::ExecutionJoin(error) => QueryError::Panicked { message: error.to_string() }.into(),
        DataFusionError::ArrowError(error, _) => arrow_error(error),
        DataFusionError::ParquetError(error) => parquet_error(error),
        DataFusionError::ObjectStore(error) => store_error(error),
        DataFusionError::IoError(error) => io_error(error),
        DataFusionError::External(error) => foreign(error.as_ref()),
        // Two of DataFusion's functions call their caller's mistake their own.
        DataFusionError::Internal(message)
            if message.starts_with("array_slice got invalid stride") || message.starts_with("array_resize: failed") =>
        {
            described(ErrorKind::Sql, message.lines().next().unwrap_or_default())
        }
        other => described(ErrorKind::Internal, &other.strip_backtrace()),
    }
}

fn arrow_error(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(error) => foreign(error.as_ref()),
        ArrowError::IoError(_, error) => io_error(error),
        ArrowError::ParquetError(message) => described(ErrorKind::Corrupted, message),
        ArrowError::MemoryError(message) => described(ErrorKind::LimitExceeded, message),
        ArrowError::DivideByZero => {
            Error::new(ErrorKind::Sql, "division by zero").with_hint("guard the divisor, as in `a / nullif(b, 0)`")
        }
        ArrowError::CastError(message)
        | ArrowError::ParseError(message)
        | ArrowError::ComputeError(message)
        | ArrowError::ArithmeticOverflow(message)
        | ArrowError::InvalidArgumentError(message)
        | ArrowError::SchemaError(message) => described(ErrorKind::Sql, message),
        other => described(ErrorKind::Sql, &other.to_string()),
    }
}

fn parquet_error(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(error) => foreign(error.as_ref()),
        other => described(ErrorKind::Corrupted, &other.to_string()),
    }
}

fn store_error(error: &object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { path, .. } => {
            Error::new(ErrorKind::Corrupted, format!("the table's log names `{path}`, and the store does not hold it"))
        }
        other => Error::new(ErrorKind::Unavailable, "cannot read from the object store").with_source(other.to_string()),
    }
}

fn io_error(error: &std::io::Error) -> Error {
    match error.get_ref() {
        Some(inner) => foreign(inner),
        None => Error::new(ErrorKind::Unavailable, "cannot read or write a file").with_source(error.to_string()),
    }
}

/// An error that crossed DataFusion as a boxed one: ours, the store's, or somebody's.
fn foreign(error: &(dyn StdError + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<Error>() {
            return copy(error);
        }
        if let Some(error) = current.downcast_ref::<DataFusionError>() {
            return classify(error);
        }
        if let Some(error) = current.downcast_ref::<ArrowError>() {
            return arrow_error(error);
        }
        if let Some(error) = current.downcast_ref::<ParquetError>() {
            return parquet_error(error);
        }
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            return store_error(error);
        }
        cause = current.source();
    }
    let text = error.to_string();
    let is_pattern = text.starts_with("regex parse error") || text.starts_with("Compiled regex exceeds size limit");
    described(if is_pattern { ErrorKind::Sql } else { ErrorKind::Internal }, &text)
}

/// DataFusion may share one error between partitions, so that it can only be borrowed here.
fn copy(error: &Error) -> Error {
    let mut copied = Error::new(error.kind(), error.to_string());
    if let Some(hint) = error.hint() {
        copied = copied.with_hint(hint);
    }
    if let Some(position) = error.position() {
        copied = copied.with_position(position);
    }
    match error.source() {
        Some(source) => copied.with_source(source.to_string()),
        None => copied,
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let found = Error::new(ErrorKind::Sql, format!("unknown column `{}`", field.flat_name()));
            // Names differ in their case alone where somebody quoted one of them.
            let lower: Vec<_> = valid_fields.iter().map(|valid| valid.name.to_lowercase()).collect();
            let wanted = field.name.to_lowercase();
            let nearest = nearest(&wanted, lower.iter().map(String::as_str));
            let nearest = nearest.and_then(|name| lower.iter().position(|lower| lower == name));
            match nearest {
                Some(at) => found.with_hint(format!("did you mean `{}`?", valid_fields[at].quoted_flat_name())),
                None if valid_fields.is_empty() => found,
                None => {
                    let mut names: Vec<_> = valid_fields.iter().take(12).map(|valid| valid.name.as_str()).collect();
                    if valid_fields.len() > names.len() {
                        names.push("...");
                    }
                    found.with_hint(format!("the columns are {}", names.join(", ")))
                }
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(ErrorKind::Sql, format!("column `{}` is in more than one table", field.name))
                .with_hint("put the table's name or alias in front of it")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            QueryError::DuplicateColumn { name: name.clone() }.into()
        }
    }
}

/// A parser's error, its position taken out of the text.
pub(crate) fn syntax(error: &ParserError) -> QueryError {
    match error {
        ParserError::RecursionLimitExceeded => {
            QueryError::TooDeep { limit: super::statement::MAX_DEPTH, position: None }
        }
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
            let (message, position) = split_position(message);
            QueryError::Syntax { message: tidy(message), position }
        }
    }
}

/// `... at Line: 2, Column: 5` becomes the text before it and the position.
fn split_position(message: &str) -> (&str, Option<SqlPosition>) {
    let parse = |rest: &str| {
        let (line, column) = rest.split_once(", Column: ")?;
        Some(SqlPosition { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
    };
    match message.rsplit_once(" at Line: ").and_then(|(head, rest)| Some((head, parse(rest)?))) {
        // The end of the text has no place of its own.
        Some((head, SqlPosition { line: 0, .. })) => (head, None),
        Some((head, position)) => (head, Some(position)),
        None => (message, None),
    }
}

/// What a function says of its arguments, without what DataFusion puts around it.
fn of_function(message: &str) -> Option<&str> {
    let (_, said) = message.split_once("user-defined coercion failed with: Error during planning: ")?;
    Some(said.split_once(" No function matches").map_or(said, |(said, _)| said))
}

/// A library's message in our manner; a question in its second line becomes the hint.
fn described(kind: ErrorKind, message: &str) -> Error {
    let message = message.strip_prefix("Error during planning: ").unwrap_or(message);
    let message = of_function(message).unwrap_or(message);
    let (text, question) = match message.find("Did you mean") {
        Some(at) => (&message[..at], Some(&message[at..])),
        None => (message, None),
    };
    let error = if let Some(name) = text.trim().strip_prefix("Invalid function '") {
        Error::new(kind, format!("unknown function `{}`", name.trim_end_matches(['\'', '.'])))
    } else if let Some(column) = duplicate_projection(text) {
        return QueryError::DuplicateColumn { name: column }.into();
    } else {
        Error::new(kind, tidy(text))
    };
    match question {
        Some(question) => error.with_hint(tidy(&question.replace('\'', "`"))),
        None => error,
    }
}

/// The name in `Projections require unique expression names but the expression "a" at position 0 and "a" at ...`.
fn duplicate_projection(text: &str) -> Option<String> {
    let rest = text.split_once("require unique expression names but the expression \"")?.1;
    let quoted = rest.split_once("\" at position")?.0;
    Some(quoted.rsplit_once(" AS ").map_or(quoted, |(_, alias)| alias).to_owned())
}

/// Lower case at the front, no full stop at the end.
fn tidy(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && !second.is_ascii_uppercase() => {
            format!("{}{}", first.to_ascii_lowercase(), chars.as_str())
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Classify;

    #[test]
    fn a_parser_error_gives_up_its_position() {
        let error = syntax(&ParserError::ParserError("Expected: an expression, found: , at Line: 2, Column: 5".into()));
        assert_eq!(error.to_string(), "expected: an expression, found: ,");
        assert_eq!(error.position(), Some(SqlPosition { line: 2, column: 5 }));
    }

    #[test]
    fn an_error_of_ours_crosses_the_planner_unchanged() {
        let ours = Error::new(ErrorKind::Corrupted, "file is cut").with_hint("restore it");
        let wrapped = DataFusionError::Context("x".into(), Box::new(DataFusionError::External(Box::new(ours))));
        let found = from_datafusion(&wrapped);
        assert_eq!(
            (found.kind(), found.to_string(), found.hint()),
            (ErrorKind::Corrupted, "file is cut".into(), Some("restore it"))
        );
    }

    #[test]
    fn a_missing_data_file_is_corruption_and_a_dead_store_is_not() {
        let missing = object_store::Error::NotFound { path: "a/b.parquet".into(), source: "gone".into() };
        let dead = object_store::Error::Generic { store: "S3", source: "connection refused".into() };
        let through_parquet = DataFusionError::ParquetError(Box::new(ParquetError::External(Box::new(missing))));
        assert_eq!(from_datafusion(&through_parquet).kind(), ErrorKind::Corrupted);
        assert_eq!(from_datafusion(&DataFusionError::ObjectStore(Box::new(dead))).kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_function_suggestion_becomes_the_hint() {
        let error = described(ErrorKind::Sql, "Invalid function 'uper'.\nDid you mean 'upper'?");
        assert_eq!(error.to_string(), "unknown function `uper`");
        assert_eq!(error.hint(), Some("did you mean `upper`?"));
    }
}
