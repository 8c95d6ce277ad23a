//! Over which periods a cumulative metric adds.

use super::definition::{CumulativeWindow, TimeGrain};
use super::lookback::{InvalidLookback, Lookback};

/// The periods that are added up, the present one the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Window {
    /// From the first period there is.
    AllTime,
    /// From the beginning of the period of this grain.
    ToDate(TimeGrain),
    /// So far back.
    Rolling(Lookback),
}

impl Window {
    /// Reads what a file declares.
    pub(super) fn read(declared: &CumulativeWindow) -> Result<Self, InvalidLookback> {
        Ok(match declared {
            CumulativeWindow::AllTime => Self::AllTime,
            CumulativeWindow::YearToDate => Self::ToDate(TimeGrain::Year),
            CumulativeWindow::QuarterToDate => Self::ToDate(TimeGrain::Quarter),
            CumulativeWindow::MonthToDate => Self::ToDate(TimeGrain::Month),
            CumulativeWindow::WeekToDate => Self::ToDate(TimeGrain::Week),
            CumulativeWindow::Rolling(length) => Self::Rolling(length.parse()?),
        })
    }

    /// Whether it is made of whole periods of `grain`.
    pub(super) fn fits(self, grain: TimeGrain) -> bool {
        match self {
            Self::AllTime => true,
            Self::ToDate(unit) => grain.nests_in(unit),
            Self::Rolling(length) => length.fits(grain),
        }
    }

    /// Whether a figure stands only where every period of the window has one.
    pub(super) fn is_rolling(self) -> bool {
        matches!(self, Self::Rolling(_))
    }
}
