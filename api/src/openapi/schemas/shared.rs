//! What replies of several kinds have in common.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Position;

/// A text in both languages.
#[derive(ToSchema)]
pub(crate) struct Bilingual {
    /// Chinese.
    zh: String,
    /// English.
    en: String,
}

/// A table as one query saw it.
#[derive(ToSchema)]
pub(crate) struct TableVersion {
    /// The table.
    name: String,
    /// Version of its Delta log.
    version: u64,
    /// When that version was committed.
    committed_at: Option<DateTime<Utc>>,
}

/// A column of a result.
#[derive(ToSchema)]
pub(crate) struct ResultColumn {
    /// Its name.
    name: String,
    /// Its type, as in `decimal(38,6)`.
    r#type: String,
    /// Whether a value may be missing.
    nullable: bool,
}

/// Rows, their types, and what they rest on.
#[derive(ToSchema)]
pub(crate) struct QueryReply {
    /// The query's id.
    query_id: Uuid,
    /// The tables it rests on, each at one version.
    tables: Vec<TableVersion>,
    /// The columns in order.
    schema: Vec<ResultColumn>,
    /// The rows, each with every column. 64-bit integers and decimals are strings unless `numbers=native`.
    rows: Vec<HashMap<String, Value>>,
    /// Rows in this reply.
    row_count: u64,
    /// Rows were left out because of a limit.
    truncated: bool,
}

/// The days that something covers: so many periods up to an end, or two dates.
#[derive(ToSchema)]
pub(crate) struct RangeDays {
    /// So many calendar periods, as in `12 months`.
    last: Option<String>,
    /// What `last` counts back from.
    until: Option<RangeEnd>,
    /// First day, inclusive.
    from: Option<String>,
    /// Last day, inclusive.
    to: Option<String>,
}

/// The end that a range counts back from.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum RangeEnd {
    /// Today, in China.
    Today,
    /// The last day for which the metric has data.
    Data,
}

/// Why one entry among several has no answer. What belongs to the request as a whole is left out.
#[derive(ToSchema)]
pub(crate) struct EntryProblem {
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// The stable code.
    code: String,
    /// What happened.
    detail: String,
    /// The same question may succeed later.
    retryable: bool,
    /// What to do about it.
    #[schema(nullable = false)]
    hint: Option<String>,
    /// The place in the SQL.
    #[schema(nullable = false)]
    position: Option<Position>,
}

/// Length of a period.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(crate) enum TimeGrain {
    Hour,
    Day,
    WorkingDay,
    Week,
    Month,
    Quarter,
    Year,
}

/// How old division codes are read.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RegionMode {
    AsWas,
    AsIs,
}
