//! What can be checked across the project's files without an engine: names, duplicates, references to columns.

use std::collections::{HashMap, HashSet};

use chrono::{Datelike, NaiveDate};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use super::suggest::nearest;
use crate::catalog::{ColumnType, SharingType, TableDef, TableName, ViewDef, is_identifier};
use crate::functions::calendar::CalendarYearDef;
use crate::semantic::SemanticModelDef;

/// Schemas that the engine keeps for itself.
const RESERVED_SCHEMAS: [&str; 2] = ["system", "information_schema"];
const IDENTIFIER_HINT: &str = "use lower-case letters, digits and underscores, beginning with a letter, 63 at the most";

/// Keeps the documents without faults; the others' faults go to `diagnostics`.
pub(super) fn keep_sound<T>(
    documents: &mut Vec<Document<T>>,
    diagnostics: &mut Diagnostics,
    mut check: impl FnMut(&Document<T>) -> Vec<Diagnostic>,
) {
    documents.retain(|document| {
        let faults = check(document);
        let sound = faults.is_empty();
        faults.into_iter().for_each(|fault| diagnostics.push(fault));
        sound
    });
}

/// Names of tables and views are unique together and lie in no schema of the engine's; contracts are consistent.
pub(super) fn check_relations(
    tables: &mut Vec<Document<TableDef>>,
    views: &mut Vec<Document<ViewDef>>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: HashMap<TableName, String> = HashMap::new();
    keep_sound(tables, diagnostics, |table| {
        let mut faults = name_faults(table, &table.def.name, "table", &mut seen);
        faults.extend(table_faults(table));
        faults
    });
    keep_sound(views, diagnostics, |view| name_faults(view, &view.def.name, "view", &mut seen));
}

fn name_faults<T>(
    document: &Document<T>,
    name: &TableName,
    kind: &str,
    seen: &mut HashMap<TableName, String>,
) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    if RESERVED_SCHEMAS.contains(&name.schema()) {
        let message = format!("schema `{}` belongs to the engine", name.schema());
        faults.push(document.fault(&["name"], message).with_hint("name the schema for the agency that owns the data"));
    }
    match seen.get(name) {
        Some(first) => {
            let message = format!("{kind} `{name}` is declared twice, first in {first}");
            faults.push(document.fault(&["name"], message).with_hint("rename one of them"));
        }
        None => {
            seen.insert(name.clone(), document.place_of(&["name"]));
        }
    }
    faults
}

fn table_faults(table: &Document<TableDef>) -> Vec<Diagnostic> {
    let def = &table.def;
    let mut faults = column_faults(table);
    for (key, names) in
        [("primary_key", &def.primary_key), ("partition_by", &def.partition_by), ("sort_by", &def.sort_by)]
    {
        let mut seen = HashSet::new();
        for (index, name) in names.iter().enumerate() {
            let path = [key, &index.to_string()];
            if def.column(name).is_none() {
                faults.push(unknown_column(table, &path, name));
            } else if !seen.insert(name) {
                faults.push(table.fault(&path, format!("column `{name}` is named twice in `{key}`")));
            }
        }
    }
    if !def.columns.is_empty() && def.columns.iter().all(|column| def.partition_by.contains(&column.name)) {
        let message = "every column is a partition column";
        faults.push(table.fault(&["partition_by"], message).with_hint("leave at least one column to the data files"));
    }
    if let Some(name) = def.freshness.as_ref().and_then(|freshness| freshness.column.as_ref()) {
        let path = ["freshness", "column"];
        match def.column(name).map(|column| column.column_type) {
            None => faults.push(unknown_column(table, &path, name)),
            Some(ColumnType::Date | ColumnType::Timestamp) => {}
            Some(other) => {
                let message = format!("column `{name}` is of type {other} and cannot tell the data date");
                faults.push(table.fault(&path, message).with_hint("name a date or timestamp column"));
            }
        }
    }
    if def.sharing_conditions.as_deref().is_none_or(|text| text.trim().is_empty()) {
        let hint = match def.sharing {
            SharingType::Unconditional => None,
            SharingType::Conditional => Some("say under which conditions other agencies may have it"),
            SharingType::None => Some("give the legal basis of the refusal"),
        };
        if let Some(hint) = hint {
            let message = "this sharing type needs `sharing_conditions`";
            faults.push(table.fault(&["sharing"], message).with_hint(hint));
        }
    }
    faults
}

fn column_faults(table: &Document<TableDef>) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    if table.def.columns.is_empty() {
        faults.push(table.fault(&["columns"], "a table needs at least one column"));
    }
    for (index, column) in table.def.columns.iter().enumerate() {
        let position = index.to_string();
        let path = ["columns", position.as_str(), "name"];
        if !is_identifier(&column.name) {
            faults.push(not_an_identifier(table, &path, &column.name, "column"));
        }
        if let Some(first) = seen.get(column.name.as_str()) {
            let first = table.place_of(&["columns", &first.to_string(), "name"]);
            faults.push(table.fault(&path, format!("column `{}` is declared twice, first in {first}", column.name)));
        } else {
            seen.insert(&column.name, index);
        }
        if column.code_list.is_some() && column.column_type != ColumnType::Text {
            let message = format!("column `{}` has a code list and is not text", column.name);
            let path = ["columns", position.as_str(), "type"];
            faults.push(table.fault(&path, message).with_hint("codes are text: they may begin with a zero"));
        }
    }
    faults
}

fn unknown_column(table: &Document<TableDef>, path: &[&str], name: &str) -> Diagnostic {
    let columns = table.def.columns.iter().map(|column| column.name.as_str());
    let suggestion = nearest(name, columns.clone()).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    let message = format!("unknown column `{name}`{suggestion}");
    table.fault(path, message).with_hint(format!("columns: {}", columns.collect::<Vec<_>>().join(", ")))
}

pub(super) fn not_an_identifier<T>(document: &Document<T>, path: &[&str], name: &str, kind: &str) -> Diagnostic {
    document.fault(path, format!("`{name}` is not a {kind} name")).with_hint(IDENTIFIER_HINT)
}

/// Names within a semantic model are identifiers; metric names are unique in the whole project.
pub(super) fn check_models(models: &mut Vec<Document<SemanticModelDef>>, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<String, String> = HashMap::new();
    keep_sound(models, diagnostics, |model| {
        let def = &model.def;
        let mut faults = Vec::new();
        let dimensions = def.dimensions.keys().map(|name| ("dimensions", "dimension", name));
        let measures = def.measures.keys().map(|name| ("measures", "measure", name));
        let metrics = def.metrics.keys().map(|name| ("metrics", "metric", name));
        for (key, kind, name) in dimensions.chain(measures).chain(metrics) {
            if !is_identifier(name) {
                faults.push(not_an_identifier(model, &[key, name], name, kind));
            }
        }
        for name in def.metrics.keys() {
            let path = ["metrics", name.as_str()];
            if let Some(first) = seen.get(name) {
                let message = format!("metric `{name}` is declared twice, first in {first}");
                faults.push(model.fault(&path, message).with_hint("metric names are unique in the whole project"));
            } else {
                seen.insert(name.clone(), model.place_of(&path));
            }
        }
        faults
    });
}

/// Each year has one notice, each day one meaning.
pub(super) fn check_calendar(calendar: &mut Vec<Document<CalendarYearDef>>, diagnostics: &mut Diagnostics) {
    let mut years: HashMap<i32, String> = HashMap::new();
    let mut days: HashMap<NaiveDate, String> = HashMap::new();
    keep_sound(calendar, diagnostics, |file| {
        let year = file.def.year;
        let mut faults = Vec::new();
        match years.get(&year) {
            Some(first) => {
                faults.push(file.fault(&["year"], format!("year {year} is declared twice, first in {first}")));
            }
            None => {
                years.insert(year, file.place_of(&["year"]));
            }
        }
        for (index, day) in file.def.days.iter().enumerate() {
            let path = ["days", &index.to_string(), "date"];
            let Some(date) = iso_date(&day.date) else {
                let message = format!("`{}` is not a date", day.date);
                faults.push(file.fault(&path, message).with_hint("write YYYY-MM-DD"));
                continue;
            };
            if (date.year() - year).abs() > 1 {
                let message = format!("{date} is not a day of {year} or of a neighbouring year");
                faults.push(file.fault(&path, message));
            }
            if let Some(first) = days.get(&date) {
                faults.push(file.fault(&path, format!("{date} is declared twice, first in {first}")));
            } else {
                days.insert(date, file.place_of(&path));
            }
        }
        faults
    });
}

/// A date written exactly as `YYYY-MM-DD`; chrono alone would also take `2027-1-1`.
fn iso_date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (date.to_string() == text).then_some(date)
}
