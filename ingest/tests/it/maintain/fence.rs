//! A load that waits for its commit while a vacuum runs: no version ever names a file that is gone.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use xiangyun_engine::catalog::TableDef;
use xiangyun_engine::{ErrorKind, Result};
use xiangyun_ingest::commit::{CommitOutcome, CommitRequest, Committer, Idempotency, StagedFiles};
use xiangyun_ingest::maintain::{Maintenance, Subject, Vacuum};
use xiangyun_ingest::pipeline::WriteMode;

use crate::counting_store::CountingStore;
use crate::lake::{append, count, people, people_table, run, stage};
use crate::workspace::Lake;

struct Setting {
    _project: tempfile::TempDir,
    store: CountingStore,
    table: Arc<TableDef>,
    /// Of the process that loads.
    committer: Committer,
    /// Of another process.
    maintenance: Maintenance,
}

impl Setting {
    /// A table of one row.
    async fn new() -> Self {
        let (project, store) = (tempfile::tempdir().unwrap(), CountingStore::default());
        let lake = Lake::over(project.path(), store.storage()).await;
        let (table, committer) = (people_table("market"), Committer::new(store.storage()));
        append(&committer, &table, "a", &people(&[(1, "a")])).await;
        Self { _project: project, store, table, committer, maintenance: lake.ingest.maintenance() }
    }

    /// Files of a load, written before any moment that comes after.
    async fn stage(&self, id: i64) -> StagedFiles {
        let files = stage(self.committer.storage(), &self.table, &[people(&[(id, "x")])]).await;
        let written = Utc::now().timestamp_millis();
        while Utc::now().timestamp_millis() <= written {
            std::hint::spin_loop();
        }
        files
    }

    async fn commit(&self, content: &str, files: StagedFiles) -> Result<CommitOutcome> {
        let idempotency = Idempotency { app_id: format!("xiangyun/p/{content}"), version: 1 };
        let (table, run) = (Arc::clone(&self.table), run(&self.table, content, files.rows()));
        self.committer.commit(CommitRequest { table, mode: WriteMode::Append, files, idempotency, run }).await
    }

    /// Whether the log has that version.
    async fn has_version(&self, version: u64) -> bool {
        let path = Path::from(format!("root/market/people/_delta_log/{version:020}.json"));
        self.store.inner.head(&path).await.is_ok()
    }

    async fn count(&self) -> i64 {
        count(self.committer.storage(), &self.table).await
    }
}

/// Removes what no version needs, however young it is.
async fn vacuum(maintenance: &Maintenance, table: &Arc<TableDef>) -> Vacuum {
    let subject = Subject::Table(Arc::clone(table));
    let plan = maintenance.plan_vacuum(&subject, Duration::ZERO, true).await.unwrap().unwrap();
    maintenance.vacuum(&subject, Duration::ZERO, true, &plan).await.unwrap()
}

fn assert_says_so(committed: Result<CommitOutcome>) {
    let error = committed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    let text = error.to_string();
    assert!(text.starts_with("cannot commit to `market.people`: a vacuum has removed the files of"), "{text}");
    assert!(error.hint().unwrap().starts_with("run the load again: nothing was committed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_vacuum_removed_are_not_committed() {
    let setting = Setting::new().await;
    // Nothing to remove, nothing to say.
    assert_eq!(vacuum(&setting.maintenance, &setting.table).await.files.len(), 0);
    assert!(!setting.has_version(1).await);
    let slow = setting.stage(2).await;
    assert_eq!(vacuum(&setting.maintenance, &setting.table).await.files.len(), 1);
    assert!(setting.has_version(1).await);
    assert_says_so(setting.commit("slow", slow).await);
    assert!(!setting.has_version(2).await);
    assert_eq!(setting.count().await, 1);
    // The same load again, and one whose files were written since, are let in; so is what the table had before.
    let again = setting.stage(2).await;
    assert_eq!(setting.commit("slow", again).await.unwrap(), CommitOutcome::Committed { version: 2 });
    assert_eq!(setting.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_in_the_midst_of_a_commit_overtakes_it() {
    let setting = Setting::new().await;
    let slow = setting.stage(2).await;
    // The commit has been worked out and is about to be put, as version 1, when the vacuum begins and ends.
    let (maintenance, table) = (setting.maintenance.clone(), Arc::clone(&setting.table));
    setting.store.before_put("_delta_log/00000000000000000001.json", async move {
        assert_eq!(vacuum(&maintenance, &table).await.files.len(), 1);
    });
    assert_says_so(setting.commit("slow", slow).await);
    assert!(setting.has_version(1).await && !setting.has_version(2).await);
    assert_eq!(setting.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_the_midst_of_a_vacuum_keeps_its_files() {
    let setting = Setting::new().await;
    let (orphan, quick) = (setting.stage(2).await, setting.stage(3).await);
    // The vacuum has planned to remove both and is about to say so when one is committed.
    let (committer, table) = (setting.committer.clone(), Arc::clone(&setting.table));
    let run = run(&table, "quick", 1);
    setting.store.before_put("_delta_log/00000000000000000001.json", async move {
        let idempotency = Idempotency { app_id: "xiangyun/p/quick".into(), version: 1 };
        let request = CommitRequest { table, mode: WriteMode::Append, files: quick, idempotency, run };
        assert_eq!(committer.commit(request).await.unwrap(), CommitOutcome::Committed { version: 1 });
    });
    assert_eq!(vacuum(&setting.maintenance, &setting.table).await.files.len(), 1);
    assert_eq!(setting.count().await, 2);
    assert_says_so(setting.commit("orphan", orphan).await);
}
