//! Region dimensions: levels of the division tree, and codes as was or as is.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::execution::SessionState;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, ScalarUDF, lit};

use super::error::SemanticError;
use super::period::date;
use super::query::RegionMode;
use crate::catalog::Bilingual;

/// A level of the division tree that may be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Province,
    Prefecture,
    County,
    Township,
}

impl Level {
    /// All of them, highest first.
    pub(super) const ALL: [Self; 4] = [Self::Province, Self::Prefecture, Self::County, Self::Township];

    /// The name that follows the dimension's, as in `region.prefecture`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Prefecture => "prefecture",
            Self::County => "county",
            Self::Township => "township",
        }
    }

    fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Province => ("省级", "province"),
            Self::Prefecture => ("地级", "prefecture"),
            Self::County => ("县级", "county"),
            Self::Township => ("乡级", "township"),
        }
    }
}

/// The division functions of a session, under one reading of codes.
#[derive(Debug)]
pub(super) struct Regions {
    mode: RegionMode,
    today: NaiveDate,
    ancestor: Arc<ScalarUDF>,
    successor: Arc<ScalarUDF>,
    name: Arc<ScalarUDF>,
}

impl Regions {
    /// Finds the functions in `session`. `today` is what "as is" means.
    pub(super) fn try_new(session: &SessionState, mode: RegionMode, today: NaiveDate) -> Result<Self, SemanticError> {
        let function = |name: &'static str| {
            session.scalar_functions().get(name).cloned().ok_or(SemanticError::MissingFunction { name })
        };
        Ok(Self {
            mode,
            today,
            ancestor: function("division_ancestor")?,
            successor: function("division_successor")?,
            name: function("division_name")?,
        })
    }

    /// The code to group by: `code` itself or the one that took over the whole of it, then its ancestor at `level`.
    /// `recorded` is the record's day, which tells the meanings of a reused code apart. A code that was split or
    /// dissolved stays what it was. Townships have no history in the lists: above them it is their county that was taken
    /// over.
    pub(super) fn key(&self, code: Expr, recorded: Option<Expr>, level: Option<Level>) -> Expr {
        let code = match self.mode {
            RegionMode::AsWas => code,
            RegionMode::AsIs => {
                let code = match level {
                    None | Some(Level::Township) => code,
                    Some(_) => coalesce(vec![self.ancestor.call(vec![code.clone(), lit(Level::County.name())]), code]),
                };
                let mut arguments = vec![code.clone(), date(self.today)];
                arguments.extend(recorded);
                coalesce(vec![self.successor.call(arguments), code])
            }
        };
        match level {
            None => code,
            Some(level) => self.ancestor.call(vec![code, lit(level.name())]),
        }
    }

    /// The name that belongs to a code: as is the present one; as was the one it had on `day`, or its last where the
    /// code was recorded after its time.
    pub(super) fn label(&self, code: Expr, day: Expr) -> Expr {
        let day = match self.mode {
            RegionMode::AsWas => day,
            RegionMode::AsIs => date(self.today),
        };
        coalesce(vec![self.name.call(vec![code.clone(), day]), self.name.call(vec![code])])
    }
}

/// The title of a region column, which says how codes were read.
pub(super) fn title(dimension: &Bilingual, level: Option<Level>, mode: RegionMode) -> Bilingual {
    let (mode_zh, mode_en) = match mode {
        RegionMode::AsWas => ("原区划", "as was"),
        RegionMode::AsIs => ("现区划", "as is"),
    };
    match level.map(Level::title) {
        None => {
            Bilingual { zh: format!("{}（{mode_zh}）", dimension.zh), en: format!("{} ({mode_en})", dimension.en) }
        }
        Some((zh, en)) => Bilingual {
            zh: format!("{}（{zh}，{mode_zh}）", dimension.zh),
            en: format!("{} ({en}, {mode_en})", dimension.en),
        },
    }
}
