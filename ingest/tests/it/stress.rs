//! Many processes append to one table while others put its files together and read it: all succeed, counts are exact.
//!
//! `cargo test` makes a small round. `make test-stress` makes the full one: 16 processes with 100 appends each, on local
//! files and on an S3-compatible server, with a compaction that never rests and four readers.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use xiangyun_engine::catalog::TableDef;
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_ingest::commit::Committer;
use xiangyun_ingest::maintain::{Pick, Subject};

use crate::lake::{append, catalog, contract, count, people, session_of, text};
use crate::moto::Moto;

const ROLE: &str = "STRESS_ROLE";
const URL: &str = "STRESS_URL";
const ENDPOINT: &str = "STRESS_ENDPOINT";

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Its number, and how many appends it makes.
    Writer(i64, i64),
    Compactor,
    Reader,
}

impl Role {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(':');
        let name = parts.next().unwrap();
        let mut number = || parts.next().unwrap().parse().unwrap();
        match name {
            "writer" => Self::Writer(number(), number()),
            "compactor" => Self::Compactor,
            _ => Self::Reader,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Writer(number, appends) => format!("writer:{number}:{appends}"),
            Self::Compactor => "compactor".into(),
            Self::Reader => "reader".into(),
        }
    }
}

fn table() -> Arc<TableDef> {
    contract("stress.people", &["id: int64", "name: text"], "sort_by = [\"id\"]")
}

/// One of the processes; it does nothing unless a test gives it a role.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "the other side of the stress test"]
async fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let options = match std::env::var(ENDPOINT) {
        Ok(endpoint) => crate::moto::options(&endpoint, &std::env::var(URL).unwrap()),
        Err(_) => StorageOptions { url: std::env::var(URL).unwrap(), ..StorageOptions::default() },
    };
    let storage = Storage::open(&options).await.unwrap();
    // The parent closes the pipe when the writers have ended.
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    });
    match Role::parse(&role) {
        Role::Writer(number, appends) => write(&storage, number, appends).await,
        Role::Compactor => compact(&storage, &stopped).await,
        Role::Reader => read(&storage, &stopped).await,
    }
}

async fn write(storage: &Storage, number: i64, appends: i64) {
    let committer = Committer::new(storage.clone());
    let table = table();
    for append_number in 0..appends {
        let id = number * 10_000 + append_number;
        append(&committer, &table, &id.to_string(), &people(&[(id, "a"), (id + 1_000_000, "b")])).await;
    }
}

async fn compact(storage: &Storage, stopped: &AtomicBool) {
    let committer = Committer::new(storage.clone());
    let subject = Subject::Table(table());
    let mut made = 0;
    loop {
        let is_last = stopped.load(Ordering::Relaxed);
        let done = committer.compact(&subject, Pick::Tiers).await.unwrap();
        made += usize::from(done.version.is_some());
        assert_eq!(done.overtaken, 0, "nothing but this process takes files out");
        if is_last {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(made > 0, "nothing was compacted");
    eprintln!("{made} compactions");
}

async fn read(storage: &Storage, stopped: &AtomicBool) {
    let kept = catalog(storage).await;
    let (mut last, mut reads) = (0, 0);
    loop {
        let is_last = stopped.load(Ordering::Relaxed);
        // Every other time without a cache, as a process that has just begun.
        let fresh = catalog(storage).await;
        let catalog = if reads % 2 == 0 { &kept } else { &fresh };
        match catalog.pin(&table().name).await {
            Ok(pinned) => {
                let session = session_of(catalog, &pinned);
                let found = text(&session, "select count(*), count(distinct id), sum(id) from t").await;
                let numbers: Vec<i64> = found[0].split('|').map(|number| number.parse().unwrap()).collect();
                assert_eq!(numbers[0], numbers[1], "a row is there twice");
                assert!(numbers[0] % 2 == 0, "half of an append is there");
                assert!(numbers[0] >= last, "rows went away: {last}, then {}", numbers[0]);
                last = numbers[0];
                reads += 1;
            }
            Err(error) => assert!(last == 0 && error.to_string().starts_with("there is no table"), "{error}"),
        }
        if is_last {
            break;
        }
    }
    assert!(reads > 1, "nothing was read");
    eprintln!("{reads} reads");
}

/// How large a round is.
#[derive(Debug, Clone, Copy)]
struct Round {
    processes: i64,
    appends: i64,
    readers: usize,
}

impl Round {
    /// The round that the environment asks for; otherwise a small one of so many appends a process.
    fn asked(appends: i64) -> Self {
        let processes = number_of("STRESS_PROCESSES").unwrap_or(4);
        let appends = number_of("STRESS_APPENDS").unwrap_or(appends);
        Self { processes, appends, readers: if processes > 4 { 4 } else { 1 } }
    }
}

fn number_of(variable: &str) -> Option<i64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn spawn(role: Role, url: &str, endpoint: Option<&str>, folder: &Path, name: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stress::child", "--ignored", "--nocapture"]).env(ROLE, role.text()).env(URL, url);
    if let Some(endpoint) = endpoint {
        command.env(ENDPOINT, endpoint);
    }
    // Processes of a machine take turns by its files; an object store has users on more than one.
    let machine = folder.join(if matches!(role, Role::Writer(number, _) if number % 2 == 1) { "other" } else { "one" });
    std::fs::create_dir_all(&machine).unwrap();
    command.env("TMPDIR", machine);
    let said = std::fs::File::create(folder.join(name)).unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(said).spawn().unwrap()
}

/// Waits for a process and gives what it said; the test fails with it where it failed.
fn end(mut child: Child, folder: &Path, name: &str) -> String {
    drop(child.stdin.take());
    let status = child.wait().unwrap();
    let said = std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(status.success(), "{name} failed: {said}");
    said
}

async fn round(round: Round, url: &str, endpoint: Option<&str>, storage: &Storage) {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let start = |role: Role, name: String| (spawn(role, url, endpoint, folder.path(), &name), name);
    let writers: Vec<_> = (0..round.processes)
        .map(|number| start(Role::Writer(number, round.appends), format!("writer {number}")))
        .collect();
    let mut others = vec![start(Role::Compactor, "compactor".into())];
    others.extend((0..round.readers).map(|number| start(Role::Reader, format!("reader {number}"))));
    for (child, name) in writers {
        // The pipe of a writer is of no use to it.
        end(child, folder.path(), &name);
    }
    let written = begun.elapsed();
    let mut said = Vec::new();
    for (child, name) in others {
        let words = end(child, folder.path(), &name);
        said.extend(
            words.lines().filter(|line| line.ends_with("compactions") || line.ends_with("reads")).map(str::to_owned),
        );
    }
    let appends = round.processes * round.appends;
    assert_eq!(count(storage, &table()).await, 2 * appends);
    let catalog = catalog(storage).await;
    let session = session_of(&catalog, &catalog.pin(&table().name).await.unwrap());
    let distinct = text(&session, "select count(distinct id) from t").await;
    assert_eq!(distinct, [(2 * appends).to_string()]);
    let history = catalog.history(&table().name).await.unwrap();
    assert_eq!(history.iter().filter(|commit| commit.run.is_some()).count() as i64, appends);
    let files = catalog.summary(&table().name).await.unwrap().files.unwrap();
    // Seven of a tier may wait for the eighth.
    assert!(files <= 32, "{files} files are left of {appends}");
    eprintln!(
        "{appends} appends of {} processes in {written:.1?}, {} versions, {files} files left; {}",
        round.processes,
        history.len(),
        said.join(", ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_write_to_one_table_of_local_files() {
    let folder = tempfile::tempdir().unwrap();
    let storage = crate::lake::open(folder.path()).await;
    let url = storage.url.to_string();
    round(Round::asked(10), &url, None, &storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_write_to_one_table_of_an_object_store() {
    let Some(moto) = Moto::start("many_processes_write_to_one_table_of_an_object_store").await else { return };
    let options = moto.options("s3://lake/stress");
    let storage = Storage::open(&options).await.unwrap();
    let endpoint = options.endpoint.clone();
    round(Round::asked(6), "s3://lake/stress", endpoint.as_deref(), &storage).await;
}

/// How long a reader without a cache needs for a log of many commits is told and not judged: that depends on the machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_many_commits_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let storage = crate::lake::open(folder.path()).await;
    write(&storage, 0, number_of("STRESS_COMMITS").unwrap_or(60)).await;
    let commits = number_of("STRESS_COMMITS").unwrap_or(60);
    let begun = Instant::now();
    let opened = catalog(&storage).await.pin(&table().name).await.unwrap();
    eprintln!("a table of {commits} commits and {commits} files was opened without a cache in {:.1?}", begun.elapsed());
    assert_eq!(opened.version, commits as u64 - 1);
    let done = Committer::new(storage.clone()).compact(&Subject::Table(table()), Pick::All).await.unwrap();
    assert_eq!((done.files_removed as i64, done.files_added), (commits, 1));
    let begun = Instant::now();
    let opened = catalog(&storage).await.pin(&table().name).await.unwrap();
    eprintln!("the same after a compaction, in {:.1?}", begun.elapsed());
    assert_eq!(opened.version, commits as u64);
    assert_eq!(count(&storage, &table()).await, 2 * commits);
    let history = catalog(&storage).await.history(&table().name).await.unwrap();
    assert_eq!(history.iter().filter(|commit| commit.run.is_some()).count() as i64, commits);
}
