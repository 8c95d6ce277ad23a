//! What a person reads when a load goes wrong: each failure has its kind, names the place, and says what to do.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::storage::durable::DurableFileStore;
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::Declarations;

use crate::durability::Refusing;
use crate::loads::TABLE;
use crate::moto::Moto;
use crate::workspace::Lake;

const GOOD: &[u8] = b"id,amount\n1,1.50\n";

/// A pipeline that reads `path`; `more` is TOML behind it.
fn pipeline(path: &str, more: &str) -> String {
    format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"replace\"\n\
         source = {{ kind = \"csv\", path = \"{path}\" }}\n{more}"
    )
}

async fn lake(pipeline: &str, data: &[u8]) -> Lake {
    let files = [("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes()), ("data/a.csv", data)];
    Lake::open(&files).await
}

/// The error of a load that must fail, and leave nothing in the table.
async fn failure(pipeline: &str, data: &[u8]) -> Error {
    let lake = lake(pipeline, data).await;
    let error = lake.load("trades").await.unwrap_err();
    assert!(!lake.root().join("lake/market/trades/_delta_log").exists(), "{error:?}");
    error
}

#[track_caller]
fn assert_says(error: &Error, kind: ErrorKind, message: &str, hint: &str) {
    assert_eq!((error.kind(), error.to_string().as_str(), error.hint()), (kind, message, Some(hint)), "{error:?}");
}

/// As [`assert_says`], for a message whose end is the name of a temporary folder.
#[track_caller]
fn assert_begins(error: &Error, kind: ErrorKind, message: &str, hint: &str) {
    assert_eq!((error.kind(), error.hint()), (kind, Some(hint)), "{error:?}");
    assert!(error.to_string().starts_with(message), "{error:?}");
}

#[test]
fn an_unknown_column_is_found_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline =
        pipeline("data/a.csv", "[columns]\namuont = \"金额\"\n\n[[checks]]\ncolumn = \"ident\"\nrule = \"uscc\"\n");
    for (path, text) in [("tables/t.toml", TABLE), ("pipelines/p.toml", &pipeline)] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(folder.path(), &mut diagnostics);
    assert!(Declarations::load(&project, &mut diagnostics).pipelines.is_empty(), "a faulty pipeline is left out");
    let faults: Vec<_> = diagnostics.iter().map(|fault| xiangyun_engine::project::render(fault, false)).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    for (fault, texts) in faults.iter().zip([
        ["pipelines/p.toml:7", "`market.trades` has no column `amuont`", "did you mean `amount`?"],
        ["pipelines/p.toml:10", "`market.trades` has no column `ident`", "its columns are id, amount"],
    ]) {
        for text in texts {
            assert!(fault.contains(text), "`{text}` is not in {fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_do_not_fit_are_named_with_those_that_are_there() {
    let hint = "name the source's column in the pipeline's [columns], or write a transform";
    let error = failure(&pipeline("data/a.csv", ""), "id,金额\n1,1\n".as_bytes()).await;
    let message = "the rows of pipeline `trades` do not fit `market.trades`: there is no column `amount`; there are: \
                   id, 金额";
    assert_says(&error, ErrorKind::InvalidInput, message, hint);
    let transform = "transform = { sql = \"select id, true as amount from source\" }\n";
    let error = failure(&pipeline("data/a.csv", transform), GOOD).await;
    let message = "the rows of pipeline `trades` do not fit `market.trades`: column `amount` is Boolean and `amount` \
                   of the table is decimal(10,2): say with CAST in the SQL how one becomes the other";
    assert_says(&error, ErrorKind::InvalidInput, message, hint);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_wrong_type_is_named_with_its_line() {
    let lake = lake(&pipeline("data/a.csv", ""), b"id,amount\n1,1.50\n2,1.505\n").await;
    let report = lake.load("trades").await.unwrap();
    let found = &report.rejects[0];
    assert_eq!((found.file.as_str(), found.line, found.column.as_deref()), ("data/a.csv", 3, Some("amount")));
    assert_eq!(found.message, "`1.505` is not a decimal(10,2): it has too many digits behind the point");

    let check = "[[checks]]\ncolumn = \"id\"\nrule = { between = [\"1\", \"9\"] }\non_fail = \"stop\"\n";
    let error = failure(&pipeline("data/a.csv", check), b"id,amount\n1,1\n10,1\n").await;
    assert_eq!(error.kind(), ErrorKind::DataQuality);
    assert!(error.to_string().starts_with("a row stops the run, line 3 of `data/a.csv`: "), "{error}");
    assert!(error.hint().unwrap().starts_with("correct the file"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_named() {
    let where_it_starts = "relative paths start at the project's folder; check `source.path` of the pipeline";
    let error = failure(&pipeline("data/b.csv", ""), GOOD).await;
    assert_says(&error, ErrorKind::NotFound, "source file `data/b.csv` does not exist", where_it_starts);
    let error = failure(&pipeline("data/*.txt", ""), GOOD).await;
    assert_says(&error, ErrorKind::NotFound, "no file matches `data/*.txt`", where_it_starts);
    let empty = lake(&pipeline("empty", ""), GOOD).await;
    fs::create_dir(empty.root().join("empty")).unwrap();
    empty.write("empty/.hidden.csv", GOOD);
    let (error, hint) = (empty.load("trades").await.unwrap_err(), "files whose names begin with a dot are left out");
    assert_says(&error, ErrorKind::NotFound, "no file lies in the folder `empty`", hint);

    let again = "ask the agency to send the file again";
    let error = failure(&pipeline("data/a.csv", ""), b"").await;
    let message = "source file `data/a.csv` is empty: not even a header line";
    assert_says(&error, ErrorKind::DataQuality, message, again);
    let error = failure(&pipeline("data/a.csv", ""), b"id,amount\n").await;
    assert_says(&error, ErrorKind::DataQuality, "source file `data/a.csv` has a header and no rows", again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_file_that_was_cut_off_loads_nothing() {
    let mut rows = String::from("id,amount\n");
    for id in 0..20_000 {
        rows.push_str(&format!("{id},1\n"));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(rows.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    // In the middle, and before the last byte of the check sum: every row can be read then, and is not to be trusted.
    for cut in [whole.len() / 2, whole.len() - 1] {
        let error = failure(&pipeline("data/a.csv", ""), &whole[..cut]).await;
        let hint = "copy the file again: the transfer was probably cut off";
        assert_begins(&error, ErrorKind::DataQuality, "`data/a.csv` is not a complete gzip file: ", hint);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_cannot_be_written_is_named_and_keeps_its_rows() {
    let lake = lake(&pipeline("data/a.csv", ""), GOOD).await;
    lake.load("trades").await.unwrap();
    lake.write("data/a.csv", b"id,amount\n2,2\n");
    let right = "give this user the right to read and write the folder";
    let space = "free some space and run the command again: nothing was committed";
    for (kind, message, hint) in [
        (io::ErrorKind::PermissionDenied, "no permission while writing a file of `market.trades` in `file://", right),
        (io::ErrorKind::ReadOnlyFilesystem, "no permission while writing a file of `market.trades` in `file://", right),
        (io::ErrorKind::StorageFull, "no space left while writing a file of `market.trades` in `file://", space),
    ] {
        let folder = lake.root().join("lake");
        let store = DurableFileStore::with_layer(&folder, Arc::new(Refusing(kind)));
        let refusing = Lake::over(lake.root(), Storage::local(&folder, store).unwrap()).await;
        let error = refusing.load("trades").await.unwrap_err();
        assert_begins(&error, ErrorKind::Unavailable, message, hint);
        assert_eq!(refusing.sql("select id from market.trades").await, [["1"]], "{kind}");
    }
    lake.load("trades").await.unwrap();
    assert_eq!(lake.sql("select id from market.trades").await, [["2"]], "the same load succeeds once there is room");
}

/// The newest commit of the table.
fn newest_commit(root: &Path) -> std::path::PathBuf {
    let log = root.join("lake/market/trades/_delta_log");
    let commits = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    commits.filter(|path| path.extension().is_some_and(|extension| extension == "json")).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_stops_reading_and_loading() {
    for (is_empty, reason) in [(false, " is no JSON at line "), (true, " is empty")] {
        let lake = lake(&pipeline("data/a.csv", ""), GOOD).await;
        lake.load("trades").await.unwrap();
        let commit = newest_commit(lake.root());
        let content = fs::read(&commit).unwrap();
        let kept = if is_empty { 0 } else { content.len() - 20 };
        fs::write(&commit, &content[..kept]).unwrap();
        lake.write("data/a.csv", b"id,amount\n2,2\n");
        let file = commit.file_name().unwrap().to_str().unwrap();
        let message = format!("the log of `market.trades` is corrupted: `_delta_log/{file}`{reason}");
        let hint = "restore the file from a backup; nothing is read from this table until then";
        // A process that opens the lake after the damage.
        let later = Lake::at(lake.root()).await;
        let error = later.load("trades").await.unwrap_err();
        assert_begins(&error, ErrorKind::Corrupted, &message, hint);
        fs::write(&commit, content).unwrap();
        later.load("trades").await.unwrap();
        assert_eq!(later.sql("select id from market.trades").await, [["2"]], "restored, it goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_named_and_never_shown() {
    let Some(moto) = Moto::start_locked("a_refused_key_is_named_and_never_shown").await else { return };
    let error = Storage::open(&moto.options("s3://lake/root")).await.unwrap_err();
    let message = "the S3 service refused the credentials while opening the lake in `s3://lake/root`";
    let hint = "check `storage.access_key_id`, `storage.secret_access_key` and what the key may do";
    assert_says(&error, ErrorKind::InvalidInput, message, hint);
    assert!(!format!("{error:?} {}", error.chain()).contains("test-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_where_nobody_listens_is_named() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = StorageOptions {
        url: "s3://lake/root".into(),
        endpoint: Some(format!("http://{address}")),
        region: Some("us-east-1".into()),
        access_key_id: Some("test-key".into()),
        secret_access_key: Some("test-secret".into()),
        allow_http: true,
    };
    let error = Storage::open(&options).await.unwrap_err();
    let message = "the storage at `s3://lake/root` failed while opening the lake";
    let hint = "check `storage.endpoint`, `storage.region` and whether the service runs";
    assert_says(&error, ErrorKind::Unavailable, message, hint);
    assert!(error.chain().contains(&address.to_string()), "{}", error.chain());
}
