//! Whether a rollup tells exactly what a question asks of a model.

use crate::semantic::definition::TimeGrain;
use crate::semantic::model::Model;
use crate::semantic::period::Periods;
use crate::semantic::plan::Span;

/// By what a rollup keeps its measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::semantic) struct Shape {
    /// Names as in `by`.
    pub(in crate::semantic) dimensions: Vec<String>,
    /// None where the model has no time.
    pub(in crate::semantic) grain: Option<TimeGrain>,
}

/// What is asked of one model at a time.
#[derive(Debug)]
pub(in crate::semantic) struct Needs<'a> {
    /// The names that are grouped by and filtered on.
    pub(in crate::semantic) names: Vec<&'a str>,
    /// Whether any of them is a division, read as of today.
    pub(in crate::semantic) as_is: bool,
    /// The days whose rows count.
    pub(in crate::semantic) span: Span,
    /// The periods that are told apart.
    pub(in crate::semantic) periods: Option<&'a Periods>,
    /// Whether only the rows of each period's last day count.
    pub(in crate::semantic) stock: bool,
}

impl Shape {
    /// Whether a rollup of this shape over `model` tells what is asked, for any of the measures that it keeps.
    pub(in crate::semantic) fn covers(&self, model: &Model, needs: &Needs<'_>) -> bool {
        needs.names.iter().all(|name| self.keeps(name, needs.as_is)) && self.tells_time(model, needs)
    }

    /// Whether the groups of `name`, a dimension or a level of one, are told by what is kept. A level of today's division
    /// is found from the code alone.
    fn keeps(&self, name: &str, as_is: bool) -> bool {
        let kept = |name: &str| self.dimensions.iter().any(|known| known == name);
        match name.split_once('.') {
            None => kept(name),
            Some((dimension, _)) => kept(dimension) || (kept(name) && !as_is),
        }
    }

    fn tells_time(&self, model: &Model, needs: &Needs<'_>) -> bool {
        if model.time.is_none() {
            return true;
        }
        let Some(grain) = self.grain else { return false };
        let kept = model.periods(grain);
        let is_finer = needs.periods.is_none_or(|asked| grain.nests_in(asked.grain));
        let begins = needs.span.first.is_none_or(|day| kept.first_day(day) == day);
        let ends = needs.span.last.is_none_or(|day| kept.last_day(day) == Some(day));
        // The last day of a period is not told where only the period is, nor the last moment of an hour.
        let asks_hours = needs.periods.is_some_and(|asked| asked.grain == TimeGrain::Hour);
        let tells_last = !needs.stock || (is_daily(grain) && !asks_hours);
        // A code that was used again is told apart by the year in which it was recorded.
        let tells_year = !needs.as_is || lies_in_one_year(grain, model.year_start);
        is_finer && begins && ends && tells_last && tells_year
    }
}

/// Whether days are told apart.
pub(super) fn is_daily(grain: TimeGrain) -> bool {
    matches!(grain, TimeGrain::Hour | TimeGrain::Day)
}

/// Whether every period lies in one year of the calendar.
fn lies_in_one_year(grain: TimeGrain, year_start: u32) -> bool {
    match grain {
        TimeGrain::Hour | TimeGrain::Day | TimeGrain::Month => true,
        TimeGrain::Quarter => year_start % 3 == 1,
        TimeGrain::Year => year_start == 1,
        TimeGrain::WorkingDay | TimeGrain::Week => false,
    }
}
