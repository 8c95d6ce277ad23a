//! The reference data, and all functions over it.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::calendar::{CalendarError, CalendarYearDef, WorkCalendar};
use super::gov_codes::Divisions;
use super::{amounts, calendar, gov_codes, sketches};
use crate::clock::Clock;

/// Reference data that the functions look things up in. A project may add to it.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Working days by the State Council's notices.
    pub calendar: Arc<WorkCalendar>,
    /// Administrative divisions and their history.
    pub divisions: Arc<Divisions>,
}

impl Reference {
    /// The data that ships with this build.
    pub fn built_in() -> Self {
        Self { calendar: WorkCalendar::built_in(), divisions: Divisions::built_in() }
    }

    /// The data that ships with this build, and a project's own calendar years; see [`WorkCalendar::with_years`].
    pub fn with_calendar_years(years: &[CalendarYearDef]) -> Result<Self, CalendarError> {
        let calendar = match years {
            [] => WorkCalendar::built_in(),
            years => Arc::new(WorkCalendar::with_years(years)?),
        };
        Ok(Self { calendar, divisions: Divisions::built_in() })
    }
}

/// The scalar functions, in the order of the reference's chapters. `clock` tells the ones that need it what day it is.
pub fn scalar_functions(reference: &Reference, clock: &Arc<dyn Clock>) -> Vec<ScalarUDF> {
    let topics = [
        gov_codes::scalar_functions(&reference.divisions, clock),
        calendar::scalar_functions(&reference.calendar),
        amounts::scalar_functions(),
        sketches::scalar_functions(),
    ];
    topics.into_iter().flatten().collect()
}

/// The aggregate functions.
pub fn aggregate_functions(reference: &Reference) -> Vec<AggregateUDF> {
    let mut functions = calendar::aggregate_functions(&reference.calendar);
    functions.extend(sketches::aggregate_functions());
    functions
}
