//! Where files come from and what they are packed in.

use std::io::{Cursor, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use xiangyun_engine::ErrorKind;
use xiangyun_engine::storage::Storage;

use crate::fuzz::judge::{self, source_of};
use crate::fuzz::packing::Packing;
use crate::loads::TABLE;
use crate::moto::Moto;
use crate::workspace::Lake;

const ROWS: &str = "select id, amount from market.trades order by id";

fn pipeline(source: &str) -> String {
    format!(
        "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"replace\"\n\
         source = {{ kind = \"csv\", {source} }}\n"
    )
}

async fn lake(source: &str, more: &[(&str, &[u8])]) -> Lake {
    let pipeline = pipeline(source);
    let mut files = vec![("tables/t.toml", TABLE.as_bytes()), ("pipelines/p.toml", pipeline.as_bytes())];
    files.extend(more);
    Lake::open(&files).await
}

/// A zip of ten thousand small files is one load and one version, and a second one is none.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_small_files_in_a_zip_are_one_commit() {
    const FILES: usize = 10_000;
    let entries: Vec<_> = (0..FILES)
        .map(|number| {
            (format!("{:03}/{number:05}.csv", number % 365), format!("id,amount\n{number},0.25\n").into_bytes())
        })
        .collect();
    let entries: Vec<_> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let lake = lake("path = \"data/t.zip\"", &[("data/t.zip", &zip(&entries))]).await;
    let run = lake.load("trades").await.unwrap().run;
    assert_eq!((run.rows_read, run.rows_loaded, run.version, run.sources.len()), (10_000, 10_000, Some(0), FILES));
    let sums = "select count(*), count(distinct id), sum(amount), count(distinct _file) from market.trades";
    assert_eq!(lake.sql(sums).await, [["10000", "10000", "2500.00", "10000"]]);
    assert_eq!(
        lake.sql("select _file, _line from market.trades where id = 4711").await,
        [["data/t.zip/331/04711.csv", "2"]]
    );
    assert_eq!(lake.load("trades").await.unwrap().outcome, xiangyun_ingest::LoadOutcome::Unchanged);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_loads_once_and_by_what_is_in_it() {
    let first = zip(&[("b.csv", b"id,amount\n2,2.50\n"), ("a.csv", b"id,amount\n1,1.50\n"), ("x.txt", b"?")]);
    let lake = lake(r#"path = "data", entries = "*.csv""#, &[("data/t.zip", &first)]).await;
    let report = lake.load("trades").await.unwrap();
    let names: Vec<_> = report.run.sources.iter().map(|source| source.path.as_str()).collect();
    assert_eq!(names, ["data/t.zip/a.csv", "data/t.zip/b.csv"]);
    assert_eq!(lake.sql(ROWS).await, [["1", "1.50"], ["2", "2.50"]]);
    assert_eq!(report.run.sources[0].size_bytes, 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_among_good_ones_is_named() {
    let good = gzip(b"id,amount\n1,1.50\n");
    let long: String = (0..5000).map(|id| format!("{id},1.50\n")).collect();
    let long = gzip(format!("id,amount\n{long}").as_bytes());
    let files =
        [("data/a.csv.gz", good.as_slice()), ("data/b.csv.gz", &long[..long.len() / 2]), ("data/c.csv.gz", &good)];
    let lake = lake(r#"path = "data""#, &files).await;
    let error = lake.load("trades").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataQuality);
    assert!(error.to_string().starts_with("`data/b.csv.gz` is not a complete gzip file"), "{error}");
    assert!(!lake.root().join("lake/market/trades/_delta_log").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_cannot_be_read_name_the_entry_and_say_what_to_do() {
    let nested = zip(&[("in.zip", &zip(&[("a.csv", b"id,amount\n1,1.50\n")]))]);
    let lake = lake(r#"path = "data/t.zip""#, &[("data/t.zip", &nested)]).await;
    let error = lake.load("trades").await.unwrap_err();
    assert_eq!(error.to_string(), "`data/t.zip/in.zip` is an archive within an archive");
    assert_eq!(error.hint(), Some("unpack the outer archive and name what was in it"));
    lake.write("data/t.zip", &nested[..nested.len() - 30]);
    let error = lake.load("trades").await.unwrap_err();
    assert!(
        error.to_string().starts_with("archive `data/t.zip` cannot be read: it is no complete zip file"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::DataQuality);
}

/// Answers one connection after the other with these bytes; gives the requests.
fn server(listener: TcpListener, replies: Vec<Vec<u8>>) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let answer = |reply: Vec<u8>| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            stream.write_all(&reply).unwrap();
            String::from_utf8(request).unwrap().to_ascii_lowercase()
        };
        replies.into_iter().map(answer).collect()
    })
}

fn reply(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// A lake whose source is `path` below a connection to a server on this machine that wants a token.
async fn lake_of(port: u16, path: &str) -> Lake {
    let connection = format!(
        "version = 1\nname = \"portal\"\nurl = \"http://127.0.0.1:{port}/out\"\ntls = \"off\"\n\
         secret = {{ file = \"portal.secret\" }}\n"
    );
    let source = format!(r#"path = "{path}", connection = "portal""#);
    lake(&source, &[("connections/c.toml", connection.as_bytes()), ("portal.secret", b"geheim\n")]).await
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_breaks_goes_on_where_it_stopped() {
    let (listener, port) = listen();
    let served = server(
        listener,
        vec![
            reply("503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0", ""),
            reply("429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0", ""),
            reply("200 OK\r\nETag: \"v1\"\r\nContent-Length: 24", "id,amount\n1,"),
            reply(
                "206 Partial Content\r\nETag: \"v1\"\r\nContent-Range: bytes 12-23/24\r\nContent-Length: 12",
                "1.50\n2,2.50\n",
            ),
        ],
    );
    let lake = lake_of(port, "a.csv?key=geheim").await;
    let report = lake.load("trades").await;
    let requests = served.join().unwrap();
    assert!(requests.iter().all(|request| request.contains("authorization: bearer geheim")), "{requests:?}");
    assert!(
        requests[3].contains("range: bytes=12-\r\n") && requests[3].contains("if-range: \"v1\"\r\n"),
        "{requests:?}"
    );
    let report = report.unwrap();
    let source = &report.run.sources[0];
    assert_eq!((source.path.as_str(), source.size_bytes), (format!("http://127.0.0.1:{port}/out/a.csv").as_str(), 24));
    assert_eq!(lake.sql(ROWS).await, [["1", "1.50"], ["2", "2.50"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_begins_again_where_the_server_cannot_go_on() {
    let (listener, port) = listen();
    let served = server(
        listener,
        vec![
            reply("200 OK\r\nContent-Length: 17", "id,amount\n9,9"),
            reply("200 OK\r\nContent-Length: 17", "id,amount\n1,1.50\n"),
        ],
    );
    let lake = lake_of(port, "a.csv").await;
    lake.load("trades").await.unwrap();
    assert!(!served.join().unwrap()[1].contains("range:"));
    assert_eq!(lake.sql(ROWS).await, [["1", "1.50"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_or_leads_away_is_named_and_no_secret_shown() {
    let (elsewhere, other_port) = listen();
    elsewhere.set_nonblocking(true).unwrap();
    let redirect = format!("302 Found\r\nLocation: http://127.0.0.1:{other_port}/out/a.csv\r\nContent-Length: 0");
    for (head, expected) in [
        ("404 Not Found\r\nContent-Length: 0", "source file `URL` does not exist"),
        ("401 Unauthorized\r\nContent-Length: 0", "the server of `URL` refuses access (401)"),
        ("400 Bad Request\r\nContent-Length: 0", "cannot fetch `URL`"),
        (redirect.as_str(), "cannot fetch `URL`"),
    ] {
        let (listener, port) = listen();
        let served = server(listener, vec![reply(head, "")]);
        let lake = lake_of(port, "a.csv?key=geheim").await;
        let error = lake.load("trades").await.unwrap_err();
        served.join().unwrap();
        assert_eq!(error.to_string(), expected.replace("URL", &format!("http://127.0.0.1:{port}/out/a.csv")));
        assert!(!format!("{error:?} {}", error.chain()).contains("geheim"), "{error:?}");
    }
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_paths_that_cannot_be_used_say_why() {
    let hint = "declare its URL in connections/*.toml and name that as `source.connection`";
    for (path, expected, hint) in [
        ("s3://bucket/a.csv", "`s3://bucket/a.csv` needs a connection", Some(hint)),
        ("http://a.invalid/a.csv?x=geheim", "`http://a.invalid/a.csv` needs a connection", Some(hint)),
        (
            "https://me:geheim@a.invalid/a.csv",
            "source path `https://a.invalid/a.csv` cannot be used: it holds a user or a password; name a connection instead",
            None,
        ),
        (
            "ftp://a.invalid/a.csv",
            "source path `ftp://a.invalid/a.csv` cannot be used: files are read from this machine, `s3://`, `https://` and \
             `http://`",
            None,
        ),
    ] {
        let error = lake(&format!(r#"path = "{path}""#), &[]).await.load("trades").await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint(), error.kind()), (expected, hint, ErrorKind::InvalidInput));
    }
    let error = lake_of(1, "https://b.invalid/a.csv").await.load("trades").await.unwrap_err();
    assert!(error.to_string().ends_with("it does not lie below the URL of connection `portal`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_store_are_found_by_name_prefix_and_pattern() {
    let Some(moto) = Moto::start("objects_of_a_store_are_found_by_name_prefix_and_pattern").await else { return };
    let options = moto.options("s3://lake");
    let storage = Storage::open(&options).await.unwrap();
    let first = gzip(b"id,amount\n1,1.50\n");
    let third = zip(&[("c.csv", b"id,amount\n3,3.50\n")]);
    for (key, bytes) in [
        ("in/2020/a.csv.gz", first.as_slice()),
        ("in/2020/.hidden", b"?"),
        ("in/2021/二.csv", b"id,amount\n2,2.50\n"),
        ("in/2021/c.zip", &third),
    ] {
        storage.store.put(&Path::parse(key).unwrap(), PutPayload::from(bytes.to_vec())).await.unwrap();
    }
    let connection = format!(
        "version = 1\nname = \"bucket\"\nurl = \"s3://lake/in\"\nendpoint = \"{}\"\ntls = \"off\"\nuser = \"test-key\"\n\
         secret = {{ file = \"s3.secret\" }}\n",
        options.endpoint.unwrap()
    );
    for (path, expected) in [
        ("2020/a.csv.gz", &["s3://lake/in/2020/a.csv.gz"][..]),
        ("2021", &["s3://lake/in/2021/c.zip/c.csv", "s3://lake/in/2021/二.csv"]),
        ("s3://lake/in/*/*.csv*", &["s3://lake/in/2020/a.csv.gz", "s3://lake/in/2021/二.csv"]),
    ] {
        let files = [("connections/c.toml", connection.as_bytes()), ("s3.secret", b"test-secret\n".as_slice())];
        let lake = lake(&format!(r#"path = "{path}", connection = "bucket""#), &files).await;
        let report = lake.load("trades").await.unwrap();
        let names: Vec<_> = report.run.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(names, expected, "{path}");
        assert_eq!(lake.sql(ROWS).await.len(), expected.len());
    }
    let files = [("connections/c.toml", connection.as_bytes()), ("s3.secret", b"test-secret\n".as_slice())];
    let error = lake(r#"path = "2022", connection = "bucket""#, &files).await.load("trades").await.unwrap_err();
    assert_eq!(error.to_string(), "no file matches `s3://lake/in/2022`");
}

#[test]
fn a_database_is_read_whatever_packs_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("a.sqlite")).unwrap();
    connection.execute_batch("CREATE TABLE t (a, b TEXT); INSERT INTO t VALUES (1, '长春'), (2.5, NULL)").unwrap();
    drop(connection);
    let bytes = std::fs::read(folder.path().join("a.sqlite")).unwrap();
    let entries = [("b/a.sqlite".to_owned(), bytes.clone()), ("readme.txt".to_owned(), b"?".to_vec())];
    for (name, packing) in [("a.zip", Packing::Zip), ("a.tar", Packing::Tar)] {
        std::fs::write(folder.path().join(name), packing.pack(&entries).unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("a.sqlite.gz"), gzip(&bytes)).unwrap();
    let packed = Packing::Xz.pack(&[(String::new(), Packing::Tar.pack(&entries).unwrap())]).unwrap();
    std::fs::write(folder.path().join("a.tar.xz"), packed).unwrap();
    let read = |name: &str, more: &str| {
        let source = source_of(&format!("kind = \"sqlite\"\ntable = \"t\"\n{more}"), name);
        judge::read(runtime.handle(), folder.path(), &source)
    };
    let plain = read("a.sqlite", "").unwrap();
    assert_eq!((plain.rows, plain.unreadable), (2, 0));
    assert_eq!(read("a.sqlite.gz", "").unwrap(), plain);
    for name in ["a.zip", "a.tar", "a.tar.xz"] {
        assert_eq!(read(name, "entries = \"*.sqlite\"").unwrap(), plain, "{name}");
        let error = read(name, "").unwrap_err();
        assert_eq!(error, format!("`path` of the source cannot be `{name}`"));
    }
    std::fs::write(folder.path().join("cut.sqlite.gz"), &gzip(&bytes)[..60]).unwrap();
    let error = read("cut.sqlite.gz", "").unwrap_err();
    assert!(error.starts_with("`cut.sqlite.gz` is not a complete gzip file"), "{error}");
}
