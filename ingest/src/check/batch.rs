//! What checks of a load as a whole gather while its rows pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, filter};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use chrono::{Datelike, Months, NaiveDate};
use regex::Regex;
use xiangyun_engine::catalog::{ColumnType, TableDef};
use xiangyun_engine::functions::calendar::{CalendarError, WorkCalendar, china_day};

use super::values::decimal;
use crate::pipeline::{BatchCheckDef, BatchRule, ControlTotalRule, DaysOf, DaysPeriod, DaysRule};

/// Different values of a column that are looked for in another table.
pub(crate) const VALUES_LIMIT: usize = 1_000_000;
/// Days or values that a message names.
pub(crate) const NAMED: usize = 10;
/// Days that a period may have: three thousand years.
const DAYS_LIMIT: i64 = 1_100_000;

/// What one check gathers.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// Nothing that the run's record does not have.
    Nothing,
    /// The days of the loaded rows, since 1970-01-01.
    Days { column: usize, days: BTreeSet<i32> },
    /// The values of the loaded rows and how often they occur.
    Values { column: usize, counts: HashMap<String, u64> },
    /// All rows that were read, by file, whatever became of them.
    Totals { column: Option<usize>, scale: u8, files: BTreeMap<Arc<str>, Total> },
}

/// Rows and the sum of a column, in units of its last digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) rows: u64,
    pub(crate) sum: i128,
    /// Rows whose value is missing or could not be read.
    pub(crate) without: u64,
}

/// A check that cannot run on the table: what, and what to do.
pub(crate) type BatchFault = (String, Option<String>);

/// Prepares a check for rows of `table`.
pub(crate) fn gather(check: &BatchCheckDef, table: &TableDef) -> Result<Gathered, BatchFault> {
    let find = |name: &String, fits: fn(ColumnType) -> bool, what: &str| {
        let position = table.columns.iter().position(|column| column.name == *name && fits(column.column_type));
        position.ok_or_else(|| (format!("`{}` has no {what}column `{name}`", table.name), None))
    };
    Ok(match &check.rule {
        BatchRule::RowCount(_) => Gathered::Nothing,
        BatchRule::NoDayMissing(days) => {
            let column = find(&days.column, |kind| kind == ColumnType::Date, "date ")?;
            Gathered::Days { column, days: BTreeSet::new() }
        }
        BatchRule::FoundIn(found) => {
            Gathered::Values { column: find(&found.column, |_| true, "")?, counts: HashMap::new() }
        }
        BatchRule::ControlTotal(control) => control_total(control, table, find)?,
        BatchRule::Fresh => {
            let hint = || Some("declare `freshness = { period = …, column = … }` in its contract".to_owned());
            let Some(freshness) = &table.freshness else {
                return Err((format!("`{}` promises no freshness", table.name), hint()));
            };
            let Some(name) = &freshness.column else {
                return Err((format!("the freshness of `{}` names no column", table.name), hint()));
            };
            let column = find(name, |kind| matches!(kind, ColumnType::Date | ColumnType::Timestamp), "date ")?;
            Gathered::Days { column, days: BTreeSet::new() }
        }
    })
}

fn control_total(
    control: &ControlTotalRule,
    table: &TableDef,
    find: impl Fn(&String, fn(ColumnType) -> bool, &str) -> Result<usize, BatchFault>,
) -> Result<Gathered, BatchFault> {
    let is_exact = |kind| matches!(kind, ColumnType::Int64 | ColumnType::Decimal { .. });
    let column = control.column.as_ref().map(|name| find(name, is_exact, "whole or decimal ")).transpose()?;
    let scale = column.map_or(0, |index| match table.columns[index].column_type {
        ColumnType::Decimal { scale, .. } => scale,
        _ => 0,
    });
    let is_said = control.rows.is_some() || control.sum.is_some();
    let names_none = |pattern: &String| {
        Regex::new(pattern)
            .map_or(true, |regex| !regex.capture_names().flatten().any(|name| matches!(name, "rows" | "sum")))
    };
    let sums = |pattern: &String| pattern.contains("<sum>");
    let problem = match (&control.file_suffix, is_said) {
        (Some(_), _) | (None, true) if control.footer.is_some() => {
            Some("the numbers stand in the pipeline, in files or in footers, and not in several of them")
        }
        _ if control.footer.as_ref().is_some_and(names_none) => {
            Some("`footer` is a regular expression with a group `rows` or `sum`, as in `合计,,(?<sum>[0-9.,]+)`")
        }
        _ if control.footer.as_ref().is_some_and(sums) && control.column.is_none() => {
            Some("`sum` needs the `column` that is summed")
        }
        (None, false) if control.footer.is_none() => {
            Some("it names no `rows`, no `sum`, no `file_suffix` and no `footer`")
        }
        (Some(_), true) => Some("the numbers stand in the pipeline or in files, and not in both"),
        (Some(suffix), _) if suffix.is_empty() || suffix.contains(['/', '\\']) => {
            Some("`file_suffix` is what is put behind a file's name, as in `.ctl`")
        }
        _ if control.sum.is_some() && control.column.is_none() => Some("`sum` needs the `column` that is summed"),
        _ => None,
    };
    if let Some(problem) = problem {
        return Err((problem.into(), None));
    }
    if let Some(sum) = &control.sum {
        decimal(sum, 38, scale).map_err(|why| (format!("`{sum}` is no sum of the column: {why}"), None))?;
    }
    Ok(Gathered::Totals { column, scale, files: BTreeMap::new() })
}

impl Gathered {
    /// Takes the rows of a batch in; `kept` says which are loaded.
    pub(crate) fn observe(
        &mut self,
        batch: &RecordBatch,
        kept: &BooleanArray,
        files: Option<&StringArray>,
    ) -> Result<(), ArrowError> {
        match self {
            Self::Nothing => {}
            Self::Days { column, days } => {
                let kept = filter(batch.column(*column), kept)?;
                let kept = china_days(&kept)?;
                days.extend(kept.as_primitive::<Date32Type>().iter().flatten());
            }
            Self::Values { column, counts } => {
                let kept = cast(&filter(batch.column(*column), kept)?, &DataType::Utf8)?;
                for text in kept.as_string::<i32>().iter().flatten() {
                    if let Some(count) = counts.get_mut(text) {
                        *count += 1;
                    } else if counts.len() <= VALUES_LIMIT {
                        // One more than may be says that there were too many.
                        counts.insert(text.to_owned(), 1);
                    }
                }
            }
            Self::Totals { column, files: totals, .. } => {
                let values = column.map(|column| batch.column(column));
                let mut last: Option<(Arc<str>, Total)> = None;
                for row in 0..batch.num_rows() {
                    let file = files.map_or("", |files| files.value(row));
                    if last.as_ref().is_none_or(|(name, _)| **name != *file)
                        && let Some((name, total)) = last.replace((file.into(), Total::default()))
                    {
                        totals.entry(name).or_default().add(total);
                    }
                    if let Some((_, total)) = &mut last {
                        total.take(values.and_then(|values| exact(values, row)));
                    }
                }
                if let Some((name, total)) = last {
                    totals.entry(name).or_default().add(total);
                }
            }
        }
        Ok(())
    }
}

impl Total {
    fn take(&mut self, value: Option<i128>) {
        self.rows += 1;
        match value {
            Some(value) => self.sum = self.sum.saturating_add(value),
            None => self.without += 1,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.saturating_add(other.sum);
        self.without += other.without;
    }
}

/// Instants as days on a clock in China.
/// Days as they are; instants as their day in China.
pub(crate) fn china_days(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let DataType::Timestamp(_, zone @ Some(_)) = values.data_type() else { return Ok(Arc::clone(values)) };
    let micros = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
    let days =
        micros.as_primitive::<TimestampMicrosecondType>().unary::<_, Date32Type>(|micros| china_day(micros, true));
    Ok(Arc::new(days))
}

fn exact(values: &ArrayRef, row: usize) -> Option<i128> {
    if values.is_null(row) {
        return None;
    }
    match values.data_type() {
        DataType::Int64 => Some(values.as_primitive::<Int64Type>().value(row).into()),
        _ => values.as_primitive_opt::<Decimal128Type>().map(|values| values.value(row)),
    }
}

/// The days that the rule asks for and `days` lacks, in order.
pub(crate) fn missing_days(
    rule: &DaysRule,
    days: &BTreeSet<i32>,
    calendar: &WorkCalendar,
) -> Result<Vec<NaiveDate>, CalendarError> {
    let present: BTreeSet<NaiveDate> = days.iter().filter_map(|day| NaiveDate::from_epoch_days(*day)).collect();
    let (Some(first), Some(last)) = (present.first(), present.last()) else { return Ok(Vec::new()) };
    let mut periods: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    match rule.period {
        DaysPeriod::Span => periods.push((*first, *last)),
        DaysPeriod::Month => {
            let months: BTreeSet<_> = present.iter().filter_map(|day| day.with_day(1)).collect();
            periods.extend(months.into_iter().filter_map(|first| Some((first, last_of(first, 1)?))));
        }
        DaysPeriod::Year => {
            let years: BTreeSet<_> =
                present.iter().filter_map(|day| NaiveDate::from_ymd_opt(day.year(), 1, 1)).collect();
            periods.extend(years.into_iter().filter_map(|first| Some((first, last_of(first, 12)?))));
        }
    }
    let mut missing = Vec::new();
    for (first, last) in periods {
        // A day far off is one finding and not a million.
        for day in first.iter_days().take_while(|day| *day <= last).take(DAYS_LIMIT as usize) {
            if present.contains(&day) || rule.days == DaysOf::Working && !calendar.is_working_day(day)? {
                continue;
            }
            missing.push(day);
        }
    }
    Ok(missing)
}

fn last_of(first: NaiveDate, months: u32) -> Option<NaiveDate> {
    first.checked_add_months(Months::new(months))?.pred_opt()
}

/// What a control file says: rows, and a sum in units of the column's last digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ControlFile {
    pub(crate) rows: Option<u64>,
    pub(crate) sum: Option<i128>,
}

impl ControlFile {
    /// Reads `rows=100` and `sum=123.45`, each on its line; the number of the line that is wrong, and why.
    pub(crate) fn parse(text: &str, scale: u8) -> Result<Self, (usize, String)> {
        let mut found = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let wrong = |why: String| (index + 1, why);
            if line.trim().is_empty() {
                continue;
            }
            let (key, value) = line
                .split_once(['=', ':', '：', ',', '\t'])
                .ok_or_else(|| wrong("write `rows=100` or `sum=123.45`".into()))?;
            let value = value.trim();
            match key.trim().to_lowercase().as_str() {
                "rows" | "count" | "行数" | "笔数" => found.rows = Some(rows_said(value).map_err(wrong)?),
                "sum" | "total" | "合计" => found.sum = Some(sum_said(value, scale).map_err(wrong)?),
                other => return Err(wrong(format!("`{other}` is neither `rows` nor `sum`"))),
            }
        }
        if found == Self::default() { Err((1, "it says nothing".into())) } else { Ok(found) }
    }

    /// What the groups `rows` and `sum` of `pattern` find in the lines of a footer, each in the first line that has it.
    pub(crate) fn find(lines: &[String], pattern: &str, scale: u8) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        // A comma at the end of a number parts it from the next value of the row.
        let group = |name: &str| {
            let found = |line: &String| {
                Some(regex.captures(line)?.name(name)?.as_str().trim_matches([',', ' ', '\t']).to_owned())
            };
            lines.iter().find_map(found)
        };
        let rows = group("rows").map(|text| rows_said(&text)).transpose()?;
        let sum = group("sum").map(|text| sum_said(&text, scale)).transpose()?;
        match (lines.first(), rows.is_none() && sum.is_none()) {
            (None, _) => Err("the file ends without one".into()),
            (Some(first), true) => Err(format!("`{pattern}` finds nothing in it; it begins with `{first}`")),
            (Some(_), false) => Ok(Self { rows, sum }),
        }
    }
}

fn rows_said(text: &str) -> Result<u64, String> {
    text.replace(',', "").parse().map_err(|_| format!("`{text}` is no number of rows"))
}

fn sum_said(text: &str, scale: u8) -> Result<i128, String> {
    decimal(text, 38, scale).map_err(|why| format!("`{text}` is no sum of the column: {why}"))
}

/// A number of units of the last of `scale` digits behind the point.
pub(crate) fn shown(value: i128, scale: u8) -> String {
    Decimal128Type::format_decimal(value, 38, scale as i8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        let date: NaiveDate = text.parse().unwrap();
        date.to_epoch_days()
    }

    #[test]
    fn an_instant_counts_to_its_day_in_china() {
        use arrow::array::TimestampMicrosecondArray;
        // 16:00 of 31 December in UTC is midnight in China; the summer of 1988 began an hour earlier still.
        let instants = ["2023-12-31T15:59:59Z", "2023-12-31T16:00:00Z", "1988-07-01T15:00:00Z"];
        let micros = instants.map(|text| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros());
        let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC"));
        let days = china_days(&values).unwrap();
        let expected = ["2023-12-31", "2024-01-01", "1988-07-02"].map(day);
        assert_eq!(days.as_primitive::<Date32Type>().values(), &expected);
    }

    #[test]
    fn days_are_missing_by_calendar_and_by_working_day() {
        let calendar = WorkCalendar::built_in();
        let rule = |days, period| DaysRule { column: "on".into(), days, period };
        let missing = |rule: &DaysRule, days: &[&str]| {
            let days = days.iter().map(|text| day(text)).collect();
            let found = missing_days(rule, &days, &calendar)?;
            Ok::<_, CalendarError>(found.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let span = rule(DaysOf::Calendar, DaysPeriod::Span);
        assert_eq!(missing(&span, &["2019-04-03", "2019-04-06"]).unwrap(), ["2019-04-04", "2019-04-05"]);
        assert_eq!(missing(&span, &[]).unwrap(), Vec::<String>::new());
        // 2019-04-05 was Qingming; 2019-04-28, a Sunday, was worked for Labour Day.
        let working = rule(DaysOf::Working, DaysPeriod::Span);
        assert_eq!(missing(&working, &["2019-04-03", "2019-04-06"]).unwrap(), ["2019-04-04"]);
        assert_eq!(
            missing(&working, &["2019-04-26", "2019-05-06"]).unwrap(),
            ["2019-04-28", "2019-04-29", "2019-04-30", "2019-05-05"]
        );
        // 250 working days of 2019 but the one that is there.
        let year = rule(DaysOf::Working, DaysPeriod::Year);
        assert_eq!(missing(&year, &["2019-03-26"]).unwrap().len(), 249);
        let month = rule(DaysOf::Calendar, DaysPeriod::Month);
        assert_eq!(missing(&month, &["2019-02-10", "2019-04-30"]).unwrap().len(), 27 + 29);
        assert!(matches!(missing(&working, &["2098-01-01", "2098-01-05"]), Err(CalendarError::NoNotice { .. })));
    }

    #[test]
    fn control_files() {
        let found = ControlFile::parse("\u{feff}rows=1,000\r\nsum = 123.45\r\n", 2).unwrap();
        assert_eq!(found, ControlFile { rows: Some(1000), sum: Some(12_345) });
        assert_eq!(ControlFile::parse("笔数：3\n", 0).unwrap().rows, Some(3));
        for (text, line, why) in [
            ("rows=3\nmean=1", 2, "`mean` is neither `rows` nor `sum`"),
            ("rows=x", 1, "`x` is no number of rows"),
            ("rows=1\n\nsum=1.234", 3, "`1.234` is no sum of the column: it has too many digits behind the point"),
            ("", 1, "it says nothing"),
            ("100", 1, "write `rows=100` or `sum=123.45`"),
        ] {
            assert_eq!(ControlFile::parse(text, 2), Err((line, why.to_owned())));
        }
    }

    #[test]
    fn numbers_are_shown_with_their_point() {
        assert_eq!((shown(12_345, 2), shown(-5, 1), shown(7, 0)), ("123.45".into(), "-0.5".into(), "7".into()));
    }
}
