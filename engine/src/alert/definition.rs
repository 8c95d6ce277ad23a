//! `alerts/*.toml`: one alert a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::Bilingual;
use crate::dashboard::RangeDef;
use crate::functions::calendar::ScheduleDays;
use crate::project::Resource;
use crate::semantic::{RegionMode, TimeGrain};

/// `alerts/*.toml`: a figure that somebody is told of when it is out of bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Name, unique among the alerts; part of its address.
    pub name: String,
    /// Title shown to people, and the head of each notice.
    pub title: Bilingual,
    /// What to make of it, in words.
    pub description: Option<Bilingual>,
    /// The metric.
    pub metric: String,
    /// Dimensions to group by: each group is judged by itself.
    #[serde(default)]
    pub by: Vec<String>,
    /// Length of a period; none gives one figure over the whole range.
    pub grain: Option<TimeGrain>,
    /// The days that are asked for. With a grain as many periods as the rule needs unless said, without one all there are.
    pub range: Option<RangeDef>,
    /// A condition over dimensions, as in `channel = 'online'`.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// How regions are read; `as_was` unless said.
    pub regions: Option<RegionMode>,
    /// When the figure is out of bounds.
    pub rule: RuleDef,
    /// With a grain: periods in succession that break the rule before it counts. Without one: evaluations in succession.
    #[serde(rename = "for", default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub lasting: u32,
    /// Whether the period that has not ended yet is judged too.
    #[serde(default)]
    pub running: bool,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// Who answers for it.
    pub owner: String,
    /// The connection that notices are posted to; the setting `jobs.webhook` unless said.
    pub webhook: Option<String>,
    /// Hours after which a notice is repeated as long as it holds; once unless said.
    #[schemars(range(min = 1, max = 8784))]
    pub repeat_hours: Option<u32>,
    /// The times at which it is evaluated. Unless said it is after each load of the tables that the metric reads, and
    /// on each new day.
    pub schedule: Option<AlertScheduleDef>,
}

fn one() -> u32 {
    1
}

impl Resource for AlertDef {
    const FOLDER: &'static str = "alerts";
    const KIND: &'static str = "alert";
    const VERSION: u32 = 1;
}

impl AlertDef {
    /// Differs between definitions that may judge differently.
    pub fn fingerprint(&self) -> String {
        // Texts for people and who is told do not change what is found.
        let judged = (&self.metric, &self.by, self.grain, &self.range, &self.filter, self.regions);
        let judging = (&self.rule, self.lasting, self.running, &self.schedule);
        let text = serde_json::to_string(&(judged, judging)).unwrap_or_default();
        Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Evaluations in succession that must break the rule: with a grain the periods of one answer are counted instead.
    pub(crate) fn evaluations(&self) -> u32 {
        if self.grain.is_some() { 1 } else { self.lasting }
    }
}

/// When a figure is out of bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RuleDef {
    /// The figure lies above or below a bound.
    Threshold {
        /// It breaks the rule when it is greater than this.
        above: Option<f64>,
        /// It breaks the rule when it is less than this.
        below: Option<f64>,
    },
    /// The figure has changed by more than a bound, against earlier periods. Needs `grain`.
    Change {
        /// It breaks the rule when it rose by more than this.
        rise: Option<f64>,
        /// It breaks the rule when it fell by more than this.
        fall: Option<f64>,
        /// What `rise` and `fall` are.
        #[serde(rename = "as", default)]
        unit: ChangeUnit,
        /// It is compared with the period so many before.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1000))]
        back: u32,
        /// It is compared with the mean of so many periods, of which that one is the last.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1000))]
        mean_of: u32,
    },
    /// There is no figure for a period that has ended, or the newest data are too old.
    Missing {
        /// The newest data may be so many working days old. Without it each period that has ended must have a figure.
        #[schemars(range(max = 1000))]
        older_than_working_days: Option<u32>,
        /// Working days after a period's end that its data may take.
        #[serde(default)]
        #[schemars(range(max = 1000))]
        grace_working_days: u32,
        /// Values of the one dimension in `by` that must be there although they were never seen.
        #[serde(default)]
        expect: Vec<String>,
    },
}

impl RuleDef {
    /// The word in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Threshold { .. } => "threshold",
            Self::Change { .. } => "change",
            Self::Missing { .. } => "missing",
        }
    }

    /// The bounds, in words of both languages.
    pub fn words(&self) -> Bilingual {
        let (mut zh, mut en): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let mut say = |chinese: String, english: String| {
            zh.push(chinese);
            en.push(english);
        };
        match self {
            Self::Threshold { above, below } => {
                above.iter().for_each(|bound| say(format!("高于 {bound}"), format!("above {bound}")));
                below.iter().for_each(|bound| say(format!("低于 {bound}"), format!("below {bound}")));
            }
            Self::Change { rise, fall, unit, back, mean_of } => {
                let amount = |bound: &f64| match unit {
                    ChangeUnit::Ratio => format!("{}%", rounded(bound * 100.0)),
                    ChangeUnit::Difference => bound.to_string(),
                };
                let (than_zh, than_en) = match mean_of {
                    1 => (format!("较前 {back} 期"), format!("against {back} period(s) before")),
                    many => (
                        format!("较前 {back} 期起 {many} 期均值"),
                        format!("against the mean of {many} periods, {back} before"),
                    ),
                };
                rise.iter().for_each(|bound| {
                    say(
                        format!("{than_zh}上升超过 {}", amount(bound)),
                        format!("up by more than {} {than_en}", amount(bound)),
                    );
                });
                fall.iter().for_each(|bound| {
                    say(
                        format!("{than_zh}下降超过 {}", amount(bound)),
                        format!("down by more than {} {than_en}", amount(bound)),
                    );
                });
            }
            Self::Missing { older_than_working_days: Some(days), .. } => {
                say(format!("最新数据已超过 {days} 个工作日"), format!("newest data older than {days} working days"));
            }
            Self::Missing { grace_working_days: 0, .. } => {
                say("期末后无数据".into(), "no data for a period that has ended".into());
            }
            Self::Missing { grace_working_days: days, .. } => {
                say(
                    format!("期末后 {days} 个工作日仍无数据"),
                    format!("no data {days} working days after a period's end"),
                );
            }
        }
        Bilingual { zh: zh.join("，或"), en: en.join(", or ") }
    }
}

/// A number without the digits that come of binary fractions alone.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

/// What a change is told in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeUnit {
    /// The change over the earlier figure's size: 0.2 is a fifth. Cannot be told where the earlier figure is zero.
    #[default]
    Ratio,
    /// The difference, in the metric's unit.
    Difference,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    #[default]
    Warning,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The times at which an alert is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertScheduleDef {
    /// Five fields: minute, hour, day of month, month, day of week; as in `0 9 * * *`.
    pub cron: String,
    /// IANA name of the zone in which `cron` is read.
    #[serde(default = "shanghai")]
    pub time_zone: String,
    /// The days on which `cron` counts.
    #[serde(default)]
    pub days: ScheduleDays,
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}
