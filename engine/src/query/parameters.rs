//! Named, typed parameters: `{agency:Text}` in the text, a value beside it. They are bound, never spliced: the text
//! is cut into tokens first, so that strings and comments are left alone, and a parameter becomes one placeholder
//! token that only ever stands for a value.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};
use indexmap::IndexMap;

use super::error::QueryError;
use super::request::ParamValue;
use super::statement::position;
use crate::catalog::ColumnType;
use crate::error::SqlPosition;

/// The parameters that a statement declares.
#[derive(Debug, Default)]
pub(crate) struct Parameters(IndexMap<String, Declared>);

#[derive(Debug)]
struct Declared {
    column_type: ColumnType,
    position: SqlPosition,
}

impl Parameters {
    /// One field a parameter, in order: the planner's view of their types.
    pub(crate) fn fields(&self) -> Vec<Option<FieldRef>> {
        let field = |(name, declared): (&String, &Declared)| Field::new(name, declared.column_type.arrow(), true);
        self.0.iter().map(|entry| Some(field(entry).into())).collect()
    }

    /// The values in the declared order. Every parameter needs a value (which may be NULL) and every value a parameter.
    pub(crate) fn bind(&self, values: &IndexMap<String, ParamValue>) -> Result<ParamValues, QueryError> {
        if let Some(name) = values.keys().find(|name| !self.0.contains_key(*name)) {
            return Err(QueryError::ParameterUnknown { name: name.clone(), known: self.0.keys().cloned().collect() });
        }
        let mut bound = Vec::with_capacity(self.0.len());
        for (name, Declared { column_type, position }) in &self.0 {
            let value = values.get(name).ok_or_else(|| QueryError::ParameterMissing {
                name: name.clone(),
                type_name: column_type.to_string(),
                position: *position,
            })?;
            bound.push(scalar(*column_type, value).ok_or_else(|| QueryError::ParameterValue {
                name: name.clone(),
                type_name: column_type.to_string(),
                value: shown(value),
                expected: expected(*column_type),
            })?);
        }
        Ok(bound.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Replaces every `{name:Type}` by a placeholder token.
pub(crate) fn extract(tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Parameters), QueryError> {
    let mut parameters = Parameters::default();
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, tail)) = rest.split_first() {
        if let Token::Placeholder(text) = &token.token {
            return Err(QueryError::UntypedParameter { text: text.clone(), position: place(token) });
        }
        rest = tail;
        let parameter = (token.token == Token::LBrace).then(|| parameter(tail)).flatten();
        let Some((name, type_name, length)) = parameter else {
            kept.push(token.clone());
            continue;
        };
        let position = place(token);
        let column_type: ColumnType = type_name
            .to_ascii_lowercase()
            .parse()
            .map_err(|_| QueryError::ParameterType { name: name.clone(), type_name, position })?;
        let declared = parameters.0.entry(name.clone()).or_insert(Declared { column_type, position });
        if declared.column_type != column_type {
            return Err(QueryError::ParameterTwoTypes {
                name,
                first: declared.column_type.to_string(),
                second: column_type.to_string(),
                position,
            });
        }
        let span = Span::new(token.span.start, tail[length - 1].span.end);
        kept.push(TokenWithSpan::new(Token::Placeholder(format!("${name}")), span));
        rest = &tail[length..];
    }
    Ok((kept, parameters))
}

fn place(token: &TokenWithSpan) -> SqlPosition {
    position(token.span.start).unwrap_or(SqlPosition { line: 1, column: 1 })
}

/// `name : Type }` after an opening brace: name, type and the tokens taken.
fn parameter(tokens: &[TokenWithSpan]) -> Option<(String, String, usize)> {
    let mut texts = tokens.iter().enumerate().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    let mut next = || texts.next().map(|(at, token)| (at, &token.token));
    let (Some((_, Token::Word(name))), Some((_, Token::Colon)), Some((_, Token::Word(word)))) =
        (next(), next(), next())
    else {
        return None;
    };
    let mut type_name = word.value.clone();
    loop {
        match next()? {
            (at, Token::RBrace) => return Some((name.value.clone(), type_name, at + 1)),
            (_, part @ (Token::LParen | Token::RParen | Token::Comma | Token::Number(..))) => {
                type_name.push_str(&part.to_string());
            }
            _ => return None,
        }
    }
}

/// The value as the declared type, or none where it is not one.
fn scalar(column_type: ColumnType, value: &ParamValue) -> Option<ScalarValue> {
    let arrow = column_type.arrow();
    match (column_type, value) {
        (_, ParamValue::Null) => ScalarValue::try_from(&arrow).ok(),
        (ColumnType::Text, ParamValue::Text(text)) => Some(ScalarValue::from(text.as_str())),
        (ColumnType::Boolean, ParamValue::Bool(value)) => Some(ScalarValue::from(*value)),
        (ColumnType::Int64, ParamValue::Int(value)) => Some(ScalarValue::from(*value)),
        (ColumnType::Float64, ParamValue::Float(value)) => Some(ScalarValue::from(*value)),
        // Whole numbers up to 2^53 are exact as doubles; larger ones would silently change.
        (ColumnType::Float64, ParamValue::Int(value)) if value.unsigned_abs() <= 1 << 53 => {
            Some(ScalarValue::from(*value as f64))
        }
        // 64-bit numbers travel through JSON as text, and so do decimals, dates and timestamps.
        (ColumnType::Int64, ParamValue::Text(text)) => text.trim().parse::<i64>().ok().map(ScalarValue::from),
        (ColumnType::Decimal { .. }, ParamValue::Int(value)) => decimal(&value.to_string(), &arrow),
        (ColumnType::Decimal { .. }, ParamValue::Text(text)) => decimal(text.trim(), &arrow),
        (ColumnType::Date, ParamValue::Text(text)) if is_date(text) => {
            ScalarValue::try_from_string(text.clone(), &arrow).ok()
        }
        (ColumnType::Timestamp, ParamValue::Text(text)) => {
            // Without an offset nobody could say which instant it is.
            let instant = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(ScalarValue::TimestampMicrosecond(Some(instant.timestamp_micros()), Some("UTC".into())))
        }
        _ => None,
    }
}

/// Decimal text with no more digits than the type has: nothing is rounded.
fn decimal(text: &str, arrow: &DataType) -> Option<ScalarValue> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let DataType::Decimal128(_, scale) = arrow else { return None };
    let fits = plain(whole) && plain(fraction) && !(whole.is_empty() && fraction.is_empty());
    (fits && fraction.trim_end_matches('0').len() <= usize::try_from(*scale).ok()?)
        .then(|| ScalarValue::try_from_string(text.into(), arrow).ok())
        .flatten()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn expected(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Text => "a text".into(),
        ColumnType::Int64 => "a whole number".into(),
        ColumnType::Float64 => "a number".into(),
        ColumnType::Boolean => "true or false".into(),
        ColumnType::Date => "a date as text, as in `2024-06-30`".into(),
        ColumnType::Timestamp => "an instant with its offset as text, as in `2024-06-30T08:00:00+08:00`".into(),
        ColumnType::Decimal { precision, scale } => {
            format!("a decimal as text, as in `12.5`, of at most {precision} digits, {scale} behind the point")
        }
    }
}

fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Null => "NULL".into(),
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => value.to_string(),
        ParamValue::Text(text) => format!("the text `{}`", text.chars().take(40).collect::<String>()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn extracted(sql: &str) -> Result<(String, Parameters), QueryError> {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap();
        let (tokens, parameters) = extract(tokens)?;
        Ok((tokens.iter().map(|token| token.token.to_string()).collect(), parameters))
    }

    fn bound(sql: &str, value: ParamValue) -> Result<ParamValues, QueryError> {
        extracted(sql)?.1.bind(&IndexMap::from([("p".to_owned(), value)]))
    }

    #[test]
    fn strings_comments_and_struct_literals_are_left_alone() {
        let sql = "select '{a:Text}', {'k': 1} /* {b:Text} */ from t where x = {p:Text} and y = { p : text }";
        let (text, parameters) = extracted(sql).unwrap();
        assert_eq!(text, "select '{a:Text}', {'k': 1} /* {b:Text} */ from t where x = $p and y = $p");
        assert_eq!(parameters.0.len(), 1);
    }

    #[test]
    fn each_type_takes_its_own_values_only() {
        let text = |text: &str| ParamValue::Text(text.into());
        for (type_name, good, bad) in [
            ("Text", text("220100"), ParamValue::Int(220_100)),
            ("Int64", ParamValue::Int(7), ParamValue::Float(7.5)),
            ("Int64", text("9007199254740993"), text("seven")),
            ("Float64", ParamValue::Float(0.5), text("0.5")),
            ("Boolean", ParamValue::Bool(true), text("true")),
            ("Date", text("2024-02-29"), text("2023-02-29")),
            ("Timestamp", text("2024-06-30T08:00:00+08:00"), text("2024-06-30 08:00:00")),
            ("Decimal(18,2)", text("12.50"), text("12.505")),
            ("Decimal(4, 2)", text("99.99"), text("100.00")),
        ] {
            let sql = format!("{{p:{type_name}}}");
            assert!(bound(&sql, good.clone()).is_ok(), "{type_name} {good:?}");
            assert!(matches!(bound(&sql, bad), Err(QueryError::ParameterValue { .. })), "{type_name}");
            assert!(bound(&sql, ParamValue::Null).is_ok(), "{type_name} null");
        }
    }

    #[test]
    fn missing_unknown_untyped_and_contradicting_parameters_are_named() {
        let none = IndexMap::new();
        let missing = extracted("{a:Text}").unwrap().1.bind(&none);
        assert!(matches!(missing, Err(QueryError::ParameterMissing { name, .. }) if name == "a"));
        assert!(
            matches!(bound("select 1", ParamValue::Null), Err(QueryError::ParameterUnknown { name, .. }) if name == "p")
        );
        assert!(matches!(extracted("x = $1"), Err(QueryError::UntypedParameter { text, .. }) if text == "$1"));
        let unknown = extracted("{a:Varchar}");
        assert!(matches!(unknown, Err(QueryError::ParameterType { type_name, .. }) if type_name == "Varchar"));
        assert!(matches!(extracted("{a:Text} {a:Date}"), Err(QueryError::ParameterTwoTypes { .. })));
    }
}
