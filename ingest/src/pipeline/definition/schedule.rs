//! `schedule` of a pipeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use xiangyun_engine::functions::calendar::ScheduleDays;

/// When a pipeline runs by itself, under `xiangyun run` or a server that works the schedule. One of `cron`, `after`
/// and `on_arrival` at least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleDef {
    /// Five fields: minute, hour, day of month, month, day of week; as in `0 6 * * *`.
    pub cron: Option<String>,
    /// IANA name of the zone in which `cron` is read.
    #[serde(default = "shanghai")]
    pub time_zone: String,
    /// The days on which `cron` counts.
    #[serde(default)]
    pub days: ScheduleDays,
    /// Due when one of these pipelines has loaded something since this one last ran.
    #[serde(default)]
    pub after: Vec<String>,
    /// Due when files of the source have come or changed.
    pub on_arrival: Option<ArrivalDef>,
    /// What becomes of the times of `cron` at which nobody worked the schedule.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What is done after a failure that may pass by itself.
    #[serde(default)]
    pub retry: RetryDef,
    /// Seconds that one attempt may take.
    #[serde(default = "six_hours")]
    pub timeout_seconds: u64,
}

impl Default for ScheduleDef {
    /// Due at no time.
    fn default() -> Self {
        Self {
            cron: None,
            time_zone: shanghai(),
            days: ScheduleDays::default(),
            after: Vec::new(),
            on_arrival: None,
            catch_up: CatchUp::default(),
            retry: RetryDef::default(),
            timeout_seconds: six_hours(),
        }
    }
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn six_hours() -> u64 {
    6 * 3600
}

/// How files that arrive are noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrivalDef {
    /// Seconds between two looks. Files are loaded once they have stayed the same from one look to the next, so that
    /// none is read while it is still being written.
    #[serde(default = "half_a_minute")]
    pub look_every_seconds: u64,
}

fn half_a_minute() -> u64 {
    30
}

/// What becomes of times that were missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// The latest of them is made up for. A pipeline that never ran is due at once.
    #[default]
    Latest,
    /// Each of them is made up for, oldest first, a thousand at the most.
    All,
    /// None is: a time counts only if the schedule is worked within the minute.
    None,
}

/// Repetition after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryDef {
    /// Attempts in all. Only failures that may pass by themselves are repeated: a store or a server out of reach,
    /// another writer that won; never rows that break the contract.
    #[serde(default = "three")]
    pub attempts: u32,
    /// Seconds before the second attempt; each further wait is twice as long, up to an hour.
    #[serde(default = "half_a_minute")]
    pub wait_seconds: u64,
}

fn three() -> u32 {
    3
}

impl Default for RetryDef {
    fn default() -> Self {
        Self { attempts: three(), wait_seconds: half_a_minute() }
    }
}
