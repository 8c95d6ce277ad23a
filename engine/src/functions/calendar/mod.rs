//! Working days by the State Council's calendar, and dates as Chinese records write them.

pub(crate) mod china_time;
mod error;
mod notice;
mod schedule_days;
mod sql;
mod work_calendar;
mod working_intervals;
mod written_date;

pub use china_time::china_date as china_day;
pub use error::CalendarError;
pub use notice::{CalendarDayDef, CalendarYearDef};
pub use schedule_days::ScheduleDays;
pub(crate) use sql::china_date;
pub(super) use sql::{aggregate_functions, scalar_functions};
pub use work_calendar::WorkCalendar;
pub use working_intervals::WorkingIntervals;
pub use written_date::{Grain, OPEN_END, Period, parse_date, parse_period};
