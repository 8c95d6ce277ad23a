//! What can be wrong with a question to a metric.

use chrono::NaiveDate;
use datafusion::error::DataFusionError;

use super::definition::TimeGrain;
use crate::error::{Classify, ErrorKind};
use crate::project::nearest;

/// Why a metric query was not planned.
#[derive(Debug, thiserror::Error)]
pub enum SemanticError {
    /// No metric has this name.
    #[error("there is no metric `{name}`")]
    UnknownMetric {
        /// As asked.
        name: String,
        /// Nearest name there is.
        nearest: Option<String>,
    },
    /// The metric cannot be grouped or filtered by this.
    #[error("metric `{metric}` has no dimension `{name}`")]
    UnknownDimension {
        /// The metric.
        metric: String,
        /// As asked.
        name: String,
        /// The dimensions it has.
        available: Vec<String>,
    },
    /// A dimension is asked for twice.
    #[error("`by` names `{name}` twice")]
    RepeatedDimension {
        /// The dimension.
        name: String,
    },
    /// `order` names no column of the answer.
    #[error("`order` names `{name}`, which is no column of the answer")]
    UnknownOrder {
        /// As asked.
        name: String,
        /// The answer's columns that can be ordered by.
        available: Vec<String>,
    },
    /// A model without time was asked about time.
    #[error("metric `{metric}` has no time dimension, so `{parameter}` means nothing to it")]
    Timeless {
        /// The metric.
        metric: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// The grain is finer than the data, or does not fit the metric's offsets.
    #[error("metric `{metric}` cannot be asked by {}", grain.name())]
    UnfitGrain {
        /// The metric.
        metric: String,
        /// As asked.
        grain: TimeGrain,
        /// The grains that fit.
        available: Vec<TimeGrain>,
    },
    /// `from` lies behind `to`.
    #[error("`from` {from} is later than `to` {to}")]
    EmptyRange {
        /// First day.
        from: NaiveDate,
        /// Last day.
        to: NaiveDate,
    },
    /// The metric compares whole periods, and the range cuts one.
    #[error("metric `{metric}` looks back and compares whole periods, and `{parameter}` {date} cuts a {}", grain.name())]
    CutPeriod {
        /// The metric.
        metric: String,
        /// `from` or `to`.
        parameter: &'static str,
        /// As asked.
        date: NaiveDate,
        /// Its grain.
        grain: TimeGrain,
        /// The date that cuts none.
        whole: NaiveDate,
    },
    /// Without a grain the range must be given.
    #[error("metric `{metric}` {why}")]
    RangeNeeded {
        /// The metric.
        metric: String,
        /// Why.
        why: &'static str,
        /// What to give.
        give: &'static str,
    },
    /// A date that the calendar cannot count back from.
    #[error("{date} is out of the calendar's range")]
    OutOfCalendar {
        /// The date.
        date: NaiveDate,
    },
    /// The data spans more periods than are filled in.
    #[error(
        "`{column}` spans {from} to {to}, which is {count} periods of {} {}, and at the most {limit} are filled in",
        if *grain == TimeGrain::Hour { "an" } else { "a" },
        grain.name()
    )]
    TooManyPeriods {
        /// The time column.
        column: String,
        /// First day of the first period.
        from: NaiveDate,
        /// First day of the last.
        to: NaiveDate,
        /// The grain.
        grain: TimeGrain,
        /// How many there are.
        count: i64,
        /// The limit.
        limit: i64,
    },
    /// The filter is too long.
    #[error("`where` has {size_bytes} bytes, and at the most {limit_bytes} are read")]
    LongFilter {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The filter does not parse, or has the wrong types.
    #[error("`where` is not a condition that can be read: {reason}")]
    InvalidFilter {
        /// What is wrong.
        reason: String,
    },
    /// The filter holds something that is not allowed there.
    #[error("`where` may not hold {what}")]
    ForbiddenFilter {
        /// The part.
        what: String,
    },
    /// A comparison does not fit its dimension.
    #[error("the condition on `{dimension}` cannot be met: {reason}")]
    UnfitCondition {
        /// The dimension.
        dimension: String,
        /// Why.
        reason: String,
    },
    /// An `and` or `or` without parts.
    #[error("`{word}` of a condition has no parts")]
    EmptyCondition {
        /// `and` or `or`.
        word: &'static str,
    },
    /// The condition is too large.
    #[error("the condition has more than {limit} {what}")]
    LargeCondition {
        /// Of what it has too many.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The calendar of working days does not hold the answer.
    #[error("cannot count working days: {reason}")]
    WorkingDays {
        /// What the calendar says.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A table under the metric was not given to the planner: a defect.
    #[error("metric `{metric}` needs `{table}`, which the query did not resolve")]
    MissingTable {
        /// The metric.
        metric: String,
        /// The table or view.
        table: String,
    },
    /// A domain function is not registered in the session: a defect.
    #[error("the session lacks the function `{name}`")]
    MissingFunction {
        /// The function.
        name: &'static str,
    },
    /// The plan does not fit the tables as they are now.
    #[error("cannot plan metric `{metric}` over the tables as they are")]
    Plan {
        /// The metric.
        metric: String,
        /// Why.
        source: Box<DataFusionError>,
    },
}

impl Classify for SemanticError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownMetric { .. } => ErrorKind::NotFound,
            Self::Plan { .. } => ErrorKind::Sql,
            Self::LongFilter { .. } | Self::TooManyPeriods { .. } | Self::LargeCondition { .. } => {
                ErrorKind::LimitExceeded
            }
            Self::MissingTable { .. } | Self::MissingFunction { .. } => ErrorKind::Internal,
            _ => ErrorKind::InvalidInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMetric { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            Self::UnknownDimension { name, available, .. } | Self::UnknownOrder { name, available } => {
                Some(suggest(name, available))
            }
            Self::UnfitGrain { available, .. } => {
                let names: Vec<_> = available.iter().map(|grain| grain.name()).collect();
                Some(format!("ask by {}", names.join(", ")))
            }
            Self::CutPeriod { parameter, whole, .. } => Some(format!("use `{parameter}` {whole}, or no grain")),
            Self::TooManyPeriods { .. } => {
                Some("give `from` and `to`, or a coarser grain; an unknown end is better null than 9999-12-31".into())
            }
            Self::RangeNeeded { give, .. } => Some(format!("give {give}")),
            Self::ForbiddenFilter { .. } | Self::InvalidFilter { .. } => Some(
                "compare dimensions with values, as in `channel = 'online' and region.prefecture in ('220100')`".into(),
            ),
            Self::WorkingDays { hint, .. } => hint.clone(),
            Self::Plan { .. } => Some("compare the table with its contract: `xiangyun table show`".into()),
            _ => None,
        }
    }
}

/// A hint that names the nearest of `available`, or all of them.
pub(super) fn suggest(text: &str, available: &[String]) -> String {
    match nearest(text, available.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if available.is_empty() => "it has none".into(),
        None => format!("there are {}", available.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
    }
}
