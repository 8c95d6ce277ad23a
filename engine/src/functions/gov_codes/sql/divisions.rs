//! `division_*`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use chrono::Datelike;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Argument, Dates, Rows, Section, date, scalar, text, text_to_text};
use crate::functions::calendar::china_time::from_days;
use crate::functions::gov_codes::divisions::{DivisionCode, Divisions, Level};

const SECTION: Section = Section("Administrative divisions");
const CODE_ON: &[Argument] = &[text("code"), date("on").optional()];
const CODE_LEVEL_ON: &[Argument] = &[text("code"), text("level"), date("on").optional()];
const CODE_ANCESTOR: &[Argument] = &[text("code"), text("ancestor")];
const CODE_ON_RECORDED: &[Argument] = &[text("code"), date("on").optional(), date("recorded_on").optional()];

pub(super) fn scalar_functions(divisions: &Arc<Divisions>) -> Vec<ScalarUDF> {
    let function =
        |name, arguments, returns, description: &str, body: fn(&Divisions, &Rows<'_>) -> Result<ArrayRef>| {
            let divisions = divisions.clone();
            scalar(SECTION, name, arguments, returns, description, move |rows| body(&divisions, rows))
        };
    let (for_level, for_edition) = (divisions.clone(), divisions.clone());
    vec![
        function(
            "division_name",
            CODE_ON,
            DataType::Utf8,
            "The division's name in the year of the day, or its last name; NULL when the code was not in use.",
            name,
        ),
        function(
            "division_full_path",
            CODE_ON,
            DataType::Utf8,
            "The names from the province down, as in 吉林省长春市朝阳区.",
            full_path,
        ),
        function(
            "division_parent",
            CODE_ON,
            DataType::Utf8,
            "The code of the division directly above; of a county under no prefecture, the province.",
            parent,
        ),
        function(
            "division_ancestor",
            CODE_LEVEL_ON,
            DataType::Utf8,
            "The code of the division of a level (province, prefecture, county or township) that the code is or lies in.",
            ancestor,
        ),
        text_to_text(
            SECTION,
            "division_level",
            "code",
            "province, prefecture, county or township; NULL for a code that was never in use.",
            move |code| Some(for_level.level(DivisionCode::parse(code)?)?.name().into()),
        ),
        text_to_text(
            SECTION,
            "division_edition",
            "code",
            "Where the division is known from: 1981-2024 for the yearly lists, 2023 for that edition alone (townships, zones).",
            move |code| Some(for_edition.edition(DivisionCode::parse(code)?)?.name().into()),
        ),
        function(
            "division_is_within",
            CODE_ANCESTOR,
            DataType::Boolean,
            "True when the code is the ancestor or lies below it by its digits; NULL when one of them is no code.",
            is_within,
        ),
        function(
            "division_successor",
            CODE_ON_RECORDED,
            DataType::Utf8,
            "The code in use on the day (or now) that took over the whole of the code recorded on a day; NULL when it was split or dissolved.",
            successor,
        ),
        function(
            "division_successors",
            CODE_ON_RECORDED,
            DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            "All codes in use on the day (or now) that took over the code wholly or in part, those of the whole first.",
            successors,
        ),
    ]
}

/// The years of an optional date argument.
struct Years(Option<Dates>);

impl Years {
    fn try_new(rows: &Rows<'_>, position: usize) -> Result<Self> {
        Ok(Self(rows.has(position).then(|| rows.date(position)).transpose()?))
    }

    /// None when the row's day is NULL, and so its answer; Some(None) when the argument was left out.
    fn get(&self, row: usize) -> Option<Option<i32>> {
        match &self.0 {
            None => Some(None),
            Some(days) => Some(Some(from_days(days.get(row)?)?.year())),
        }
    }
}

/// "Now" for a successor: the last state that is known.
const NOW: i32 = i32::MAX - 1;

fn name(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, years) = (rows.text(0)?, Years::try_new(rows, 1)?);
    let name = |row| divisions.name(DivisionCode::parse(codes.get(row)?)?, years.get(row)?);
    Ok(Arc::new(rows.iter().map(name).collect::<StringArray>()))
}

fn full_path(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, years) = (rows.text(0)?, Years::try_new(rows, 1)?);
    let mut paths = StringBuilder::with_capacity(rows.iter().len(), rows.iter().len() * 27);
    let mut path = String::new();
    for row in rows.iter() {
        path.clear();
        let code = codes.get(row).and_then(DivisionCode::parse);
        match (code, years.get(row)) {
            (Some(code), Some(year)) if divisions.write_full_path(code, year, &mut path) => paths.append_value(&path),
            _ => paths.append_null(),
        }
    }
    Ok(Arc::new(paths.finish()))
}

fn parent(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, years) = (rows.text(0)?, Years::try_new(rows, 1)?);
    let parent = |row| Some(divisions.parent(DivisionCode::parse(codes.get(row)?)?, years.get(row)?)?.text());
    Ok(Arc::new(rows.iter().map(parent).collect::<StringArray>()))
}

fn ancestor(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, levels, years) = (rows.text(0)?, rows.text(1)?, Years::try_new(rows, 2)?);
    let ancestor = |row| {
        let Some(level) = levels.get(row) else { return Ok(None) };
        let level = Level::parse(level).ok_or_else(|| {
            exec_datafusion_err!("`{level}` is no level of divisions: write province, prefecture, county or township")
        })?;
        let find = || Some(divisions.ancestor(DivisionCode::parse(codes.get(row)?)?, level, years.get(row)?)?.text());
        Ok(find())
    };
    Ok(Arc::new(rows.iter().map(ancestor).collect::<Result<StringArray>>()?))
}

fn is_within(_: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, ancestors) = (rows.text(0)?, rows.text(1)?);
    let is_within = |row| {
        let (code, ancestor) = (DivisionCode::parse(codes.get(row)?)?, DivisionCode::parse(ancestors.get(row)?)?);
        Some(code.is_within(ancestor))
    };
    Ok(Arc::new(rows.iter().map(is_within).collect::<BooleanArray>()))
}

fn successor(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, years, recorded) = (rows.text(0)?, Years::try_new(rows, 1)?, Years::try_new(rows, 2)?);
    let successor = |row| {
        let code = DivisionCode::parse(codes.get(row)?)?;
        Some(divisions.successor(code, years.get(row)?.unwrap_or(NOW), recorded.get(row)?)?.text())
    };
    Ok(Arc::new(rows.iter().map(successor).collect::<StringArray>()))
}

fn successors(divisions: &Divisions, rows: &Rows<'_>) -> Result<ArrayRef> {
    let (codes, years, recorded) = (rows.text(0)?, Years::try_new(rows, 1)?, Years::try_new(rows, 2)?);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows.iter() {
        let code = codes.get(row).and_then(DivisionCode::parse);
        let (Some(code), Some(year), Some(recorded)) = (code, years.get(row), recorded.get(row)) else {
            lists.append_null();
            continue;
        };
        for heir in divisions.successors(code, year.unwrap_or(NOW), recorded) {
            lists.values().append_value(heir.text());
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
