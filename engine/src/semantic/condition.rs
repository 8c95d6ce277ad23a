//! Conditions as data: what screens build, beside the SQL text that people write.
//!
//! ```json
//! {"and": [{"dimension": "channel", "op": "eq", "value": "online"},
//!          {"not": {"dimension": "region.prefecture", "op": "in", "value": ["220100", "220200"]}}]}
//! ```

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::functions::string::expr_fn::starts_with;
use datafusion::logical_expr::{Expr, lit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::SemanticError;

/// Parts inside parts. Screens nest two or three.
const MAX_DEPTH: usize = 16;
/// Comparisons of one condition.
const MAX_COMPARISONS: usize = 200;
/// Values of one `in`.
const MAX_VALUES: usize = 1_000;

/// A condition over dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Condition {
    /// All of them hold.
    And(Vec<Condition>),
    /// At least one of them holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// One dimension is compared.
    Comparison(Comparison),
}

/// One dimension compared with values. As in SQL, a missing value is neither equal nor unequal to any.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name as in `by`, as in `region.prefecture`.
    pub dimension: String,
    /// How it is compared.
    pub op: ComparisonOp,
    /// What with: a value; a list for `in`, two values for `between`; for `is_null` true (unless said) or false.
    pub value: Option<Value>,
}

/// How a dimension is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Equal to one of a list.
    In,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// From the first of two values to the second, both inclusive.
    Between,
    /// Missing.
    IsNull,
    /// Begins with a text, taken as it stands.
    LikePrefix,
}

impl ComparisonOp {
    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::In => "in",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Between => "between",
            Self::IsNull => "is_null",
            Self::LikePrefix => "like_prefix",
        }
    }
}

/// The JSON object: exactly one of its four forms.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    and: Option<Vec<Condition>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    or: Option<Vec<Condition>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not: Option<Box<Condition>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dimension: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op: Option<ComparisonOp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written { and: Some(parts), or: None, not: None, dimension: None, op: None, value: None } => {
                Ok(Self::And(parts))
            }
            Written { and: None, or: Some(parts), not: None, dimension: None, op: None, value: None } => {
                Ok(Self::Or(parts))
            }
            Written { and: None, or: None, not: Some(part), dimension: None, op: None, value: None } => {
                Ok(Self::Not(part))
            }
            Written { and: None, or: None, not: None, dimension: Some(dimension), op: Some(op), value } => {
                Ok(Self::Comparison(Comparison { dimension, op, value }))
            }
            Written { and: None, or: None, not: None, dimension: Some(dimension), op: None, .. } => {
                Err(format!("the condition on `{dimension}` has no `op`"))
            }
            _ => Err("a condition has one of `and`, `or`, `not`, or a `dimension` with its `op` and `value`".into()),
        }
    }
}

impl From<Condition> for Written {
    fn from(condition: Condition) -> Self {
        let empty = Self { and: None, or: None, not: None, dimension: None, op: None, value: None };
        match condition {
            Condition::And(parts) => Self { and: Some(parts), ..empty },
            Condition::Or(parts) => Self { or: Some(parts), ..empty },
            Condition::Not(part) => Self { not: Some(part), ..empty },
            Condition::Comparison(Comparison { dimension, op, value }) => {
                Self { dimension: Some(dimension), op: Some(op), value, ..empty }
            }
        }
    }
}

impl Condition {
    /// The dimensions it names.
    pub fn dimensions(&self) -> Vec<&str> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::dimensions).collect(),
            Self::Not(part) => part.dimensions(),
            Self::Comparison(comparison) => vec![&comparison.dimension],
        }
    }

    /// The condition over columns named as the dimensions are; `fields` are those that may be named, with their types.
    pub(super) fn compile(&self, metric: &str, fields: &[(String, DataType)]) -> Result<Expr, SemanticError> {
        let mut compiler = Compiler { metric, fields, comparisons: 0 };
        compiler.condition(self, 0)
    }
}

struct Compiler<'a> {
    metric: &'a str,
    fields: &'a [(String, DataType)],
    comparisons: usize,
}

impl Compiler<'_> {
    fn condition(&mut self, condition: &Condition, depth: usize) -> Result<Expr, SemanticError> {
        if depth > MAX_DEPTH {
            return Err(SemanticError::LargeCondition { what: "levels", limit: MAX_DEPTH });
        }
        match condition {
            Condition::And(parts) => self.parts("and", parts, depth, Expr::and),
            Condition::Or(parts) => self.parts("or", parts, depth, Expr::or),
            Condition::Not(part) => Ok(Expr::Not(Box::new(self.condition(part, depth + 1)?))),
            Condition::Comparison(comparison) => self.comparison(comparison),
        }
    }

    fn parts(
        &mut self,
        word: &'static str,
        parts: &[Condition],
        depth: usize,
        both: fn(Expr, Expr) -> Expr,
    ) -> Result<Expr, SemanticError> {
        let mut whole: Option<Expr> = None;
        for part in parts {
            let part = self.condition(part, depth + 1)?;
            whole = Some(match whole {
                Some(before) => both(before, part),
                None => part,
            });
        }
        whole.ok_or(SemanticError::EmptyCondition { word })
    }

    fn comparison(&mut self, comparison: &Comparison) -> Result<Expr, SemanticError> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(SemanticError::LargeCondition { what: "comparisons", limit: MAX_COMPARISONS });
        }
        let Comparison { dimension, op, value } = comparison;
        let Some((name, data_type)) = self.fields.iter().find(|(name, _)| name == dimension) else {
            return Err(SemanticError::UnknownDimension {
                metric: self.metric.into(),
                name: dimension.clone(),
                available: self.fields.iter().map(|(name, _)| name.clone()).collect(),
            });
        };
        let unfit = |reason| SemanticError::UnfitCondition { dimension: dimension.clone(), reason };
        let column = Expr::Column(Column::new_unqualified(name));
        compare(column, data_type, *op, value.as_ref()).map_err(unfit)
    }
}

/// `column`, of `data_type`, compared with `value`; else why not.
fn compare(column: Expr, data_type: &DataType, op: ComparisonOp, value: Option<&Value>) -> Result<Expr, String> {
    let word = op.name();
    let needed = || value.ok_or_else(|| format!("`{word}` needs a `value`"));
    let one = |value: &Value| literal(value, data_type, word).map(lit);
    let list = |value: &Value| match value {
        Value::Array(values) => values.iter().map(one).collect::<Result<Vec<_>, _>>(),
        other => Err(format!("`{word}` takes a list, not {other}")),
    };
    match op {
        ComparisonOp::Eq => Ok(column.eq(one(needed()?)?)),
        ComparisonOp::Ne => Ok(column.not_eq(one(needed()?)?)),
        ComparisonOp::Lt => Ok(column.lt(one(needed()?)?)),
        ComparisonOp::Le => Ok(column.lt_eq(one(needed()?)?)),
        ComparisonOp::Gt => Ok(column.gt(one(needed()?)?)),
        ComparisonOp::Ge => Ok(column.gt_eq(one(needed()?)?)),
        ComparisonOp::In => {
            let values = list(needed()?)?;
            match values.len() {
                0 => Err("`in` needs at least one value".into()),
                count if count > MAX_VALUES => Err(format!("`in` takes at the most {MAX_VALUES} values, not {count}")),
                _ => Ok(column.in_list(values, false)),
            }
        }
        ComparisonOp::Between => {
            let values = list(needed()?)?;
            match <[Expr; 2]>::try_from(values) {
                Ok([from, to]) => Ok(column.between(from, to)),
                Err(values) => Err(format!("`between` takes two values, not {}", values.len())),
            }
        }
        ComparisonOp::IsNull => match value {
            None | Some(Value::Bool(true)) => Ok(column.is_null()),
            Some(Value::Bool(false)) => Ok(column.is_not_null()),
            Some(other) => Err(format!("`is_null` takes true or false, not {other}")),
        },
        ComparisonOp::LikePrefix => match (is_text(data_type), needed()?) {
            (true, Value::String(prefix)) => Ok(starts_with(column, lit(prefix.clone()))),
            (true, other) => Err(format!("`like_prefix` takes a text, not {other}")),
            (false, _) => Err(format!("it is {}, and `like_prefix` compares text", kind(data_type))),
        },
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// What a type is called in a message.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, value) => kind(value),
        text if is_text(text) => "text".into(),
        DataType::Boolean => "true or false".into(),
        DataType::Date32 | DataType::Date64 => "a date written YYYY-MM-DD".into(),
        DataType::Timestamp(_, Some(_)) => "a time written 2019-03-26T09:00:00+08:00".into(),
        DataType::Timestamp(_, None) => "a time written 2019-03-26T09:00:00".into(),
        whole if whole.is_integer() => "a whole number".into(),
        number if number.is_numeric() => "a number".into(),
        other => other.to_string(),
    }
}

/// A JSON value as one of `data_type`. Nothing is guessed: text is not a number, and a number no text.
fn literal(value: &Value, data_type: &DataType, word: &str) -> Result<ScalarValue, String> {
    if value.is_null() {
        return Err(format!("`{word}` was given null: ask with `is_null`"));
    }
    let read = match (data_type, value) {
        (DataType::Dictionary(_, inner), _) => return literal(value, inner, word),
        (text, Value::String(value)) if is_text(text) => Some(ScalarValue::Utf8(Some(value.clone()))),
        (DataType::Boolean, Value::Bool(value)) => Some(ScalarValue::Boolean(Some(*value))),
        (DataType::Date32 | DataType::Date64, Value::String(text)) => {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| day.to_string() == *text);
            day.map(|day| ScalarValue::Date32(Some(super::period::days_since_epoch(day))))
        }
        (DataType::Timestamp(_, Some(_)), Value::String(text)) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into()))),
        (DataType::Timestamp(_, None), Value::String(text)) => {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .ok()
                .map(|at| ScalarValue::TimestampMicrosecond(Some(at.and_utc().timestamp_micros()), None))
        }
        (whole, Value::Number(number)) if whole.is_integer() => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Some(ScalarValue::Int64(Some(value))),
            (None, Some(value)) => Some(ScalarValue::UInt64(Some(value))),
            (None, None) => None,
        },
        (decimal, Value::Number(number)) if decimal.is_decimal() => Some(ScalarValue::Utf8(Some(number.to_string()))),
        (number, Value::Number(value)) if number.is_numeric() => value.as_f64().map(|v| ScalarValue::Float64(Some(v))),
        _ => None,
    };
    let misfit = || format!("it is {}, and `{word}` was given {value}", kind(data_type));
    let read = read.ok_or_else(misfit)?;
    let fitted = read.cast_to(data_type).map_err(|_| misfit())?;
    // A cast that does not fit gives null rather than an error.
    if fitted.is_null() { Err(misfit()) } else { Ok(fitted) }
}
