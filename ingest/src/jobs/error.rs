//! Why a schedule cannot be worked.

use xiangyun_engine::error::{BoxError, Classify, ErrorKind};

/// Why a schedule cannot be worked.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A `cron` that is none.
    #[error("`{cron}` is no schedule: {reason}")]
    BadCron {
        /// As declared.
        cron: String,
        /// Why.
        reason: String,
    },
    /// A zone that the zone database does not know.
    #[error("there is no time zone `{zone}`")]
    BadZone {
        /// As declared.
        zone: String,
    },
    /// Working days of a year that has no notice yet.
    #[error("calendar_missing: it cannot be told whether {date} is a working day")]
    CalendarMissing {
        /// The day.
        date: chrono::NaiveDate,
        /// Why.
        source: BoxError,
    },
    /// An attempt that took too long. Nothing of it is in the table.
    #[error("pipeline `{pipeline}` was given up after {seconds} seconds")]
    Timeout {
        /// The pipeline.
        pipeline: String,
        /// The limit.
        seconds: u64,
    },
    /// The lease was lost while the pipeline ran: this process was taken for dead.
    #[error("another process took over pipeline `{pipeline}`")]
    LeaseLost {
        /// The pipeline.
        pipeline: String,
    },
}

impl Classify for JobError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BadCron { .. } | Self::BadZone { .. } => ErrorKind::InvalidInput,
            Self::CalendarMissing { .. } => ErrorKind::NotFound,
            Self::Timeout { .. } => ErrorKind::LimitExceeded,
            Self::LeaseLost { .. } => ErrorKind::Conflict,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BadCron { .. } => {
                "write minute, hour, day of month, month and day of week, as in `0 6 * * 1-5`".into()
            }
            Self::BadZone { .. } => "use an IANA name, as in `Asia/Shanghai`".into(),
            Self::CalendarMissing { .. } => "add the State Council's notice of that year in calendar/*.toml".into(),
            Self::Timeout { .. } => "raise `schedule.timeout_seconds`, or load less at a time".into(),
            Self::LeaseLost { .. } => "its clock or its store was out of reach for longer than the lease holds".into(),
        })
    }
}
