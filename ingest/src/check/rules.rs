//! Declared checks, compiled once a load and run on typed batches.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::datatypes::{DataType, Date32Type, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Asia::Shanghai;
use datafusion::common::DataFusionError;
use regex::Regex;
use xiangyun_engine::catalog::{CodeList, ColumnType, TableDef};
use xiangyun_engine::clock::Clock;
use xiangyun_engine::functions::Reference;
use xiangyun_engine::functions::gov_codes::Divisions;

use super::codes::{
    NotOnList, check_division, check_division_as_of, check_identity_number, check_industry, check_uscc,
};
use super::expression::{Expressions, Predicate};
use super::unique::Values;
use super::values;
use crate::pipeline::{CheckDef, CheckRule, OnFail};
use crate::source::text::truncated;

/// A row that does not pass, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) row: usize,
    pub(crate) column: Option<String>,
    /// The check, where one was declared or implied, as in `uscc on uscc`.
    pub(crate) rule: Option<String>,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// A check, ready to run.
#[derive(Debug)]
pub(crate) struct CompiledCheck {
    pub(crate) on_fail: OnFail,
    label: String,
    column: Option<(usize, String)>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    NotNull,
    Uscc,
    IdentityNumber {
        today: NaiveDate,
    },
    Division(Arc<Divisions>),
    /// With the position of the date column.
    DivisionAsOf(Arc<Divisions>, usize),
    Industry,
    Unique {
        seen: Values,
        in_table: bool,
    },
    Length(u32, u32),
    OneOf {
        texts: HashSet<String>,
    },
    Pattern(Regex, String),
    /// `shown` says what the bounds are.
    Between {
        low: Option<ArrayRef>,
        high: Option<ArrayRef>,
        reason: &'static str,
        shown: String,
    },
    Expression(Predicate, String),
}

/// What checks look things up in.
#[derive(Debug)]
pub(crate) struct CheckContext {
    divisions: Arc<Divisions>,
    clock: Arc<dyn Clock>,
    expressions: Expressions,
    /// By column: the values that the table has, for checks that compare with them.
    in_table: HashMap<String, Values>,
}

impl CheckContext {
    pub(crate) fn try_new(reference: &Reference, clock: &Arc<dyn Clock>) -> Result<Self, DataFusionError> {
        Ok(Self {
            divisions: Arc::clone(&reference.divisions),
            clock: Arc::clone(clock),
            expressions: Expressions::try_new(reference, clock)?,
            in_table: HashMap::new(),
        })
    }

    /// Says which values the table has in `column`.
    pub(crate) fn set_values(&mut self, column: &str, values: Values) {
        self.in_table.insert(column.to_owned(), values);
    }
}

/// Which key of a check is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckKey {
    Column,
    Rule,
}

/// A check that cannot run on the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckFault {
    pub(crate) key: CheckKey,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The checks that a contract implies: a code list's rule as a warning, unless the pipeline has that rule for that
/// column. Codes of real registers miss their lists now and then, and that is no reason to lose the row.
pub(crate) fn implied(table: &TableDef, declared: &[CheckDef]) -> Vec<CheckDef> {
    let rule = |column: &xiangyun_engine::catalog::ColumnDef| match column.code_list? {
        CodeList::Uscc => Some(CheckRule::Uscc),
        CodeList::IdentityNumber => Some(CheckRule::IdentityNumber),
        CodeList::Division => Some(CheckRule::Division),
        // Its editions differ, and the contract does not say which one it means.
        CodeList::Industry => None,
    };
    let listed = table.columns.iter().filter_map(|column| Some((column.name.clone(), rule(column)?)));
    listed
        .filter(|(column, rule)| {
            !declared.iter().any(|check| check.column.as_deref() == Some(column) && check.rule == *rule)
        })
        .map(|(column, rule)| CheckDef { column: Some(column), rule, on_fail: OnFail::Warn })
        .collect()
}

/// Prepares one check for rows of `schema`, which has the table's columns.
pub(crate) fn compile(
    check: &CheckDef,
    table: &TableDef,
    schema: &SchemaRef,
    context: &mut CheckContext,
) -> Result<CompiledCheck, CheckFault> {
    let fault = |key, message: String, hint: Option<&str>| CheckFault { key, message, hint: hint.map(str::to_owned) };
    if let CheckRule::Expression(sql) = &check.rule {
        if check.column.is_some() {
            let hint = "leave `column` out: the expression names its columns itself";
            return Err(fault(CheckKey::Column, "an expression checks a row and no single column".into(), Some(hint)));
        }
        let predicate = context
            .expressions
            .plan(sql, schema)
            .map_err(|message| fault(CheckKey::Rule, format!("the expression cannot be planned: {message}"), None))?;
        let test = Test::Expression(predicate, sql.clone());
        return Ok(CompiledCheck { on_fail: check.on_fail, label: "expression".into(), column: None, test });
    }
    let Some(name) = &check.column else {
        return Err(fault(CheckKey::Rule, "this rule needs a `column`".into(), None));
    };
    let Some(index) = table.columns.iter().position(|column| column.name == *name) else {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let hint = format!("its columns are {}", columns.join(", "));
        return Err(fault(CheckKey::Column, format!("`{}` has no column `{name}`", table.name), Some(&hint)));
    };
    let column_type = table.columns[index].column_type;
    let text_only = |rule: &str| match column_type {
        ColumnType::Text => Ok(()),
        other => {
            let message = format!("`{name}` is {other}, and {rule} is a rule for text");
            Err(fault(CheckKey::Rule, message, Some("codes are text: declare the column as `text`")))
        }
    };
    let setting = |text: &String| {
        values::parse(&StringArray::from(vec![text.as_str()]), column_type)
            .map_err(|bad| fault(CheckKey::Rule, bad.message, None))
    };
    let test = match &check.rule {
        CheckRule::NotNull => Test::NotNull,
        CheckRule::Uscc => text_only("`uscc`").map(|()| Test::Uscc)?,
        CheckRule::IdentityNumber => {
            text_only("`identity-number`").map(|()| Test::IdentityNumber { today: context.clock.today() })?
        }
        CheckRule::Division => text_only("`division`").map(|()| Test::Division(Arc::clone(&context.divisions)))?,
        CheckRule::DivisionAsOf(day) => {
            text_only("`division-as-of`")?;
            let dated = |column: &xiangyun_engine::catalog::ColumnDef| {
                column.name == *day && matches!(column.column_type, ColumnType::Date | ColumnType::Timestamp)
            };
            let Some(position) = table.columns.iter().position(dated) else {
                let message = format!("`{}` has no date or timestamp column `{day}`", table.name);
                return Err(fault(
                    CheckKey::Rule,
                    message,
                    Some("name the column that says when the code was written"),
                ));
            };
            Test::DivisionAsOf(Arc::clone(&context.divisions), position)
        }
        CheckRule::Industry => text_only("`industry`").map(|()| Test::Industry)?,
        CheckRule::Unique => Test::Unique { seen: Values::default(), in_table: false },
        CheckRule::UniqueInTable => {
            Test::Unique { seen: context.in_table.remove(name).unwrap_or_default(), in_table: true }
        }
        CheckRule::Length(least, most) => {
            text_only("`length`")?;
            if least > most {
                let message = format!("no text has {least} characters at least and {most} at the most");
                return Err(fault(CheckKey::Rule, message, Some("write the lower bound first")));
            }
            Test::Length(*least, *most)
        }
        CheckRule::OneOf(allowed) => {
            let mut texts = HashSet::with_capacity(allowed.len());
            for text in allowed {
                let value = as_text(&setting(text)?).map_err(|error| fault(CheckKey::Rule, error.to_string(), None))?;
                texts.insert(value.value(0).to_owned());
            }
            Test::OneOf { texts }
        }
        CheckRule::Pattern(pattern) => {
            text_only("`pattern`")?;
            let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
                fault(CheckKey::Rule, format!("`{pattern}` is not a regular expression: {error}"), None)
            })?;
            Test::Pattern(whole, pattern.clone())
        }
        CheckRule::Between(low, high) => {
            let (low_value, high_value) = (setting(low)?, setting(high)?);
            let is_empty = gt(&Scalar::new(Arc::clone(&low_value)), &Scalar::new(Arc::clone(&high_value)));
            if is_empty.is_ok_and(|greater| greater.len() == 1 && greater.value(0)) {
                let message = format!("nothing lies between {low} and {high}");
                return Err(fault(CheckKey::Rule, message, Some("write the lower bound first")));
            }
            let shown = format!("does not lie between {low} and {high}");
            Test::Between { low: Some(low_value), high: Some(high_value), reason: "BETWEEN", shown }
        }
        CheckRule::AtLeast(low) => {
            let shown = format!("is less than {low}");
            Test::Between { low: Some(setting(low)?), high: None, reason: "AT_LEAST", shown }
        }
        CheckRule::AtMost(high) => {
            let shown = format!("is greater than {high}");
            Test::Between { low: None, high: Some(setting(high)?), reason: "AT_MOST", shown }
        }
        CheckRule::Expression(_) => unreachable!("returned above"),
    };
    let label = format!("{} on {name}", rule_name(&check.rule));
    Ok(CompiledCheck { on_fail: check.on_fail, label, column: Some((index, name.clone())), test })
}

impl CompiledCheck {
    /// The rows of `batch` that do not pass. A missing value passes every rule but `not-null`. Rows that are
    /// `left_out` already are no earlier ones for others.
    pub(crate) fn failures(
        &mut self,
        batch: &RecordBatch,
        left_out: &dyn Fn(usize) -> bool,
    ) -> Result<Vec<Failure>, DataFusionError> {
        if let (Some((index, name)), Test::Unique { seen, in_table }) = (&self.column, &mut self.test) {
            let texts = as_text(batch.column(*index))?;
            let place = if *in_table { "of this load or of the table" } else { "of this load" };
            let failure = |row: usize| Failure {
                row,
                column: Some(name.clone()),
                rule: Some(self.label.clone()),
                reason: "UNIQUE".into(),
                message: format!("`{}` stands in an earlier row {place}", truncated(texts.value(row), 200)),
            };
            return Ok(seen.repeated(&texts, left_out)?.into_iter().map(failure).collect());
        }
        self.stateless_failures(batch)
    }

    fn stateless_failures(&self, batch: &RecordBatch) -> Result<Vec<Failure>, DataFusionError> {
        let Some((index, name)) = &self.column else {
            let Test::Expression(predicate, sql) = &self.test else { return Ok(Vec::new()) };
            return Ok(self.expression_failures(&predicate.evaluate(batch)?, sql));
        };
        let values = batch.column(*index);
        let failure = |row, reason: &str, message: String| Failure {
            row,
            column: Some(name.clone()),
            rule: Some(self.label.clone()),
            reason: reason.into(),
            message,
        };
        let each_text = |test: &dyn Fn(&str) -> Result<(), NotOnList>| {
            let texts = values.as_string::<i32>().iter().enumerate();
            texts
                .filter_map(|(row, text)| {
                    let (reason, message) = test(text?).err()?;
                    Some(failure(row, &reason, message))
                })
                .collect::<Vec<_>>()
        };
        Ok(match &self.test {
            Test::NotNull => (0..values.len())
                .filter(|row| values.is_null(*row))
                .map(|row| failure(row, "NOT_NULL", format!("`{name}` is missing")))
                .collect(),
            Test::Uscc => each_text(&check_uscc),
            Test::IdentityNumber { today } => each_text(&|text| check_identity_number(text, *today)),
            Test::Division(divisions) => each_text(&|text| check_division(text, divisions)),
            Test::DivisionAsOf(divisions, day) => {
                let years = years(batch.column(*day))?;
                let texts = values.as_string::<i32>().iter().zip(years).enumerate();
                texts
                    .filter_map(|(row, (text, year))| {
                        // Without a day, at some time is all that can be asked.
                        let checked = match (text?, year) {
                            (text, Some(year)) => check_division_as_of(text, year, divisions),
                            (text, None) => check_division(text, divisions),
                        };
                        let (reason, message) = checked.err()?;
                        Some(failure(row, &reason, message))
                    })
                    .collect()
            }
            Test::Industry => each_text(&check_industry),
            Test::Length(least, most) => each_text(&|text| {
                let length = text.chars().count();
                if (*least as usize..=*most as usize).contains(&length) {
                    return Ok(());
                }
                let message = format!("`{}` has {length} characters and not {least} to {most}", truncated(text, 200));
                Err(("LENGTH".into(), message))
            }),
            Test::Pattern(whole, pattern) => each_text(&|text| {
                if whole.is_match(text) {
                    return Ok(());
                }
                Err(("PATTERN".into(), format!("`{}` does not match {pattern}", truncated(text, 200))))
            }),
            Test::OneOf { texts } => {
                let shown = as_text(values)?;
                (0..shown.len())
                    .filter(|row| shown.is_valid(*row) && !texts.contains(shown.value(*row)))
                    .map(|row| {
                        let text = truncated(shown.value(row), 200);
                        failure(row, "ONE_OF", format!("`{text}` is none of the values that `{name}` may have"))
                    })
                    .collect()
            }
            Test::Between { low, high, reason, shown } => {
                let below = low.as_ref().map(|low| lt(values, &Scalar::new(Arc::clone(low)))).transpose()?;
                let above = high.as_ref().map(|high| gt(values, &Scalar::new(Arc::clone(high)))).transpose()?;
                let beyond = |found: &Option<BooleanArray>, row| found.as_ref().is_some_and(|found| found.value(row));
                let texts = as_text(values)?;
                (0..values.len())
                    .filter(|row| values.is_valid(*row) && (beyond(&below, *row) || beyond(&above, *row)))
                    .map(|row| {
                        let text = truncated(texts.value(row), 200);
                        failure(row, reason, format!("`{text}` {shown}"))
                    })
                    .collect()
            }
            Test::Unique { .. } => Vec::new(),
            Test::Expression(predicate, sql) => self.expression_failures(&predicate.evaluate(batch)?, sql),
        })
    }

    fn expression_failures(&self, holds: &BooleanArray, sql: &str) -> Vec<Failure> {
        (0..holds.len())
            .filter(|row| holds.is_valid(*row) && !holds.value(*row))
            .map(|row| Failure {
                row,
                column: None,
                rule: Some(self.label.clone()),
                reason: "EXPRESSION".into(),
                message: format!("the row does not fulfil {sql}"),
            })
            .collect()
    }
}

fn rule_name(rule: &CheckRule) -> &'static str {
    match rule {
        CheckRule::NotNull => "not-null",
        CheckRule::Uscc => "uscc",
        CheckRule::IdentityNumber => "identity-number",
        CheckRule::Division => "division",
        CheckRule::DivisionAsOf(_) => "division-as-of",
        CheckRule::Industry => "industry",
        CheckRule::Unique => "unique",
        CheckRule::UniqueInTable => "unique-in-table",
        CheckRule::Length(..) => "length",
        CheckRule::AtLeast(_) => "at-least",
        CheckRule::AtMost(_) => "at-most",
        CheckRule::OneOf(_) => "one-of",
        CheckRule::Pattern(_) => "pattern",
        CheckRule::Between(..) => "between",
        CheckRule::Expression(_) => "expression",
    }
}

/// The years of dates, or of instants as a clock in China showed them.
fn years(days: &ArrayRef) -> Result<Vec<Option<i32>>, DataFusionError> {
    if let Some(instants) = days.as_primitive_opt::<TimestampMicrosecondType>() {
        let year = |micros| Some(DateTime::from_timestamp_micros(micros)?.with_timezone(&Shanghai).year());
        return Ok(instants.iter().map(|micros| year(micros?)).collect());
    }
    let dates = cast(days, &DataType::Date32)?;
    let dates = dates.as_primitive::<Date32Type>();
    Ok((0..dates.len())
        .map(|row| dates.is_valid(row).then(|| dates.value_as_date(row))?.map(|day| day.year()))
        .collect())
}

fn as_text(values: &ArrayRef) -> Result<StringArray, DataFusionError> {
    Ok(cast(values, &DataType::Utf8)?.as_string::<i32>().clone())
}
