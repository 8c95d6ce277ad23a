//! Rows that are told by their key: they take the place of those that are there, or take them away.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::kernel::Action;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{FILE_NUMBER_COLUMN, RunRecord};

use super::counts::{Counts, LastCounts, rows};
use super::desk::{Desk, list, same};
use super::{Edit, TakenOut};
use crate::commit::spool::{ORDER_COLUMN, SpooledRows};
use crate::commit::target::Target;

/// What happens to a row of the table whose key a row of the load has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commit) enum Match {
    /// The load's row takes its place, unless the value of this column is not greater than the one that is there.
    Upsert { sequence: Option<String> },
    /// It is taken out.
    Delete,
}

/// Puts rows in, or takes rows out, by key.
#[derive(Debug)]
pub(in crate::commit) struct Keyed {
    pub(in crate::commit) rows: SpooledRows,
    pub(in crate::commit) key: Vec<String>,
    pub(in crate::commit) matching: Match,
    pub(in crate::commit) taken: TakenOut,
    pub(in crate::commit) runtime: Arc<RuntimeEnv>,
    pub(in crate::commit) counts: LastCounts,
}

#[async_trait]
impl Edit for Keyed {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let desk = Desk::open(target, &self.runtime, state, self.taken.sql().as_deref())?;
        desk.show("load", &self.rows)?;
        match &self.matching {
            Match::Upsert { sequence } => self.upsert(&desk, sequence.as_deref()).await,
            Match::Delete => self.delete(&desk).await,
        }
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Append)
    }

    fn enter(&self, run: &mut RunRecord) {
        self.counts.enter(run);
    }
}

impl Keyed {
    async fn upsert(&self, desk: &Desk<'_>, sequence: Option<&str>) -> Result<Vec<Action>> {
        let key = list(self.key.iter().map(String::as_str), "");
        let latest = sequence.map(|name| format!("\"{name}\" DESC, ")).unwrap_or_default();
        let last = desk
            .keep(
                "last",
                &format!(
                    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {key} \
                     ORDER BY {latest}{ORDER_COLUMN} DESC) AS _place FROM load) WHERE _place = 1"
                ),
            )
            .await?;
        desk.hold_near("last", &self.key).await?;
        let on = same("h", "l", &self.key);
        let won = match sequence {
            Some(name) => {
                let late = format!("{on} AND h.\"{name}\" >= l.\"{name}\"");
                desk.keep("won", &format!("SELECT l.* FROM last l LEFT ANTI JOIN held h ON {late}")).await?
            }
            None => desk.keep("won", "SELECT * FROM last").await?,
        };
        let (numbers, counts) = self.touched(desk, "won").await?;
        let updated = counts.updated;
        let mut notes = Vec::new();
        if last > won {
            let late = rows(last - won);
            notes
                .push(format!("{late} left out: the table has the same or a later `{}`", sequence.unwrap_or_default()));
        }
        let columns = desk.columns();
        let kept = format!("SELECT {columns} FROM held h LEFT ANTI JOIN won l ON {on}");
        let actions = desk.rewrite(&numbers, &[kept, "SELECT * FROM won".into()]).await?;
        self.counts.set(Counts { left_out: self.rows.rows() - won, updated, deleted: counts.deleted, notes });
        Ok(actions)
    }

    async fn delete(&self, desk: &Desk<'_>) -> Result<Vec<Action>> {
        let key = list(self.key.iter().map(String::as_str), "");
        let keys = desk.keep("keys", &format!("SELECT DISTINCT {key} FROM load")).await?;
        desk.hold_near("keys", &self.key).await?;
        let on = same("h", "l", &self.key);
        let unknown = desk.count(&format!("SELECT count(*) FROM keys l LEFT ANTI JOIN held h ON {on}")).await?;
        let (numbers, counts) = self.touched(desk, "keys").await?;
        let notes = (unknown > 0).then(|| format!("{unknown} of {keys} keys are not in the table"));
        let kept = format!("SELECT {} FROM held h LEFT ANTI JOIN keys l ON {on}", desk.columns());
        let actions = desk.rewrite(&numbers, &[kept]).await?;
        let deleted = counts.updated + counts.deleted;
        self.counts.set(Counts { deleted, notes: notes.into_iter().collect(), ..Counts::default() });
        Ok(actions)
    }

    /// The files that hold a row with a key of `rows`, or one that counts as gone; shown as `held`.
    async fn touched(&self, desk: &Desk<'_>, rows: &str) -> Result<(Vec<usize>, Counts)> {
        let on = same("h", "l", &self.key);
        let sql = format!(
            "SELECT {FILE_NUMBER_COLUMN}, count(*) FROM (SELECT h.{FILE_NUMBER_COLUMN} FROM held h \
             LEFT SEMI JOIN {rows} l ON {on}) GROUP BY {FILE_NUMBER_COLUMN}"
        );
        let counts = desk.counts(&sql).await?;
        let updated = counts.iter().map(|(_, rows)| rows).sum();
        let (numbers, deleted) = desk.with_gone(&counts, &self.taken.filters()).await?;
        desk.hold(&numbers).await?;
        Ok((numbers, Counts { updated, deleted, ..Counts::default() }))
    }
}
