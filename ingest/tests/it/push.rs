//! Rows that callers send.

use std::time::Duration;

use bytes::Bytes;
use xiangyun_engine::{ErrorKind, Principal, PrincipalClass};
use xiangyun_ingest::push::{Push, PushFormat, PushLimits, PushReport, PushRows, Pushes};

use crate::loads::TABLE;
use crate::workspace::Lake;

pub(crate) const PIPELINE: &str = "version = 1\nname = \"pushed\"\ntable = \"market.trades\"\nmode = \"append\"\n\
                        source = { kind = \"push\" }\n";

async fn open(pipeline: &str) -> Lake {
    Lake::open(&[("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes())]).await
}

pub(crate) fn caller() -> Principal {
    Principal::new("meter", "market", PrincipalClass::Batch)
}

fn push(key: &str, format: PushFormat, body: &str) -> Push {
    Push { table: "market.trades".parse().unwrap(), key: key.into(), format, body: Bytes::from(body.to_owned()) }
}

pub(crate) fn json(key: &str, body: &str) -> Push {
    push(key, PushFormat::Json, body)
}

/// Groups are closed by their number only, so that no test waits for a clock.
pub(crate) fn limits(requests: usize) -> PushLimits {
    PushLimits { interval: Duration::ZERO, requests, ..PushLimits::default() }
}

fn rows(read: u64, loaded: u64, rejected: u64, duplicate: u64) -> Option<PushRows> {
    Some(PushRows { read, loaded, rejected, duplicate })
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_judged_and_told_and_a_repeated_request_adds_none() {
    let lake = open(PIPELINE).await;
    let pushes = Pushes::new(lake.ingest.clone(), limits(1));
    let first = json("k1", "{\"id\": 1, \"amount\": 1.50}\n{\"id\": 2}\n{\"id\": \"x\"}\n{\"id\": 2}\n");
    let report = pushes.push(&caller(), first.clone()).await.unwrap();
    assert_eq!((report.loaded, report.version, report.rows), (true, 0, rows(4, 2, 2, 0)));
    let rejects: Vec<_> = report.rejects.iter().map(|reject| (reject.line, reject.reason.as_str())).collect();
    assert_eq!(rejects, [(3, "TYPE"), (4, "DUPLICATE")]);
    let again = pushes.push(&caller(), first).await.unwrap();
    assert_eq!((again.loaded, again.version, &again.run_id, again.rows), (false, 0, &report.run_id, None));
    // The same rows under another key are other rows; another server finds them too.
    let other = Pushes::new(Lake::at(lake.root()).await.ingest, limits(1));
    let report = other.push(&caller(), push("k2", PushFormat::Csv, "amount,id\n2,7\n")).await.unwrap();
    assert_eq!((report.loaded, report.rows), (true, rows(1, 1, 0, 0)));
    let report = pushes.push(&caller(), push("k3", PushFormat::Csv, "amount,id\n2,7\n")).await.unwrap();
    assert_eq!((report.loaded, report.rows), (true, rows(1, 1, 0, 0)));
    assert!(!pushes.push(&caller(), push("k2", PushFormat::Csv, "amount,id\n2,7\n")).await.unwrap().loaded);
    let found = lake.sql("select id, amount, _file, _line from market.trades order by _file, _line").await;
    let line = |id: &str, amount: &str, key: &str, line: &str| {
        [id, amount, &format!("push:meter/{key}"), line].map(str::to_owned).to_vec()
    };
    let expected = [
        line("1", "1.50", "k1", "1"),
        line("2", "", "k1", "2"),
        line("7", "2.00", "k2", "2"),
        line("7", "2.00", "k3", "2"),
    ];
    assert_eq!(found, expected);
    assert_eq!(lake.sql("select count(*) from system.quarantine").await, [["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_taken_says_why_and_keeps_no_other_out() {
    let check = "[[checks]]\ncolumn = \"amount\"\nrule = { at-least = \"0\" }\non_fail = \"stop\"\n";
    let lake = open(&format!("{PIPELINE}{check}")).await;
    let pushes = Pushes::new(lake.ingest.clone(), PushLimits { interval: Duration::from_secs(3600), ..limits(5) });
    // The first one is taken at once: only those behind it make a group.
    pushes.push(&caller(), json("k0", "{\"id\": 1}")).await.unwrap();
    let bodies = [
        ("k1", "{\"id\": 2, \"amount\": 1}"),
        ("k2", "{\"id\": 3, \"amount\": -1}"),
        ("k3", "{\"id\": 4, \"amuont\": 1}"),
        ("k0", "{\"id\": 5}"),
        ("k4", "{\"id\": 6"),
    ];
    let (pushes, caller) = (&pushes, &caller());
    let answers = futures::future::join_all(bodies.map(|(key, body)| pushes.push(caller, json(key, body)))).await;
    assert!(answers[0].as_ref().unwrap().loaded);
    for (place, kind, expected) in [
        (1, ErrorKind::DataQuality, "a row stops the run, line 1 of `push:meter/k2`"),
        (2, ErrorKind::InvalidInput, "`market.trades` has no column `amuont`"),
        (3, ErrorKind::Conflict, "the idempotency key `k0` came with other content before, in run "),
        (4, ErrorKind::InvalidInput, "none of the rows is a JSON object with a key"),
    ] {
        let error = answers[place].as_ref().unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.chain());
        assert!(error.chain().contains(expected), "{}", error.chain());
    }
    assert_eq!(lake.sql("select id from market.trades order by id").await, [["1"], ["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_that_come_together_are_one_commit() {
    let lake = open(PIPELINE).await;
    let limits = PushLimits { interval: Duration::from_secs(3600), ..limits(50) };
    let pushes = Pushes::new(lake.ingest.clone(), limits);
    pushes.push(&caller(), json("first", "{\"id\": 0}")).await.unwrap();
    let mut sent = Vec::new();
    for id in 1..=49 {
        sent.push(json(&format!("k{id}"), &format!("{{\"id\": {id}, \"amount\": {id}}}")));
    }
    // One of them twice: whoever got no answer asks again.
    sent.push(sent[0].clone());
    let (pushes, caller) = (&pushes, &caller());
    let answers = futures::future::join_all(sent.into_iter().map(|push| pushes.push(caller, push))).await;
    let reports: Vec<PushReport> = answers.into_iter().map(|answer| answer.unwrap()).collect();
    assert!(reports.iter().all(|report| report.version == 1 && report.rows == rows(1, 1, 0, 0)));
    assert_eq!(lake.sql("select count(*), sum(amount) from market.trades").await, [["50", "1225.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_get_the_same_request_load_it_once() {
    let lake = open(PIPELINE).await;
    let one = Pushes::new(lake.ingest.clone(), limits(3));
    let other = Pushes::new(Lake::at(lake.root()).await.ingest, limits(3));
    for round in 0..5 {
        let (mut answers, caller) = (Vec::new(), &caller());
        for number in 0..6 {
            let id = round * 10 + number % 3;
            let server = if number < 3 { &one } else { &other };
            answers.push(server.push(caller, json(&format!("k{id}"), &format!("{{\"id\": {id}}}"))));
        }
        let reports = futures::future::join_all(answers).await;
        let loaded = reports.iter().filter(|report| report.as_ref().unwrap().loaded).count();
        assert_eq!(loaded, 3);
    }
    assert_eq!(lake.sql("select count(*), count(distinct id) from market.trades").await, [["15", "15"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_load_is_refused_and_a_table_without_a_pipeline_takes_nothing() {
    let lake = open(PIPELINE).await;
    let pushes = Pushes::new(lake.ingest.clone(), limits(1));
    let reader = Principal::new("screen", "market", PrincipalClass::Dashboard);
    let stranger = Principal::new("meter", "water", PrincipalClass::Batch);
    let elsewhere = Push { table: "market.other".parse().unwrap(), ..json("k", "{}") };
    let large = Push { body: Bytes::from(vec![b' '; (8 << 20) + 1]), ..json("k", "") };
    for (who, push, kind, expected) in [
        (reader, json("k", "{}"), ErrorKind::Forbidden, "`screen` may read and not load"),
        (stranger, json("k", "{}"), ErrorKind::Forbidden, "`market.trades` is not a table of `water`"),
        (caller(), elsewhere, ErrorKind::NotFound, "no rows can be pushed to `market.other`"),
        (caller(), json("", "{}"), ErrorKind::InvalidInput, "the idempotency key is missing"),
        (caller(), json("a b", "{}"), ErrorKind::InvalidInput, "the idempotency key holds a character"),
        (caller(), large, ErrorKind::LimitExceeded, "the body has 8388609 bytes, and may have 8388608"),
        (caller(), json("k", ""), ErrorKind::DataQuality, "push:meter/k"),
    ] {
        let error = pushes.push(&who, push).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.chain());
        assert!(error.chain().contains(expected), "{}", error.chain());
    }
    let error = lake.load("pushed").await.unwrap_err();
    assert!(error.chain().contains("is not run"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_rows_take_the_place_of_those_with_their_key() {
    let upsert = PIPELINE.replace("mode = \"append\"", "mode = { upsert = {} }");
    let lake = open(&upsert).await;
    let pushes = Pushes::new(lake.ingest.clone(), limits(1));
    for (key, body) in
        [("k1", "{\"id\": 1, \"amount\": 1}\n{\"id\": 2, \"amount\": 2}"), ("k2", "{\"id\": 1, \"amount\": 9}")]
    {
        assert!(pushes.push(&caller(), json(key, body)).await.unwrap().loaded);
    }
    // Repeated after newer rows, it must not bring the old ones back.
    let again = pushes.push(&caller(), json("k1", "{\"id\": 1, \"amount\": 1}\n{\"id\": 2, \"amount\": 2}")).await;
    assert!(!again.unwrap().loaded);
    assert_eq!(lake.sql("select id, amount from market.trades order by id").await, [["1", "9.00"], ["2", "2.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_pushes_says_nothing_that_only_a_run_could_follow() {
    let faulty = "version = 1\nname = \"pushed\"\ntable = \"market.trades\"\nmode = \"replace\"\n\
                  source = { kind = \"push\" }\ntransform = { sql = \"select * from source\" }\n\
                  schedule = { cron = \"0 1 * * *\" }\n";
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [("tables/t.toml", TABLE), ("pipelines/p.toml", faulty)] {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    let mut diagnostics = xiangyun_engine::project::Diagnostics::default();
    let project = xiangyun_engine::project::Project::load(folder.path(), &mut diagnostics);
    xiangyun_ingest::Declarations::load(&project, &mut diagnostics);
    let messages: Vec<_> = diagnostics.iter().map(|fault| fault.message.as_str()).collect();
    let expected = [
        "each push would take the place of those before",
        "pushed rows are taken as they come",
        "pushed rows come when they come",
    ];
    for expected in expected {
        assert!(messages.contains(&expected), "{messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_rows_and_compressed_ones_go_together_with_text() {
    use arrow::array::{Decimal128Array, Int64Array, RecordBatch};
    let lake = open(PIPELINE).await;
    let pushes = Pushes::new(lake.ingest.clone(), PushLimits { interval: Duration::from_secs(3600), ..limits(3) });
    pushes.push(&caller(), json("first", "{\"id\": 0, \"amount\": 0}")).await.unwrap();
    let amounts = Decimal128Array::from(vec![150, 12_345]).with_precision_and_scale(20, 3).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("id", std::sync::Arc::new(Int64Array::from(vec![1, 2])) as _),
        ("amount", std::sync::Arc::new(amounts) as _),
    ])
    .unwrap();
    let mut stream = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    let typed = Push { body: Bytes::from(stream.into_inner().unwrap()), ..push("k1", PushFormat::Arrow, "") };
    let packed = zstd::encode_all("id,amount\n3,7.5\n".as_bytes(), 0).unwrap();
    let packed = Push { body: Bytes::from(packed), ..push("k2", PushFormat::Csv, "") };
    let broken = push("k3", PushFormat::Arrow, "no Arrow");
    let (pushes, caller) = (&pushes, &caller());
    let answers = futures::future::join_all([typed, packed, broken].map(|push| pushes.push(caller, push))).await;
    // 12.345 has a digit more than the contract.
    assert_eq!(answers[0].as_ref().unwrap().rows, rows(2, 1, 1, 0));
    assert_eq!(answers[1].as_ref().unwrap().rows, rows(1, 1, 0, 0));
    let error = answers[2].as_ref().unwrap_err().chain();
    assert!(error.contains("`push:meter/k3` cannot be read as Arrow"), "{error}");
    let found = lake.sql("select id, amount from market.trades order by id").await;
    assert_eq!(found, [["0", "0.00"], ["1", "0.15"], ["3", "7.50"]]);
}
