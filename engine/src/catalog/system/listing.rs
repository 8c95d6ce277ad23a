//! `system.tables`, `system.columns` and `system.snapshots`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{count, field, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::catalog::summary::{ColumnDetail, CommitSummary};
use crate::catalog::table_name::TableName;
use crate::error::Result;

pub(super) fn tables_schema() -> SchemaRef {
    schema(vec![
        required(text("schema_name")),
        required(text("table_name")),
        required(text("kind")),
        text("title_zh"),
        text("title_en"),
        text("agency"),
        required(field("synthetic", DataType::Boolean, false)),
        text("level"),
        text("sharing"),
        count("version"),
        instant("committed_at"),
        count("rows"),
        count("files"),
        count("size_bytes"),
        text("drift"),
    ])
}

pub(super) async fn tables(catalog: &Catalog) -> Result<RecordBatch> {
    let mut rows = catalog.summaries().await?;
    rows.extend(catalog.project().views.iter().map(|view| catalog.view_summary(&view.def)));
    rows.sort_by(|left, right| left.name.cmp(&right.name));
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|row| Some(row.name.schema()))),
        texts(rows.iter().map(|row| Some(row.name.table()))),
        texts(rows.iter().map(|row| word(&row.kind))),
        texts(rows.iter().map(|row| not_empty(&row.title.zh))),
        texts(rows.iter().map(|row| not_empty(&row.title.en))),
        texts(rows.iter().map(|row| not_empty(&row.agency))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.synthetic)))),
        texts(rows.iter().map(|row| row.level.as_ref().and_then(word))),
        texts(rows.iter().map(|row| row.sharing.as_ref().and_then(word))),
        counts(rows.iter().map(|row| row.version)),
        instants(rows.iter().map(|row| row.committed_at)),
        counts(rows.iter().map(|row| row.rows)),
        counts(rows.iter().map(|row| row.files)),
        counts(rows.iter().map(|row| row.size_bytes)),
        texts(rows.iter().map(|row| (!row.drift.is_empty()).then(|| row.drift.join("; ")))),
    ];
    RecordBatch::try_new(tables_schema(), columns).map_err(internal)
}

pub(super) fn columns_schema() -> SchemaRef {
    schema(vec![
        required(text("schema_name")),
        required(text("table_name")),
        required(count("position")),
        required(text("column_name")),
        required(text("data_type")),
        required(field("nullable", DataType::Boolean, false)),
        text("title_zh"),
        text("title_en"),
        text("description_zh"),
        text("description_en"),
        text("unit"),
    ])
}

pub(super) async fn columns(catalog: &Catalog) -> Result<RecordBatch> {
    let mut rows: Vec<(TableName, u64, ColumnDetail)> = Vec::new();
    for name in catalog.names().await? {
        let details = catalog.columns(&name).await?;
        rows.extend((1..).zip(details).map(|(position, detail)| (name.clone(), position, detail)));
    }
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|(name, ..)| Some(name.schema()))),
        texts(rows.iter().map(|(name, ..)| Some(name.table()))),
        counts(rows.iter().map(|(_, position, _)| Some(*position))),
        texts(rows.iter().map(|(.., column)| Some(&column.name))),
        texts(rows.iter().map(|(.., column)| Some(&column.column_type))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|(.., column)| Some(column.nullable)))),
        texts(rows.iter().map(|(.., column)| column.title.as_ref().map(|title| &title.zh))),
        texts(rows.iter().map(|(.., column)| column.title.as_ref().map(|title| &title.en))),
        texts(rows.iter().map(|(.., column)| column.description.as_ref().map(|description| &description.zh))),
        texts(rows.iter().map(|(.., column)| column.description.as_ref().map(|description| &description.en))),
        texts(rows.iter().map(|(.., column)| column.unit.as_ref())),
    ];
    RecordBatch::try_new(columns_schema(), columns).map_err(internal)
}

pub(super) fn snapshots_schema() -> SchemaRef {
    schema(vec![
        required(text("schema_name")),
        required(text("table_name")),
        required(count("version")),
        instant("committed_at"),
        text("operation"),
        text("run_id"),
        text("pipeline"),
        count("rows_loaded"),
    ])
}

pub(super) async fn snapshots(catalog: &Catalog) -> Result<RecordBatch> {
    let mut rows: Vec<(TableName, CommitSummary)> = Vec::new();
    for name in catalog.names().await? {
        let history = catalog.history(&name).await?;
        rows.extend(history.into_iter().rev().map(|commit| (name.clone(), commit)));
    }
    let columns: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|(name, _)| Some(name.schema()))),
        texts(rows.iter().map(|(name, _)| Some(name.table()))),
        counts(rows.iter().map(|(_, commit)| Some(commit.version))),
        instants(rows.iter().map(|(_, commit)| commit.committed_at)),
        texts(rows.iter().map(|(_, commit)| commit.operation.as_ref())),
        texts(rows.iter().map(|(_, commit)| commit.run.as_ref().map(|run| &run.run_id))),
        texts(rows.iter().map(|(_, commit)| commit.run.as_ref().map(|run| &run.pipeline))),
        counts(rows.iter().map(|(_, commit)| commit.run.as_ref().map(|run| run.rows_loaded))),
    ];
    RecordBatch::try_new(snapshots_schema(), columns).map_err(internal)
}

pub(super) fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(super) fn counts(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.and_then(|value| i64::try_from(value).ok())).collect::<Int64Array>())
}

pub(super) fn instants(values: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let micros = values.map(|value| value.map(|instant| instant.timestamp_micros()));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn not_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A value in the spelling that project files and replies use.
pub(super) fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned))
}
