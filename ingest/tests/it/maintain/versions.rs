//! Earlier versions come back, and two are compared.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use xiangyun_engine::ErrorKind;
use xiangyun_engine::catalog::TableDef;
use xiangyun_ingest::maintain::{Maintenance, Pick};
use xiangyun_ingest::pipeline::WriteMode;

use super::{Setting, TABLE, trades};
use crate::lake::commit;
use crate::workspace::Lake;

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_version_comes_back_as_a_new_one() {
    let setting = Setting::new().await;
    let maintenance = setting.maintenance();
    let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    setting.append("b", &[(3, Some("吉林"))]).await;
    let first = setting.rows().await;
    setting.replace("c", &[(4, Some("长春"))]).await;
    let plan = maintenance.plan_restore(setting.name(), 1).await.unwrap();
    assert_eq!((plan.from, plan.files_back, plan.files_gone), (2, 3, 1));
    assert_eq!((plan.rows_back, plan.rows_gone, plan.made), (Some(3), Some(1), None));
    // Somebody agreed to undo what came up to another version than the table is at.
    let error = maintenance.restore(setting.name(), 1, Some(1)).await.unwrap_err();
    assert!(error.to_string().contains("is at version 2 and not at 1 any more"), "{}", error.chain());
    let done = maintenance.restore(setting.name(), 1, Some(2)).await.unwrap();
    assert_eq!(done.made, Some(3));
    assert_eq!(setting.rows().await, first);
    let record = "select pipeline, rows_read, rows_loaded, rows_deleted, version, notes from system.runs \
                  where pipeline = 'table restore'";
    let note = "version 1 was restored: 3 rows back, 1 row gone";
    assert_eq!(setting.lake.sql(record).await, [["table restore", "3", "3", "1", "3", note]]);
    assert!(setting.commit_text(3).contains("\"operation\":\"RESTORE\""));
    // The same again changes nothing; and what was taken back can come back.
    assert_eq!(maintenance.restore(setting.name(), 1, None).await.unwrap().made, None);
    assert_eq!(maintenance.restore(setting.name(), 2, None).await.unwrap().made, Some(4));
    assert_eq!(setting.rows().await, [["4", "长春", "c4"]]);
    // A restored table is written to like any other.
    maintenance.restore(setting.name(), 0, None).await.unwrap();
    setting.append("d", &[(5, Some("长春"))]).await;
    assert_eq!(setting.lake.sql("select id from market.trades order by id").await, [["1"], ["2"], ["5"]]);
    let error = maintenance.restore(setting.name(), 99, None).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, "`market.trades` has no version 99".into()));
    assert_eq!(error.hint().unwrap(), "versions that there are: 0 to 6");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_by_rows() {
    use futures::TryStreamExt;
    let setting = Setting::new().await;
    let maintenance = setting.maintenance();
    setting.append("a", &[(1, Some("长春")), (1, Some("长春")), (2, None)]).await;
    setting.append("b", &[(3, Some("长春"))]).await;
    maintenance.optimize(&setting.subject(), Pick::All).await.unwrap();
    setting.append("c", &[(4, None)]).await;
    maintenance.optimize(&setting.subject(), Pick::All).await.unwrap();
    // One of two equal rows, and one other, are gone; one is new.
    setting.replace("d", &[(1, Some("长春")), (3, Some("长春")), (4, None), (5, None)]).await;
    let latest = setting.lake.ingest.engine().catalog().pin(setting.name()).await.unwrap().version;
    let diff = maintenance.diff(setting.name(), 1, latest).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    let rows = maintenance.diff_rows(setting.name(), 1, latest, None).await.unwrap();
    let names: Vec<_> = rows.schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["_change", "_count", "id", "region", "code"]);
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await.unwrap();
    let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .filter(|line| line.contains("added") || line.contains("removed"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert_eq!(lines[0], ["|", "removed", "|", "1", "|", "1", "|", "长春", "|", "c1", "|"]);
    assert_eq!(lines[1], ["|", "removed", "|", "1", "|", "2", "|", "|", "c2", "|"]);
    assert_eq!(lines[2], ["|", "added", "|", "1", "|", "4", "|", "|", "c4", "|"]);
    assert_eq!(lines[3], ["|", "added", "|", "1", "|", "5", "|", "|", "c5", "|"]);
    // A compaction changes no row, and a version does not differ from itself.
    let diff = maintenance.diff(setting.name(), 1, 2).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (0, 0));
    let diff = maintenance.diff(setting.name(), latest, latest).await.unwrap();
    assert_eq!((diff.files_added, diff.files_removed, diff.rows_added), (0, 0, 0));
}

/// The table's contract as it grows, of which the last version demands a value.
fn grown(nullable: bool) -> String {
    format!("{TABLE}[[columns]]\nname = \"note\"\ntype = \"text\"\nnullable = {nullable}\n")
}

impl Setting {
    /// The same lake by another contract.
    async fn under(&self, contract: &str) -> (Maintenance, Arc<TableDef>) {
        self.lake.write("tables/t.toml", contract.as_bytes());
        let lake = Lake::at(self.lake.root()).await;
        (lake.ingest.maintenance(), Arc::clone(&lake.ingest.engine().project().tables[0].def))
    }

    /// Changes a commit as another tool might have made it.
    fn rewrite(&self, version: u64, from: &str, to: &str) {
        let text = self.commit_text(version);
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(self.folder().join(format!("_delta_log/{version:020}.json")), text.replace(from, to)).unwrap();
    }
}

/// Rows with a note.
fn noted(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let plain = trades(&rows.iter().map(|(id, _)| (*id, Some("长春"))).collect::<Vec<_>>());
    let notes: ArrayRef = Arc::new(rows.iter().map(|(_, note)| *note).collect::<StringArray>());
    let columns = ["id", "region", "code"].into_iter().zip(plain.columns().to_vec());
    RecordBatch::try_from_iter(columns.chain([("note", notes)])).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_from_before_a_column_comes_back_where_the_contract_allows_it() {
    let setting = Setting::new().await;
    setting.append("a", &[(1, Some("长春")), (2, None)]).await;
    let (maintenance, table) = setting.under(&grown(true)).await;
    let replace = async |content: &str, rows: &[(i64, Option<&str>)]| {
        let committed = commit(&setting.committer, &table, WriteMode::Replace, content, &noted(rows)).await;
        committed.unwrap().version()
    };
    assert_eq!(replace("b", &[(3, Some("x")), (4, None)]).await, 1);
    assert_eq!(replace("c", &[(5, Some("y"))]).await, 2);
    let sql = "select id, region, note from market.trades order by id";
    let read = async |rows: &[[&str; 3]]| {
        let lake = Lake::at(setting.lake.root()).await;
        assert_eq!(lake.sql(sql).await, rows);
        assert_eq!(lake.sql("select count(*) from market.trades where note is null").await.len(), 1);
    };

    // Both ways round, rows without the column count as rows without a value.
    let diff = maintenance.diff(setting.name(), 0, 1).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    let diff = maintenance.diff(setting.name(), 1, 0).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (2, 2));
    assert_eq!(maintenance.restore(setting.name(), 0, None).await.unwrap().made, Some(3));
    read(&[["1", "长春", ""], ["2", "", ""]]).await;
    let diff = maintenance.diff(setting.name(), 0, 3).await.unwrap();
    assert_eq!((diff.rows_added, diff.rows_removed), (0, 0));
    maintenance.restore(setting.name(), 2, None).await.unwrap();

    // The contract demands the value now: what has none does not come back, and the plan says so too.
    let (maintenance, _) = setting.under(&grown(false)).await;
    for (version, reason) in [
        (0, "its rows have no column `note`, which may not be missing"),
        (1, "rows of it have no value in `note`, which may not be missing"),
    ] {
        let planned = maintenance.plan_restore(setting.name(), version).await.unwrap_err();
        let error = maintenance.restore(setting.name(), version, None).await.unwrap_err();
        let message = format!("version {version} of `market.trades` cannot be restored: {reason}");
        assert_eq!((planned.to_string(), error.to_string()), (message.clone(), message));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let hint = "say `nullable = true` for the column in the table's contract, and restore again";
        assert_eq!(error.hint(), Some(hint));
    }
    assert_eq!(maintenance.restore(setting.name(), 4, None).await.unwrap().made, None);
    read(&[["5", "长春", "y"]]).await;
    let (maintenance, _) = setting.under(&grown(true)).await;
    assert_eq!(maintenance.restore(setting.name(), 1, None).await.unwrap().made, Some(5));
    read(&[["3", "长春", "x"], ["4", "长春", ""]]).await;
}

/// Another tool may do what no load does: demand a value of a column that is new, change its type, or drop it.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_fit_the_log_any_more_is_named() {
    let code = r#"{\"name\":\"code\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}}"#;
    let note = r#"{\"name\":\"note\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}"#;
    let (demanded, number) = (note.replace("true", "false"), code.replace("string", "long"));
    for (from, to, reason, differs) in [
        (note, demanded.as_str(), "its rows have no column `note`, which may not be missing", None),
        (
            code,
            number.as_str(),
            "its column `code` is Utf8, and the table's Int64",
            Some("column `code` is Utf8 in one"),
        ),
        (&format!("{code},"), "", "its column `code` is no longer in the table", None),
    ] {
        let setting = Setting::new().await;
        setting.append("a", &[(1, Some("长春"))]).await;
        let (_, table) = setting.under(&grown(true)).await;
        let rows = noted(&[(2, Some("x"))]);
        commit(&setting.committer, &table, WriteMode::Replace, "b", &rows).await.unwrap();
        setting.rewrite(1, from, to);
        let (maintenance, _) = setting.under(&grown(true)).await;
        let error = maintenance.restore(setting.name(), 0, None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("version 0 of `market.trades` cannot be restored: {reason}"));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        if let Some(differs) = differs {
            let error = maintenance.diff(setting.name(), 0, 1).await.unwrap_err();
            assert!(error.to_string().contains(differs), "{}", error.chain());
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}
