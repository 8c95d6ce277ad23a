//! Alerts that are watched: when each is due, evaluated by one process at a time, and told to whom it concerns.
//!
//! What is known of an alert lies in the lake, a small object that is written as a whole, so that a process that begins
//! anew neither repeats nor forgets a notice. A notice is written down before it is sent and crossed out once the
//! endpoint has taken it: one that was cut off in between is sent again under the same id.

mod notice;
mod schedule;
mod store;
mod watch;

pub(crate) use schedule::check_alerts;
pub use watch::{AlertOptions, AlertReport, Alerts};
