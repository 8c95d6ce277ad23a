//! Tables stay healthy: small files are put together, files that no version needs are removed, earlier versions come
//! back and are compared, rollups follow their tables. Whatever changes a table is carried out by [`crate::commit`].

mod diff;
mod error;
mod optimize;
mod restore;
mod rollups;
mod upkeep;
mod vacuum;

use std::sync::Arc;
use std::time::Duration;

use xiangyun_engine::catalog::{TableDef, TableName};
use xiangyun_engine::{Engine, Principal, Result};

use crate::commit::{Committer, RestorePlan};
pub use crate::commit::{Compacted, Pick, Small, Subject};
use crate::jobs::Leases;
pub use diff::{Diff, DiffRows};
pub use error::MaintainError;
pub use optimize::Optimized;
pub use restore::Restored;
pub use rollups::{RefreshOutcome, Refreshed};
pub use upkeep::Upkeep;
pub use vacuum::{DEFAULT_RETENTION, LEAST_RETENTION, Stale, Vacuum};

/// How long a process that removes or restores files may be silent before it counts as dead.
const LEASE: Duration = Duration::from_secs(120);

/// Looks after the tables of one lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Maintenance {
    engine: Engine,
    committer: Committer,
    optimizes: bool,
}

impl Maintenance {
    pub(crate) fn new(engine: Engine, committer: Committer) -> Self {
        Self { engine, committer, optimizes: true }
    }

    /// Whether small files are put together without being asked to; they are unless said.
    #[must_use]
    pub fn optimizing(self, optimizes: bool) -> Self {
        Self { optimizes, ..self }
    }

    /// The table called `name`.
    ///
    /// # Errors
    /// For a name that the project does not declare: its contract says how its files should be.
    pub fn table(&self, name: &TableName) -> Result<Subject> {
        Ok(Subject::Table(self.def(name)?))
    }

    /// Every declared table, the lake's own logs, and the tables of rollups.
    pub fn all(&self) -> Vec<Subject> {
        let rollups = self.engine.query_as(Principal::system()).declared_rollups();
        let tables = self.engine.project().tables.iter().map(|table| Subject::Table(Arc::clone(&table.def)));
        let logs = Subject::LOGS.map(Subject::Log);
        tables.chain(logs).chain(rollups.into_iter().map(|rollup| Subject::Rollup(Arc::new(rollup)))).collect()
    }

    fn def(&self, name: &TableName) -> Result<Arc<TableDef>> {
        let found = self.engine.project().table(name);
        let found = found.ok_or_else(|| MaintainError::NotDeclared { table: name.clone() })?;
        Ok(Arc::clone(&found.def))
    }

    /// Held by whoever removes files of a table, or relies on files that a version needs no more.
    fn leases(&self) -> Leases {
        let holder = format!("maintenance, process {}", std::process::id());
        Leases::new(self.engine.storage().clone(), Arc::clone(self.engine.clock()), holder, LEASE)
    }
}
