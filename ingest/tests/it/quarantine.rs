//! Rejected rows on their way back: exported, corrected, replayed once.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use futures::TryStreamExt;
use xiangyun_engine::{ErrorKind, Result};
use xiangyun_ingest::progress::Silent;
use xiangyun_ingest::quarantine::QuarantineFilter;
use xiangyun_ingest::{LoadOptions, LoadOutcome, LoadReport};

use crate::loads::{TABLE, pipeline};
use crate::workspace::Lake;

async fn open(pipeline: &str, text: &str) -> Lake {
    let files = [
        ("tables/t.toml", TABLE.as_bytes()),
        ("pipelines/p.toml", pipeline.as_bytes()),
        ("data/a.csv", text.as_bytes()),
    ];
    Lake::open(&files).await
}

/// What the export has, as a CSV text.
async fn export(lake: &Lake, filter: &QuarantineFilter) -> Result<String> {
    let export = lake.ingest.export_quarantine(filter).await?;
    let names: Vec<_> = export.schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut text = names.join(",") + "\n";
    for batch in export.batches.try_collect::<Vec<_>>().await? {
        for row in 0..batch.num_rows() {
            for (index, column) in batch.columns().iter().map(|column| column.as_string::<i32>()).enumerate() {
                let value = if column.is_null(row) { String::new() } else { column.value(row).replace('"', "\"\"") };
                write!(text, "{}\"{value}\"", if index > 0 { "," } else { "" }).unwrap();
            }
            text.push('\n');
        }
    }
    Ok(text)
}

/// Replays a file of this text.
async fn replay(lake: &Lake, text: &str) -> Result<Vec<LoadReport>> {
    let path: PathBuf = lake.root().join("corrected.csv");
    std::fs::write(&path, text).unwrap();
    lake.ingest.replay(&path, &LoadOptions::default(), Arc::new(Silent)).await
}

fn all() -> QuarantineFilter {
    QuarantineFilter::default()
}

const QUARANTINE: &str =
    "select line, reason, resolved_by is not null from system.quarantine order by rejected_at, number";
const ROWS: &str = "select id, amount from market.trades order by id";

#[tokio::test(flavor = "multi_thread")]
async fn corrected_rows_are_loaded_once_and_the_rejected_ones_stay_told() {
    let lake = open(&pipeline("append"), "id,amount\n1,10.50\n2,x\n3\n4,\"a \"\"b\"\",\n\"\n").await;
    assert_eq!(lake.load("trades").await.unwrap().run.rows_rejected, 3);
    let text = export(&lake, &all()).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("quarantine_message,id,amount,quarantine_raw"), "{}", lines[0]);
    assert!(text.contains("\"2\",\"x\",\"\""), "{text}");
    assert!(text.contains("\"FIELD_COUNT\",\"the row has 1 fields and the header 2\",\"\",\"\",\"3\""), "{text}");
    // One is corrected, one filled in, one is still wrong.
    let fixed = text.replace("\"2\",\"x\",\"\"", "\"2\",\"20\",\"\"").replace("\"\",\"\",\"3\"", "\"3\",\"30\",\"3\"");
    let reports = replay(&lake, &fixed).await.unwrap();
    let run = &reports[0].run;
    assert_eq!((run.rows_read, run.rows_loaded, run.rows_rejected, run.rows_duplicate), (3, 2, 1, 0));
    assert_eq!(lake.sql(ROWS).await, [["1", "10.50"], ["2", "20.00"], ["3", "30.00"]]);
    // A row tells where it stood in the file that the agency sent.
    let traced = lake.sql("select id, _file, _line, _run from market.trades where id = 2").await;
    assert_eq!(traced, [["2", "data/a.csv", "3", run.run_id.as_str()]]);
    let told = lake.sql(QUARANTINE).await;
    let resolved: Vec<_> = told.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(resolved, ["true", "true", "true", "false"], "{told:?}");
    let replay_of = lake.sql("select replay_of is not null, rows_loaded from system.runs order by started_at").await;
    assert_eq!(replay_of, [["false", "1"], ["true", "2"]]);
    // Again, and with other corrections: a no-op that says so.
    for again in [fixed.clone(), fixed.replace("\"20\"", "\"21\"")] {
        let report = replay(&lake, &again).await.unwrap().remove(0);
        assert_eq!(report.outcome, LoadOutcome::Unchanged);
        assert!(report.run.notes[0].contains("3 of the rows were taken up by run"), "{:?}", report.run.notes);
    }
    assert_eq!(lake.sql("select count(*), sum(amount) from market.trades").await, [["3", "60.50"]]);
    // The one that was wrong again is open under the run that rejected it again.
    let rest = export(&lake, &all()).await.unwrap();
    assert_eq!(rest.matches("data/a.csv").count(), 1, "{rest}");
    let fixed = rest.replace("\"a \"\"b\"\",\n\"", "\"4\"");
    assert_eq!(replay(&lake, &fixed).await.unwrap()[0].run.rows_loaded, 1);
    assert_eq!(lake.sql("select sum(amount) from market.trades").await, [["64.50"]]);
    assert_eq!(export(&lake, &all()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn some_rows_now_and_the_others_later() {
    let lake = open(&pipeline("append"), "id,amount\n1,a\n2,b\n3,c\n").await;
    lake.load("trades").await.unwrap();
    let text = export(&lake, &all()).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let of = |rows: &[usize]| {
        let rows = rows.iter().map(|row| lines[*row].replace(["\"a\"", "\"b\"", "\"c\""].as_slice()[row - 1], "\"5\""));
        format!("{}\n{}\n", lines[0], rows.collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(replay(&lake, &of(&[2])).await.unwrap()[0].run.rows_loaded, 1);
    let report = replay(&lake, &of(&[1, 2, 3])).await.unwrap().remove(0);
    assert_eq!((report.run.rows_read, report.run.rows_loaded), (2, 2));
    assert!(report.run.notes.iter().any(|note| note.starts_with("1 of the rows were taken up by run")));
    assert_eq!(lake.sql(ROWS).await, [["1", "5.00"], ["2", "5.00"], ["3", "5.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_pass_as_they_were_once_the_pipeline_lets_them() {
    let strict = format!("{}[[checks]]\ncolumn = \"amount\"\nrule = {{ at-most = \"10\" }}\n", pipeline("append"));
    let lake = open(&strict, "id,amount\n1,5\n2,50\n3,500\n4\n").await;
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_loaded, run.rows_rejected), (1, 3));
    lake.write("pipelines/p.toml", strict.replace("\"10\"", "\"100\"").as_bytes());
    let lake = Lake { ingest: Lake::at(lake.root()).await.ingest, folder: lake.folder };
    let reports = lake.ingest.replay_run(&run.run_id, &LoadOptions::default(), Arc::new(Silent)).await.unwrap();
    assert_eq!((reports[0].run.rows_read, reports[0].run.rows_loaded, reports[0].run.rows_rejected), (2, 1, 1));
    assert_eq!(lake.sql(ROWS).await, [["1", "5.00"], ["2", "50.00"]]);
    let again = lake.ingest.replay_run(&run.run_id, &LoadOptions::default(), Arc::new(Silent)).await.unwrap();
    assert_eq!(again[0].outcome, LoadOutcome::Unchanged);
    // The line that has no columns waits for somebody to fill them in.
    let open = "select reason from system.quarantine where resolved_by is null order by reason";
    assert_eq!(lake.sql(open).await, [["AT_MOST"], ["FIELD_COUNT"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transformed_rows_are_replayed_as_they_were_checked() {
    let transformed =
        format!("{}transform = {{ sql = \"select id, amount as amount from source\" }}\n", pipeline("append"));
    let transformed = transformed.replace("select id,", "select cast(id as bigint) * 10 as id,");
    let lake = open(&transformed, "id,amount\n1,1\n2,x\n").await;
    lake.load("trades").await.unwrap();
    let text = export(&lake, &all()).await.unwrap();
    assert!(text.contains("\"20\",\"x\""), "{text}");
    replay(&lake, &text.replace("\"x\"", "\"2\"")).await.unwrap();
    assert_eq!(lake.sql(ROWS).await, [["10", "1.00"], ["20", "2.00"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_replaced_since_are_refused() {
    let lake = open(&pipeline("replace"), "id,amount\n1,1\n2,x\n").await;
    lake.load("trades").await.unwrap();
    let text = export(&lake, &all()).await.unwrap().replace("\"x\"", "\"2\"");
    // Corrected rows are added to a replacement, and go with it.
    assert_eq!(replay(&lake, &text).await.unwrap()[0].run.rows_loaded, 1);
    assert_eq!(lake.sql(ROWS).await, [["1", "1.00"], ["2", "2.00"]]);
    lake.write("data/a.csv", b"id,amount\n7,7\n8,x\n");
    lake.load("trades").await.unwrap();
    assert_eq!(lake.sql(ROWS).await, [["7", "7.00"]]);
    let error = replay(&lake, &text).await.unwrap_err();
    assert!(error.chain().contains("has replaced its rows since"), "{}", error.chain());
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_again_takes_its_corrected_rows_along() {
    let replaces = format!(
        "{}on_changed_file = \"replace\"
",
        pipeline("append")
    );
    let lake = open(
        &replaces,
        "id,amount
1,1
2,x
",
    )
    .await;
    let first = lake.load("trades").await.unwrap().run.run_id;
    let text = export(&lake, &all()).await.unwrap().replace("\"x\"", "\"2\"");
    replay(&lake, &text).await.unwrap();
    // The agency corrects the file itself.
    lake.write("data/a.csv", b"id,amount\n1,1\n2,3\n");
    lake.load("trades").await.unwrap();
    assert_eq!(lake.sql(ROWS).await, [["1", "1.00"], ["2", "3.00"]]);
    // A run that is made again does the same, and its rejected rows are those of the past.
    let lake = open(&pipeline("append"), "id,amount\n1,1\n2,x\n3,y\n").await;
    let run = lake.load("trades").await.unwrap().run.run_id;
    let text = export(&lake, &all()).await.unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let row = |number: usize| format!("{header}\n{}\n", rows.lines().nth(number).unwrap());
    replay(&lake, &row(0).replace("\"x\"", "\"2\"")).await.unwrap();
    lake.write("data/a.csv", b"id,amount\n1,1\n2,2\n3,3\n");
    lake.ingest.redo(&run, &LoadOptions::default(), Arc::new(Silent)).await.unwrap();
    assert_eq!(lake.sql(ROWS).await, [["1", "1.00"], ["2", "2.00"], ["3", "3.00"]]);
    let error = replay(&lake, &row(1).replace("\"y\"", "\"3\"")).await.unwrap_err().chain();
    assert!(error.contains(&format!("run {run} was made again by run")), "{error}");
    assert_ne!(first, run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_load_shows_its_rows_and_takes_none_back() {
    let stopped = format!(
        "{}max_rejected = 0
",
        pipeline("append")
    );
    let lake = open(&stopped, "id,amount\n1,1\n2,x\n").await;
    lake.load("trades").await.unwrap_err();
    assert_eq!(export(&lake, &all()).await.unwrap_err().kind(), ErrorKind::NotFound);
    let run = Some(lake.sql("select run_id from system.runs").await[0][0].clone());
    let text = export(&lake, &QuarantineFilter { run, ..all() }).await.unwrap().replace("\"x\"", "\"2\"");
    let error = replay(&lake, &text).await.unwrap_err().chain();
    assert!(error.contains("loaded nothing: it was stopped"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_correct_nothing_are_refused_with_their_line() {
    let lake = open(&pipeline("append"), "id,amount\n1,x\n2,y\n").await;
    lake.load("trades").await.unwrap();
    let text = export(&lake, &all()).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let run = lake.sql("select run_id from system.runs").await[0][0].clone();
    for (file, message) in [
        ("id,amount\n1,2\n".to_owned(), "has no column `quarantine_run`"),
        (format!("{}\n{}\n{}\n", lines[0], lines[1], lines[1]), "stands twice in the file"),
        (text.replace("\"1\",\"data", "\"9\",\"data"), "has no row 9 in quarantine"),
        (text.replace("\"2\",\"data", "\"\",\"data"), "line 3 of `"),
        (text.replace("\"2\",\"data", "\"two\",\"data"), "`two` is no number of a row"),
        (text.replace(&run, "elsewhere"), "no rejected row is like that"),
        (format!("{text}\"{run}\"\n"), "the row has 1 fields"),
    ] {
        let error = replay(&lake, &file).await.unwrap_err().chain();
        assert!(error.contains(message), "{error}");
        assert_eq!(lake.sql("select count(*) from market.trades").await, [["0"]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_two_processes_are_taken_up_once() {
    let lake = open(&pipeline("append"), "id,amount\n1,x\n").await;
    lake.load("trades").await.unwrap();
    let text = export(&lake, &all()).await.unwrap();
    let others: Vec<_> = (0..4).map(|_| lake.root().to_owned()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for (number, root) in others.into_iter().enumerate() {
        let text = text.replace("\"x\"", &format!("\"{number}\""));
        tasks.spawn(async move {
            let lake = Lake::at(&root).await;
            let path = root.join(format!("corrected-{number}.csv"));
            std::fs::write(&path, text).unwrap();
            lake.ingest.replay(&path, &LoadOptions::default(), Arc::new(Silent)).await.unwrap().remove(0).outcome
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == LoadOutcome::Loaded).count(), 1, "{outcomes:?}");
    assert_eq!(lake.sql("select count(*) from market.trades").await, [["1"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_row_is_kept_whole() {
    let long = "长".repeat(100_000);
    let lake = open(&pipeline("append"), &format!("id,amount\n1,{long}\n{long}\n")).await;
    lake.load("trades").await.unwrap();
    let lengths = lake.sql("select character_length(raw) from system.quarantine order by line").await;
    // {"id":"1","amount":"…"} around one of them.
    assert_eq!(lengths, [["100022"], ["100000"]]);
}
