//! A clock that a test sets.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use xiangyun_engine::clock::Clock;

#[derive(Debug)]
pub(crate) struct SetClock(Mutex<DateTime<Utc>>);

impl SetClock {
    pub(crate) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(DateTime::parse_from_rfc3339(text).unwrap().to_utc())))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}
