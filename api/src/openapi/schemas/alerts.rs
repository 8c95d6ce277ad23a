//! Alerts and how they stand.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use utoipa::ToSchema;

use super::shared::{Bilingual, RangeDays, RegionMode, TimeGrain};

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
    definition: AlertDefinition,
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

/// An alert as it is declared.
#[derive(ToSchema)]
pub(crate) struct AlertDefinition {
    /// Version of the file's format.
    version: u32,
    /// Name.
    name: String,
    /// Title.
    title: Bilingual,
    /// What to make of it.
    description: Option<Bilingual>,
    /// The metric.
    metric: String,
    /// Dimensions to group by: each group is judged by itself.
    by: Vec<String>,
    /// Length of a period; none gives one figure over the whole range.
    grain: Option<TimeGrain>,
    /// The days that are asked for.
    range: Option<RangeDays>,
    /// A condition over dimensions.
    r#where: Option<String>,
    /// How regions are read.
    regions: Option<RegionMode>,
    /// When the figure is out of bounds.
    rule: AlertRule,
    /// Periods, or without a grain evaluations, in succession that break the rule before it counts.
    r#for: u32,
    /// Whether the period that has not ended yet is judged too.
    running: bool,
    /// How bad it is.
    severity: AlertSeverity,
    /// Who answers for it.
    owner: String,
    /// The connection that notices are posted to; the setting `jobs.webhook` unless said.
    webhook: Option<String>,
    /// Hours after which a notice is repeated as long as it holds.
    repeat_hours: Option<u32>,
    /// The times at which it is evaluated; after each load unless said.
    schedule: Option<AlertSchedule>,
}

/// When a figure is out of bounds.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum AlertRule {
    /// It lies above or below a bound.
    Threshold {
        /// Out of bounds when it is greater.
        above: Option<f64>,
        /// Out of bounds when it is less.
        below: Option<f64>,
    },
    /// It has changed by more than a bound, against earlier periods.
    Change {
        /// Out of bounds when it rose by more.
        rise: Option<f64>,
        /// Out of bounds when it fell by more.
        fall: Option<f64>,
        /// What `rise` and `fall` are.
        r#as: ChangeUnit,
        /// It is compared with the period so many before.
        back: u32,
        /// It is compared with the mean of so many periods, of which that one is the last.
        mean_of: u32,
    },
    /// There is none for a period that has ended, or the newest data are too old.
    Missing {
        /// The newest data may be so many working days old.
        older_than_working_days: Option<u32>,
        /// Working days after a period's end that its data may take.
        grace_working_days: u32,
        /// Values of the one dimension that must be there although they were never seen.
        expect: Vec<String>,
    },
}

/// What a change is told in.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum ChangeUnit {
    Ratio,
    Difference,
}

/// The times at which an alert is evaluated.
#[derive(ToSchema)]
pub(crate) struct AlertSchedule {
    /// Five fields: minute, hour, day of month, month, day of week.
    cron: String,
    /// The zone in which `cron` is read.
    time_zone: String,
    /// The days on which `cron` counts.
    days: ScheduleDays,
}

/// The days on which a schedule counts.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum ScheduleDays {
    Every,
    Working,
    Off,
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
