//! The reference pages and published schemas say what the types say.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::alert::AlertDef;
use crate::catalog::{TableDef, ViewDef};
use crate::dashboard::DashboardDef;
use crate::functions::calendar::CalendarYearDef;
use crate::project::{Resource, json_schema};
use crate::semantic::SemanticModelDef;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Compares `docs/schema/<page>.json` with the type, or writes it when `UPDATE_DOCS` is set; then looks for every key
/// and every listed value of the schema, in backticks, on `docs/<page>.md`.
fn agrees<T: Resource>(page: &str, schema_name: &str) {
    let schema = json_schema::<T>();
    let file = docs().join("schema").join(format!("{schema_name}.json"));
    let generated = format!("{schema:#}\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(docs().join("schema")).unwrap();
        fs::write(&file, &generated).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == generated, "docs/schema/{schema_name}.json is stale: run the tests with UPDATE_DOCS=1");
    let text = fs::read_to_string(docs().join(format!("{page}.md"))).unwrap();
    let mut words = Vec::new();
    collect_words(&schema, &mut words);
    let missing: Vec<_> = words.iter().filter(|word| !text.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/{page}.md does not mention {missing:?}");
}

/// The keys of all properties and the texts of all enums.
fn collect_words(schema: &Value, words: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                words.extend(properties.keys().cloned());
            }
            words.extend(map.get("const").and_then(Value::as_str).map(str::to_owned));
            let listed = map.get("enum").and_then(Value::as_array).into_iter().flatten();
            words.extend(listed.filter_map(Value::as_str).map(str::to_owned));
            map.values().for_each(|child| collect_words(child, words));
        }
        Value::Array(items) => items.iter().for_each(|child| collect_words(child, words)),
        _ => {}
    }
}

#[test]
fn tables_md_and_its_schema_agree_with_the_type() {
    agrees::<TableDef>("tables", "table");
}

#[test]
fn views_md_and_its_schema_agree_with_the_type() {
    agrees::<ViewDef>("views", "view");
}

#[test]
fn metrics_md_and_its_schema_agree_with_the_type() {
    agrees::<SemanticModelDef>("metrics", "metrics");
}

#[test]
fn calendar_md_and_its_schema_agree_with_the_type() {
    agrees::<CalendarYearDef>("calendar", "calendar");
}

#[test]
fn dashboards_md_and_its_schema_agree_with_the_type() {
    agrees::<DashboardDef>("dashboards", "dashboard");
}

#[test]
fn alerts_md_and_its_schema_agree_with_the_type() {
    agrees::<AlertDef>("alerts", "alert");
}
