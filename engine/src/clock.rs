//! Time as a dependency, so that tests choose it.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};

/// Seconds that Asia/Shanghai lies east of UTC. China has had one zone since 1949; the summer time of 1986-1991
/// concerns records of those years only, never "today".
pub const CHINA_OFFSET_SECONDS: i32 = 8 * 3600;

const CHINA: FixedOffset = FixedOffset::east_opt(CHINA_OFFSET_SECONDS).expect("eight hours are less than a day");

/// The date in China at an instant.
pub fn china_date_of(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&CHINA).date_naive()
}

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;

    /// Today's date in China.
    fn today(&self) -> NaiveDate {
        china_date_of(self.now())
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The machine's clock, shared.
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
