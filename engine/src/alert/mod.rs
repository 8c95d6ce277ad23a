//! Alerts as files: which figure is watched, by which rule, and what became of it at the last look.
//!
//! [`AlertDef`] is what a file declares, `rule` judges the figures that a question gave, and `state` is what is known of an
//! alert from one evaluation to the next. `query` asks the question; whoever works the schedule writes the state and
//! tells people.

mod definition;
mod due;
mod finding;
mod rule;
mod state;
mod stored;

#[cfg(test)]
mod tests;

pub use definition::{AlertDef, AlertScheduleDef, ChangeUnit, RuleDef, Severity};
pub(crate) use due::{Slot, expected};
pub use finding::{Evaluation, Finding, Group, Verdict};
pub(crate) use rule::{Point, aged, judge};
pub use state::{AlertState, AlertStatus, EventKind, GroupState, PastEvent, TableData, Turn};
pub use stored::StoredAlert;
