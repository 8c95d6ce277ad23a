//! `system.alerts`: the declared alerts, a row for each group, as the last evaluation left them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use futures::future::try_join_all;

use super::listing::{counts, instants, texts, word};
use super::{count, field, instant, internal, required, schema, text};
use crate::alert::{AlertDef, AlertState, GroupState, StoredAlert};
use crate::catalog::catalog::Catalog;
use crate::error::Result;
use crate::policy::Principal;

/// States that are read at the same time.
const READ_AT_ONCE: usize = 16;

/// Columns of `system.alerts`.
pub(super) fn alerts_schema() -> SchemaRef {
    schema(vec![
        required(text("alert")),
        required(text("title_zh")),
        required(text("title_en")),
        required(text("metric")),
        required(text("rule")),
        required(text("bounds_zh")),
        required(text("bounds_en")),
        required(text("severity")),
        required(text("owner")),
        required(text("status")),
        instant("evaluated_at"),
        text("error"),
        required(text("tables")),
        required(count("waiting")),
        text("group_values"),
        text("group_status"),
        instant("since"),
        text("value"),
        text("period"),
        field("base", DataType::Float64, true),
        field("change", DataType::Float64, true),
        count("age_working_days"),
        text("reason"),
        count("in_succession"),
        instant("notified_at"),
    ])
}

/// One row: an alert with one of its groups, or with none where none is known.
struct Row<'a> {
    alert: &'a AlertDef,
    state: Option<&'a AlertState>,
    group: Option<&'a GroupState>,
}

/// The alerts as far as `principal` is told of them.
pub(super) async fn alerts(catalog: &Catalog, alerts: &[&AlertDef], principal: &Principal) -> Result<RecordBatch> {
    let mut states = Vec::with_capacity(alerts.len());
    for some in alerts.chunks(READ_AT_ONCE) {
        let stored = some.iter().map(|alert| StoredAlert::load(catalog.storage(), &alert.name));
        states.extend(try_join_all(stored).await?.into_iter().map(|stored| stored.told_to(principal)));
    }
    let mut rows = Vec::new();
    for (alert, state) in alerts.iter().zip(&states) {
        let state = state.as_ref();
        let groups = state.map(|state| state.groups.as_slice()).unwrap_or_default();
        rows.extend(groups.iter().map(|group| Row { alert, state, group: Some(group) }));
        if groups.is_empty() {
            rows.push(Row { alert, state, group: None });
        }
    }
    batch(&rows)
}

fn batch(rows: &[Row<'_>]) -> Result<RecordBatch> {
    let of_alert = |of: fn(&AlertDef) -> String| texts(rows.iter().map(|row| Some(of(row.alert))));
    let of_group = |of: fn(&GroupState) -> Option<String>| texts(rows.iter().map(|row| of(row.group?)));
    let number = |of: fn(&GroupState) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row.group?)).collect::<Float64Array>())
    };
    let ages: Int64Array = rows.iter().map(|row| row.group?.last.age_working_days).collect();
    let columns: Vec<ArrayRef> = vec![
        of_alert(|alert| alert.name.clone()),
        of_alert(|alert| alert.title.zh.clone()),
        of_alert(|alert| alert.title.en.clone()),
        of_alert(|alert| alert.metric.clone()),
        of_alert(|alert| alert.rule.kind().to_owned()),
        of_alert(|alert| alert.rule.words().zh),
        of_alert(|alert| alert.rule.words().en),
        of_alert(|alert| alert.severity.name().to_owned()),
        of_alert(|alert| alert.owner.clone()),
        texts(rows.iter().map(|row| Some(AlertState::word(row.state)))),
        instants(rows.iter().map(|row| row.state?.evaluated_at)),
        texts(rows.iter().map(|row| row.state?.error.as_ref())),
        texts(rows.iter().map(|row| Some(tables(row.state)))),
        counts(rows.iter().map(|row| Some(row.state.map_or(0, |state| state.waiting.len() as u64)))),
        of_group(|group| serde_json::to_string(&group.group).ok()),
        of_group(|group| word(&group.status)),
        instants(rows.iter().map(|row| row.group?.since)),
        of_group(|group| group.last.value.clone()),
        of_group(|group| group.last.period.clone()),
        number(|group| group.last.base),
        number(|group| group.last.change),
        Arc::new(ages),
        of_group(|group| group.last.reason.clone()),
        counts(rows.iter().map(|row| Some(u64::from(row.group?.in_succession)))),
        instants(rows.iter().map(|row| row.group?.notified_at)),
    ];
    RecordBatch::try_new(alerts_schema(), columns).map_err(internal)
}

/// The tables of the last evaluation as `system.queries` writes those of a query.
fn tables(state: Option<&AlertState>) -> String {
    let tables = state.map(|state| state.tables.as_slice()).unwrap_or_default().iter();
    let tables = tables.map(|table| serde_json::json!({"table": table.table.to_string(), "version": table.version}));
    serde_json::Value::from(tables.collect::<Vec<_>>()).to_string()
}
