//! Hostile SQL neither kills the process nor touches a file nor grows memory past its bound, whatever it is and however
//! many ask at once. The statements are in `tests/hostile`, and what is said of each there is held against what happens.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a process tells the one that started it")]

mod statements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::{StreamExt, stream};
use xiangyun_engine::query::{ClassLimits, Limits, LogQueries, SqlRequest};
use xiangyun_engine::{Error, ErrorKind, Principal, PrincipalClass};

use self::statements::{Hostile, Outcome};
use crate::alone::alone;
use crate::support::{Lake, cells};

/// Statements that are asked at the same time.
const AT_ONCE: usize = 4;
/// Bytes that operators may hold.
const MEMORY_BYTES: usize = 128 << 20;
/// How much the process may grow: what operators hold, which other copies of the same rows come to, and what
/// allocators keep back.
const MOST_GROWTH_KIB: u64 = 1 << 20;
/// Rows that are looked at.
const MOST_ROWS: usize = 1_000;
/// What the files that nobody may read contain.
const SECRET: &str = "the-secret-of-a-file";

fn limits() -> Limits {
    let class = ClassLimits { concurrent: AT_ONCE, queued: 100, memory_bytes: MEMORY_BYTES / 2, ..ClassLimits::NONE };
    Limits {
        memory_bytes: MEMORY_BYTES,
        spill_bytes: 256 << 20,
        target_partitions: 2,
        // For those that must come to an end of their own, on whatever machine.
        timeout: Duration::from_secs(300),
        dashboard: ClassLimits { timeout: Duration::from_secs(3), ..class },
        analyst: ClassLimits { timeout: Duration::from_secs(20), ..class },
        ..Limits::default()
    }
}

/// Who asks, and so how long it may take.
fn asker(hostile: &Hostile) -> PrincipalClass {
    let may_be_cut =
        |outcome: &Outcome| *outcome == Outcome::Ends || *outcome == Outcome::Fails("limit_exceeded".into());
    if hostile.outcomes.contains(&Outcome::Endless) {
        PrincipalClass::Dashboard
    } else if hostile.outcomes.iter().any(may_be_cut) {
        PrincipalClass::Analyst
    } else {
        PrincipalClass::Operator
    }
}

async fn ask(lake: &Lake, hostile: &Hostile) -> Result<String, Error> {
    let context = lake.engine.query_as(Principal::new("mallory", "approvals", asker(hostile)));
    let request = SqlRequest {
        params: hostile.params.clone(),
        max_rows: Some(MOST_ROWS),
        ..SqlRequest::new(hostile.sql.clone())
    };
    let mut result = context.sql(request).await?;
    let mut shown = String::new();
    while let Some(batch) = result.next().await {
        for row in cells(&batch?) {
            shown.push_str(&row.join(" "));
            shown.truncate(shown.floor_char_boundary(1 << 20));
        }
    }
    Ok(shown)
}

/// What is wrong with how a statement ended.
fn fault(hostile: &Hostile, ended: &Result<String, Error>) -> Option<String> {
    let shown = match ended {
        Ok(shown) => shown.clone(),
        Err(error) => format!("{} {}", error.chain(), error.hint().unwrap_or_default()),
    };
    if shown.contains(SECRET) {
        return Some("shows what is in a file".into());
    }
    let fits = |outcome: &Outcome| match (outcome, ended) {
        (Outcome::Answers | Outcome::Ends, Ok(_)) => true,
        (Outcome::Ends, Err(error)) => error.kind() != ErrorKind::Internal,
        (Outcome::Endless, Err(error)) => error.kind() == ErrorKind::LimitExceeded,
        (Outcome::Fails(code), Err(error)) => error.kind().code() == code,
        _ => false,
    };
    if hostile.outcomes.iter().any(fits) {
        return None;
    }
    Some(match ended {
        Ok(_) => "is answered".into(),
        Err(error) => format!("{error:?}").chars().take(300).collect(),
    })
}

/// Every file below `folder`, with its bytes and the time of its last change.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), (Vec::new(), SystemTime::UNIX_EPOCH));
            found.extend(snapshot(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
        }
    }
    found
}

/// Temporary files of this process that hold something. A file may go while it is looked for.
fn spilled() -> Vec<PathBuf> {
    let mut folders = vec![std::env::temp_dir()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) if metadata.len() > 0 => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// A line of what the kernel tells of this process, in KiB; none on systems that tell nothing.
fn told_kib(what: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Asks everything of a topic in a process of its own.
fn survives(topic: &str) {
    alone(&format!("hostile::{topic}"), Duration::from_secs(900), |own| {
        static PANICS: AtomicUsize = AtomicUsize::new(0);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(panic);
        }));
        for (name, text) in [("secret.csv", SECRET), ("data.parquet", SECRET)] {
            std::fs::write(own.join(name), text).unwrap();
        }
        let lake_folder = own.join("lake");
        std::fs::create_dir(&lake_folder).unwrap();
        let statements = statements::read(topic, &own);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(AT_ONCE).enable_all().build().unwrap();
        let faults = runtime.block_on(async {
            let lake = Arc::new(Lake::at(&lake_folder, limits(), Arc::new(LogQueries)).await);
            assert_eq!(lake.rows("SELECT count(*) AS n FROM approvals.cases").await, ["5"]);
            let (files_before, before) = (snapshot(&own), told_kib("VmRSS:"));
            let only = std::env::var("HOSTILE_LINE").ok();
            let statements = statements
                .into_iter()
                .filter(|hostile| only.as_ref().is_none_or(|line| hostile.title.contains(&format!(".sql:{line} "))));
            let faults = stream::iter(statements)
                .map(|hostile| {
                    let lake = Arc::clone(&lake);
                    tokio::spawn(async move {
                        eprintln!("> {}", hostile.title);
                        let started = Instant::now();
                        let ended = ask(&lake, &hostile).await;
                        let told = match &ended {
                            Ok(_) => "answers".into(),
                            Err(error) => error.kind().code().to_owned(),
                        };
                        let peak = told_kib("VmHWM:").unwrap_or_default() >> 10;
                        let seconds = started.elapsed().as_secs_f32();
                        eprintln!("< {} {told} after {seconds:.1} s, peak {peak} MiB", hostile.title);
                        fault(&hostile, &ended).map(|fault| format!("{}: {fault}", hostile.title))
                    })
                })
                .buffer_unordered(AT_ONCE)
                .filter_map(async |fault| fault.unwrap_or_else(|error| Some(error.to_string())))
                .collect::<Vec<_>>()
                .await;
            assert!(faults.is_empty(), "{}", faults.join("\n"));
            // What was told to stop may need a moment.
            let waited = Instant::now();
            while lake.engine.reserved_bytes() > 0 && waited.elapsed() < Duration::from_secs(120) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(lake.engine.reserved_bytes(), 0, "operators of queries that ended hold memory");
            let running: Vec<_> =
                lake.analyst().queries().into_iter().filter(|query| !query.state.has_ended()).collect();
            assert!(running.is_empty(), "{running:?}");
            while !spilled().is_empty() && waited.elapsed() < Duration::from_secs(120) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(spilled(), Vec::<PathBuf>::new(), "temporary files");
            assert!(snapshot(&own) == files_before, "a file was touched: {:?}", snapshot(&own).keys());
            if let (Some(before), Some(peak)) = (before, told_kib("VmHWM:")) {
                let grown = peak.saturating_sub(before);
                println!("~ grew by {} MiB", grown >> 10);
                assert!(grown <= MOST_GROWTH_KIB, "the process grew by {} MiB", grown >> 10);
            }
            // Others are served as before.
            assert_eq!(lake.rows("SELECT count(*) AS n FROM approvals.cases").await, ["5"]);
            faults
        });
        assert!(faults.is_empty());
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
        runtime.shutdown_timeout(Duration::from_secs(60));
    });
}

#[test]
fn every_topic_is_asked_and_there_are_enough() {
    let own = Path::new("/");
    let topics = statements::topics();
    assert_eq!(topics, TOPICS);
    let statements: Vec<_> = topics.iter().flat_map(|topic| statements::read(topic, own)).collect();
    let distinct: std::collections::HashSet<_> = statements.iter().map(|hostile| &hostile.sql).collect();
    assert!(distinct.len() >= 200, "{}", distinct.len());
}

macro_rules! topics {
    ($($topic:ident),+) => {
        const TOPICS: &[&str] = &[$(stringify!($topic)),+];
        $(#[test]
        fn $topic() {
            survives(stringify!($topic));
        })+
    };
}

topics!(depth, endless, files, memory, names, numbers, parameters, size, text, writes);
