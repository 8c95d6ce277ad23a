//! A table that has taken pushes for long costs the next one no more than a young one.

use bytes::Bytes;
use chrono::Utc;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;
use xiangyun_ingest::LoadOutcome;
use xiangyun_ingest::push::Pushes;

use crate::counting_store::{CountingStore, Reads};
use crate::loads::{TABLE, pipeline};
use crate::push::{PIPELINE, caller, json, limits};
use crate::workspace::Lake;

/// Between two commits that are made up, in milliseconds.
const TEN_MINUTES: i64 = 600_000;

/// A project whose table gets pushes and files.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (files, pushed) = (pipeline("append"), PIPELINE.to_owned());
    for (path, text) in [
        ("tables/t.toml", TABLE),
        ("pipelines/f.toml", &files),
        ("pipelines/p.toml", &pushed),
        ("data/a.csv", "\u{feff}id,amount\n1,1\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn commit_path(version: u64) -> Path {
    Path::from(format!("root/market/trades/_delta_log/{version:020}.json"))
}

async fn actions(store: &CountingStore, version: u64) -> Vec<Value> {
    let text = store.inner.get(&commit_path(version)).await.unwrap().bytes().await.unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

async fn put(store: &CountingStore, version: u64, actions: &[Value]) {
    let text: String = actions.iter().map(|action| format!("{action}\n")).collect();
    store.inner.put(&commit_path(version), Bytes::from(text).into()).await.unwrap();
}

/// Makes a log of `versions` commits, ten minutes apart, of which the first two are there: the others are of requests with
/// the keys `made-<version>` and of no rows.
async fn make_up(store: &CountingStore, versions: u64) {
    let like = actions(store, 1).await;
    for version in 0..versions {
        let (is_made_up, mut actions) =
            if version < 2 { (false, actions(store, version).await) } else { (true, like.clone()) };
        actions.retain(|action| !is_made_up || action.get("add").is_none());
        for action in &mut actions {
            if let Some(info) = action.get_mut("commitInfo") {
                let ago = (versions - version) as i64 * TEN_MINUTES;
                info["timestamp"] = (Utc::now().timestamp_millis() - ago).into();
                if is_made_up {
                    let run = &mut info["xiangyun.run"];
                    run["run_id"] = format!("run-{version}").into();
                    run["sources"][0]["path"] = format!("push:meter/made-{version}").into();
                }
            } else if let (true, Some(txn)) = (is_made_up, action.get_mut("txn")) {
                txn["version"] = version.into();
            }
        }
        put(store, version, &actions).await;
    }
}

/// A table with a file, two pushes, and many that are made up between them, as `history` versions.
async fn long_table(store: &CountingStore, project: &std::path::Path, history: u64) -> (Lake, Pushes) {
    let lake = Lake::over(project, store.storage()).await;
    assert_eq!(lake.load("trades").await.unwrap().run.version, Some(0));
    let pushes = Pushes::new(lake.ingest.clone(), limits(1));
    pushes.push(&caller(), json("first", "{\"id\": 2}")).await.unwrap();
    make_up(store, history - 1).await;
    let (lake, pushes) = open(store, project).await;
    // Where its number is round, it writes a checkpoint.
    let report = pushes.push(&caller(), json("last", "{\"id\": 3}")).await.unwrap();
    assert_eq!(report.version, history - 1);
    (lake, pushes)
}

/// A new process.
async fn open(store: &CountingStore, project: &std::path::Path) -> (Lake, Pushes) {
    let lake = Lake::over(project, store.storage()).await;
    let pushes = Pushes::new(lake.ingest.clone(), limits(1));
    (lake, pushes)
}

async fn digests(store: &CountingStore) -> Vec<Path> {
    let folder = Path::from("root/market/trades/_xiangyun");
    let listed = store.inner.list_with_delimiter(Some(&folder)).await.unwrap();
    listed.objects.into_iter().map(|object| object.location).collect()
}

/// What a push reads that goes to a server which has run for long, and one that goes to a new server.
async fn pushes_after(history: u64) -> (Reads, Reads) {
    let (store, folder) = (CountingStore::default(), project());
    let (lake, pushes) = long_table(&store, folder.path(), history).await;
    store.take();
    pushes.push(&caller(), json("warm", "{\"id\": 4}")).await.unwrap();
    let warm = store.take();
    drop((lake, pushes));

    let (lake, pushes) = open(&store, folder.path()).await;
    store.take();
    pushes.push(&caller(), json("cold", "{\"id\": 5}")).await.unwrap();
    let cold = store.take();

    // Known again: what was sent within the week, whoever asks, and every file.
    for (key, rows) in [("warm", "{\"id\": 4}"), ("last", "{\"id\": 3}")] {
        assert!(!pushes.push(&caller(), json(key, rows)).await.unwrap().loaded, "{key}");
    }
    let made = format!("made-{}", history - 7 * 24 * 6 + 60);
    let error = pushes.push(&caller(), json(&made, "{\"id\": 9}")).await.unwrap_err();
    assert!(error.to_string().contains("came with other content before, in run run-"), "{error}");
    let again = lake.load("trades").await.unwrap();
    assert_eq!((again.outcome, again.run.version), (LoadOutcome::Unchanged, Some(0)));
    // A key is forgotten after a week, and its rows are rows like others then.
    assert!(pushes.push(&caller(), json("made-10", "{\"id\": 10}")).await.unwrap().loaded);
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["2"], ["3"], ["4"], ["5"], ["10"]]);
    (warm, cold)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_of_a_push_does_not_grow_with_the_table_s_history() {
    let (warm, cold) = pushes_after(3_000).await;
    let (warm_later, cold_later) = pushes_after(12_000).await;
    eprintln!(
        "3,000 commits: {warm:?}, new server {cold:?}; 12,000 commits: {warm_later:?}, new server {cold_later:?}"
    );
    assert_eq!(warm_later, warm);
    assert_eq!(cold_later.listed, cold.listed);
    // A larger checkpoint may be read in a part more.
    assert!(cold_later.gets <= cold.gets + 4, "{cold:?}, {cold_later:?}");
    assert!(warm.gets + warm.listed < 200 && cold.gets + cold.listed < 400, "{warm:?}, {cold:?}");
    assert!(cold.gets > 0 && warm.listed > 0, "nothing was counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_lost_damaged_or_of_another_table_changes_nothing() {
    let (store, folder) = (CountingStore::default(), project());
    long_table(&store, folder.path(), 1_004).await;
    let of_nothing = r#"{"commit":"x","loads":[],"keys":{"versions":{},"made":[],"newest":0}}"#;
    let other = zstd::encode_all(of_nothing.as_bytes(), 0).unwrap();
    for damage in ["cut", "other", "gone"] {
        let before = digests(&store).await;
        assert!(!before.is_empty(), "there is none to lose");
        for digest in &before {
            let written = store.inner.get(digest).await.unwrap().bytes().await.unwrap();
            match damage {
                "cut" => drop(store.inner.put(digest, written.slice(..written.len() / 2).into()).await.unwrap()),
                "other" => drop(store.inner.put(digest, other.clone().into()).await.unwrap()),
                _ => store.inner.delete(digest).await.unwrap(),
            }
        }
        let (_, pushes) = open(&store, folder.path()).await;
        for (key, rows) in [("first", "{\"id\": 2}"), ("last", "{\"id\": 3}")] {
            assert!(!pushes.push(&caller(), json(key, rows)).await.unwrap().loaded, "{key}, {damage}");
        }
        // It was written anew, whole.
        let newest = digests(&store).await.pop().unwrap();
        let written = store.inner.get(&newest).await.unwrap().bytes().await.unwrap();
        let text: Value = serde_json::from_slice(&zstd::decode_all(written.as_ref()).unwrap()).unwrap();
        assert_eq!(text["keys"]["versions"].as_object().unwrap().len(), 1_003, "{damage}");
    }
}

/// Other tools remove the commits that a checkpoint has taken up.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cleaned_up_still_knows_its_loads() {
    let (store, folder) = (CountingStore::default(), project());
    long_table(&store, folder.path(), 1_200).await;
    for version in 0..1_199 {
        store.inner.delete(&commit_path(version)).await.unwrap();
    }
    let (lake, pushes) = open(&store, folder.path()).await;
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    assert!(!pushes.push(&caller(), json("last", "{\"id\": 3}")).await.unwrap().loaded);
    // Without what was put down beside it, a file is still known by the name of its commit.
    for digest in digests(&store).await {
        store.inner.delete(&digest).await.unwrap();
    }
    let (lake, _) = open(&store, folder.path()).await;
    assert_eq!(lake.load("trades").await.unwrap().outcome, LoadOutcome::Unchanged);
    // Also where it is read, because no load is known to have had a file of its size.
    let lake = Lake { ingest: lake.ingest.reading_once_from(1), ..lake };
    let again = lake.load("trades").await.unwrap();
    assert_eq!((again.outcome, again.run.rows_read), (LoadOutcome::Unchanged, 1));
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["2"], ["3"]]);
}
