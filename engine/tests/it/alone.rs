//! Work in a process of its own: what it takes of memory can be measured, and it may hang, overflow its stack or be
//! killed without taking other tests along.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a process tells the one that started it")]

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const FOLDER: &str = "XIANGYUN_ALONE";

/// Runs the test called `test`, which calls this, once more in a process of its own, and there `work` in a folder of its
/// own, which is the working folder. Fails where the process ends badly, runs longer than `limit` or leaves temporary
/// files behind.
pub(crate) fn alone(test: &str, limit: Duration, work: impl FnOnce(PathBuf)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return work(folder.into());
    }
    let folder = TempDir::new().unwrap();
    let (temporary, own) = (folder.path().join("tmp"), folder.path().join("own"));
    for folder in [&temporary, &own] {
        std::fs::create_dir(folder).unwrap();
    }
    // A file, because a pipe that nobody reads would stop the process.
    let said = folder.path().join("said");
    let output = std::fs::File::create(&said).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .current_dir(&own)
        .env(FOLDER, &own)
        .env("TMPDIR", &temporary)
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let outcome = loop {
        match child.try_wait().unwrap() {
            Some(status) if status.success() => break Ok(()),
            Some(status) => break Err(status.to_string()),
            None if started.elapsed() > limit => {
                child.kill().unwrap();
                child.wait().unwrap();
                break Err(format!("it still ran after {limit:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut text = Vec::new();
    std::fs::File::open(&said).unwrap().read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    if let Err(outcome) = outcome {
        let last: Vec<&str> = text.lines().collect();
        panic!("{test}: {outcome}\n{}", last[last.len().saturating_sub(60)..].join("\n"));
    }
    assert!(text.contains("1 passed"), "no test is called {test}: {text}");
    for line in text.lines().filter(|line| line.starts_with("~ ")) {
        eprintln!("{test}: {}", &line[2..]);
    }
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{test} left temporary files behind: {left:?}");
}
