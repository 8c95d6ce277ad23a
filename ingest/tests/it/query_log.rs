//! What was asked, kept in the lake.

use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use xiangyun_engine::clock::system_clock;
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::query::{Limits, SqlRequest};
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Engine, EngineOptions, Principal, PrincipalClass};
use xiangyun_ingest::QueryLog;

async fn ask(engine: &Engine, principal: &Principal, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let result = engine.query_as(principal.clone()).sql(SqlRequest::new(sql)).await.map_err(|error| error.chain())?;
    let batches = result.collect().await.map_err(|error| error.chain())?;
    let row = |batch: &arrow::array::RecordBatch, row| {
        batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect()
    };
    Ok(batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ended_query_is_recorded_and_shown_to_those_who_may_see_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("lake").display());
    let storage = Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap();
    let open = async |storage: &Storage| {
        let log = QueryLog::open(storage);
        let project = Project::load(folder.path(), &mut Diagnostics::default());
        let options = EngineOptions {
            project: Arc::new(project),
            storage: storage.clone(),
            limits: Limits::default(),
            clock: system_clock(),
        };
        (Engine::open_recording(options, Arc::new(log.clone())).await.unwrap(), log)
    };
    let who = |name: &str, class| Principal::new(name, "*", class);
    let (ana, ben) = (who("ana", PrincipalClass::Analyst), who("ben", PrincipalClass::Dashboard));
    let operator = who("ops", PrincipalClass::Operator);

    let (engine, log) = open(&storage).await;
    ask(&engine, &ana, "select 'ana' as secret").await.unwrap();
    ask(&engine, &ben, "select 1 as n union all select 2").await.unwrap();
    ask(&engine, &ben, "select * from no.table").await.unwrap_err();
    // Its reader goes away before the end.
    let result = engine.query_as(ben.clone()).sql(SqlRequest::new("select * from generate_series(1, 1000000)")).await;
    drop(result.unwrap());
    assert!(ask(&engine, &operator, "select * from system.queries").await.unwrap().is_empty(), "not written yet");
    log.close().await;
    log.close().await;

    let (engine, log) = open(&storage).await;
    let shown = "select principal, statement, rows, outcome, error_code from system.queries order by query_id";
    let all = ask(&engine, &operator, shown).await.unwrap();
    let row = |values: [&str; 5]| values.map(str::to_owned).to_vec();
    let expected = [
        row(["ana", "select 'ana' as secret", "1", "succeeded", ""]),
        row(["ben", "select 1 as n union all select 2", "2", "succeeded", ""]),
        row(["ben", "select * from no.table", "0", "failed", "not_found"]),
        row(["ben", "select * from generate_series(1, 1000000)", "0", "cancelled", ""]),
        row(["ops", "select * from system.queries", "0", "succeeded", ""]),
    ];
    assert_eq!(all, expected);
    assert_eq!(ask(&engine, &ana, shown).await.unwrap(), expected[..1]);
    assert_eq!(ask(&engine, &ben, shown).await.unwrap(), expected[1..4]);
    // A statement of one's own does not meet the others' rows, not even to fail on them.
    let fails = "select count(*) from system.queries where cast(replace(statement, 'select', '') as int) > 0";
    let told = ask(&engine, &ana, fails).await.unwrap_err();
    assert!(told.contains("secret") && !told.contains("union"), "{told}");
    log.close().await;
    let (engine, log) = open(&storage).await;
    assert_eq!(ask(&engine, &operator, "select count(*) from system.queries").await.unwrap(), [["9"]]);
    log.close().await;
}
