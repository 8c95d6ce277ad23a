//! Alerts and how they stand.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;

use super::shared::Bilingual;

/// How an alert stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlertWord {
    Never,
    Failed,
    Firing,
    Ok,
}

/// How bad it is.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum AlertSeverity {
    Info,
    Warning,
    Critical,
}

/// Where more is told of an alert.
#[derive(ToSchema)]
pub(crate) struct AlertLinks {
    /// Its definition and state.
    definition: String,
}

/// The alerts.
#[derive(ToSchema)]
pub(crate) struct AlertList {
    /// In the order of their names.
    alerts: Vec<AlertSummary>,
}

/// An alert in a list.
#[derive(ToSchema)]
pub(crate) struct AlertSummary {
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// The metric.
    metric: String,
    /// Its rule in words.
    bounds: Bilingual,
    /// How bad it is.
    severity: AlertSeverity,
    /// Who answers for it.
    owner: String,
    /// How it stood when it was evaluated last.
    status: AlertWord,
    /// Groups that are out of bounds.
    firing: u64,
    /// Groups that were judged.
    groups: u64,
    /// When it was evaluated last.
    evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be evaluated.
    error: Option<String>,
    /// Where more is told.
    links: AlertLinks,
}

/// An alert and how each group stands.
#[derive(ToSchema)]
pub(crate) struct AlertDetail {
    /// Name.
    name: String,
    /// How it stood when it was evaluated last.
    status: AlertWord,
    /// As it is declared.
    definition: HashMap<String, Value>,
    /// Its rule in words.
    bounds: Bilingual,
    /// When it was evaluated last.
    evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be evaluated.
    error: Option<String>,
    /// The tables that it was evaluated over.
    tables: Vec<AlertTable>,
    /// Every group of the last answer.
    groups: Vec<AlertGroup>,
    /// Notices that were not delivered yet.
    waiting: u64,
    /// What happened, newest first; the latest hundred events.
    history: Vec<AlertEvent>,
    /// Where this is told.
    links: AlertLinks,
}

/// A table as an evaluation found it.
#[derive(ToSchema)]
pub(crate) struct AlertTable {
    /// The table.
    table: String,
    /// The version that was read.
    version: u64,
    /// When its rows were changed last; none where that lies further back than was looked.
    data_committed_at: Option<DateTime<Utc>>,
}

/// What is known of one group.
#[derive(ToSchema)]
pub(crate) struct AlertGroup {
    /// Its values by dimension; empty for the whole.
    group: HashMap<String, Option<String>>,
    /// Names of its divisions.
    names: HashMap<String, String>,
    /// How it stands.
    status: GroupStatus,
    /// Since when it is out of bounds.
    since: Option<DateTime<Utc>>,
    /// Evaluations in succession that found it out of bounds.
    in_succession: u32,
    /// What was found last.
    last: AlertFinding,
    /// When somebody was told of it last.
    notified_at: Option<DateTime<Utc>>,
}

/// How a group stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum GroupStatus {
    Ok,
    Firing,
}

/// A figure that was judged.
#[derive(ToSchema)]
pub(crate) struct AlertFinding {
    /// Whether the rule is broken; none where that cannot be told.
    breaks: Option<bool>,
    /// The figure, as metrics write it; the newest day where the rule is about the age of data.
    value: Option<String>,
    /// First day of its period.
    period: Option<String>,
    /// The figure that it was compared with.
    base: Option<f64>,
    /// The change against that one.
    change: Option<f64>,
    /// Working days since the newest data.
    age_working_days: Option<i64>,
    /// Why it cannot be told, or what is missing.
    reason: Option<String>,
}

/// Something that happened.
#[derive(ToSchema)]
pub(crate) struct AlertEvent {
    /// What.
    event: AlertEventKind,
    /// When.
    at: DateTime<Utc>,
    /// To which group; none for the alert as a whole.
    group: Option<HashMap<String, Option<String>>>,
    /// What was found.
    finding: Option<AlertFinding>,
    /// Why it could not be evaluated.
    error: Option<String>,
}

/// What happened.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlertEventKind {
    Firing,
    Resolved,
    Failed,
}
