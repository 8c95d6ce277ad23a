//! Versions of rows: a new one closes the one before it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::runtime_env::RuntimeEnv;
use deltalake::kernel::Action;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{FILE_NUMBER_COLUMN, PROVENANCE_COLUMNS, RunRecord};

use super::Edit;
use super::counts::{Counts, LastCounts, rows};
use super::desk::{Desk, list, same};
use crate::commit::spool::{ORDER_COLUMN, SpooledRows};
use crate::commit::target::Target;

/// Adds versions. Each version of a key holds from its own `valid_from` to that of the next one; versions may arrive
/// in any order.
#[derive(Debug)]
pub(in crate::commit) struct History {
    pub(in crate::commit) rows: SpooledRows,
    /// What tells rows apart, without `valid_from`.
    pub(in crate::commit) key: Vec<String>,
    pub(in crate::commit) valid_from: String,
    pub(in crate::commit) valid_to: String,
    pub(in crate::commit) runtime: Arc<RuntimeEnv>,
    pub(in crate::commit) counts: LastCounts,
}

#[async_trait]
impl Edit for History {
    async fn actions(&self, target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>> {
        let desk = Desk::open(target, &self.runtime, state, None)?;
        desk.show("load", &self.rows)?;
        self.news(&desk, target).await?;
        self.chain(&desk, target).await?;
        self.write(&desk).await
    }

    fn operation(&self, target: &Target) -> DeltaOperation {
        target.write_operation(SaveMode::Append)
    }

    fn enter(&self, run: &mut RunRecord) {
        self.counts.enter(run);
    }
}

impl History {
    /// What a version says, beside when.
    fn attributes<'t>(&'t self, target: &'t Target) -> impl Iterator<Item = &'t str> {
        let told = move |name: &&str| {
            !self.key.iter().any(|key| key == name)
                && *name != self.valid_from
                && *name != self.valid_to
                && !PROVENANCE_COLUMNS.contains(name)
        };
        target.schema.fields().iter().map(|field| field.name().as_str()).filter(told)
    }

    /// The versions of the load that the table does not have, as `news`; of several with one `valid_from` the last.
    async fn news(&self, desk: &Desk<'_>, target: &Target) -> Result<()> {
        let (key, from) = (list(self.key.iter().map(String::as_str), ""), &self.valid_from);
        desk.keep(
            "last",
            &format!(
                "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {key}, \"{from}\" \
                 ORDER BY {ORDER_COLUMN} DESC) AS _place FROM load) WHERE _place = 1"
            ),
        )
        .await?;
        desk.hold_near("last", &self.key).await?;
        let mut on = format!("{} AND h.\"{from}\" = l.\"{from}\"", same("h", "l", &self.key));
        for name in self.attributes(target) {
            on.push_str(&format!(" AND h.\"{name}\" IS NOT DISTINCT FROM l.\"{name}\""));
        }
        desk.keep("news", &format!("SELECT l.* FROM last l LEFT ANTI JOIN held h ON {on}")).await?;
        Ok(())
    }

    /// All versions, as `chained`, of the keys that get a new one.
    async fn chain(&self, desk: &Desk<'_>, target: &Target) -> Result<()> {
        let (key, from, to) = (list(self.key.iter().map(String::as_str), ""), &self.valid_from, &self.valid_to);
        let names = || desk.names().filter(|name| name != to);
        let given = names().filter(|name| target.schema.column_with_name(name).is_some());
        let on = same("h", "n", &self.key);
        let (mine, theirs, all) = (list(names(), "h."), list(given, ""), list(names(), ""));
        let versions = format!(
            "SELECT {mine}, h.\"{to}\" AS _was, 0 AS _new FROM held h LEFT SEMI JOIN news n ON {on} \
             UNION ALL BY NAME SELECT {theirs}, 1 AS _new FROM news"
        );
        let at = format!("OVER (PARTITION BY {key}, \"{from}\" ORDER BY _new)");
        let picked = format!(
            "SELECT * FROM (SELECT *, lag(_new) {at} AS _before, lead(_new) {at} AS _behind FROM ({versions})) \
             WHERE _behind IS NULL"
        );
        let order = format!("OVER (PARTITION BY {key} ORDER BY \"{from}\")");
        let mut repeats = format!("row_number() {order} > 1");
        for name in self.attributes(target) {
            repeats.push_str(&format!(" AND \"{name}\" IS NOT DISTINCT FROM lag(\"{name}\") {order}"));
        }
        // A version that says what the one before it says is none, unless it corrects one that said otherwise.
        let kept = format!(
            "SELECT * FROM (SELECT *, {repeats} AS _repeats FROM ({picked})) \
             WHERE _new = 0 OR _before IS NOT NULL OR NOT _repeats"
        );
        desk.keep("kept", &kept).await?;
        desk.keep("changed", &format!("SELECT DISTINCT {key} FROM kept WHERE _new = 1")).await?;
        let on = same("k", "c", &self.key);
        let chained = format!(
            "SELECT {all}, lead(\"{from}\") {order} AS \"{to}\", _was, _new \
             FROM (SELECT k.* FROM kept k LEFT SEMI JOIN changed c ON {on})"
        );
        desk.keep("chained", &chained).await?;
        Ok(())
    }

    /// Writes the versions of the changed keys anew, with the other rows of their files.
    async fn write(&self, desk: &Desk<'_>) -> Result<Vec<Action>> {
        let on = same("h", "c", &self.key);
        let sql = format!(
            "SELECT {FILE_NUMBER_COLUMN}, count(*) FROM (SELECT h.{FILE_NUMBER_COLUMN} FROM held h \
             LEFT SEMI JOIN changed c ON {on}) GROUP BY {FILE_NUMBER_COLUMN}"
        );
        let touched = desk.counts(&sql).await?;
        let numbers: Vec<usize> = touched.iter().map(|(number, _)| *number).collect();
        let versions: u64 = touched.iter().map(|(_, rows)| rows).sum();
        let new = desk.count("SELECT count(*) FROM chained WHERE _new = 1").await?;
        let old = desk.count("SELECT count(*) FROM chained WHERE _new = 0").await?;
        let closed =
            format!("SELECT count(*) FROM chained WHERE _new = 0 AND \"{}\" IS DISTINCT FROM _was", self.valid_to);
        let closed = desk.count(&closed).await?;
        desk.hold(&numbers).await?;
        let kept = format!("SELECT {} FROM held h LEFT ANTI JOIN changed c ON {on}", desk.columns());
        let actions = desk.rewrite(&numbers, &[kept, "SELECT * FROM chained".into()]).await?;
        let left_out = self.rows.rows() - new;
        let notes = (left_out > 0).then(|| format!("{} left out: they say what is known", rows(left_out)));
        let updated = closed + (versions - old);
        self.counts.set(Counts { left_out, updated, deleted: 0, notes: notes.into_iter().collect() });
        Ok(actions)
    }
}
