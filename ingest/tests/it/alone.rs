//! Work in a process of its own: what it takes of memory can be measured, and it may hang, overflow its stack or be
//! killed without taking other tests along.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const FOLDER: &str = "XIANGYUN_ALONE";

/// Runs the test called `test`, which calls this, once more in a process of its own, and there `work` in a folder of its
/// own. `failed` is told the folder where the process ends badly or runs longer than `limit`.
pub(crate) fn alone(test: &str, limit: Duration, failed: impl FnOnce(&Path), work: impl FnOnce(PathBuf)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        abort_on_own_panics();
        return work(folder.into());
    }
    let folder = TempDir::new().unwrap();
    let (temporary, project) = (folder.path().join("tmp"), folder.path().join("project"));
    for folder in [&temporary, &project] {
        std::fs::create_dir(folder).unwrap();
    }
    // A file, because a pipe that nobody reads would stop the process.
    let said = folder.path().join("said");
    let output = std::fs::File::create(&said).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(FOLDER, &project)
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
        failed(&project);
        let last: Vec<&str> = text.lines().collect();
        panic!("{test}: {outcome}\n{}", last[last.len().saturating_sub(40)..].join("\n"));
    }
    assert!(text.contains("1 passed"), "no test is called {test}: {text}");
    for line in text.lines().filter(|line| line.starts_with("~ ")) {
        eprintln!("{test}: {}", &line[2..]);
    }
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{test} left temporary files behind: {left:?}");
}

/// A panic of a library on a thread of its own is an error of the file; one of our own code is a defect wherever it is.
fn abort_on_own_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        if panic.location().is_some_and(|place| place.file().contains("ingest/src/")) {
            std::process::abort();
        }
    }));
}
