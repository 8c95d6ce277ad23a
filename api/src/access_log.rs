//! The access log: one JSON object a line for each request, written beside the requests and never in their way.
//!
//! A line holds who asked for which route and what came of it; never the query string, which may hold what is known of a
//! person, and never a token.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use xiangyun_engine::error::Classify;
use xiangyun_engine::{Error, ErrorKind};

use crate::telemetry::Telemetry;

/// Lines that may wait to be written; further ones are lost, and counted.
const WAITING_LINES: usize = 8192;
/// How long the end of the server waits for the lines that wait.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked whether the file was renamed by whoever rotates logs.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why no access log can be kept.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The file cannot be opened.
    #[error("cannot write the access log {path}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No thread can be started for it.
    #[error("cannot start the writer of the access log")]
    NoWriter(#[source] io::Error),
}

impl Classify for AccessLogError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unwritable { .. } => ErrorKind::InvalidInput,
            Self::NoWriter(_) => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unwritable { .. } => Some("check the setting `server.access_log`".into()),
            Self::NoWriter(_) => None,
        }
    }
}

/// Where lines go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<Arc<Sender>>);

#[derive(Debug)]
struct Sender {
    entries: mpsc::Sender<Entry>,
    telemetry: Telemetry,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// All that was sent before is to be on its way when this is answered.
    End(oneshot::Sender<()>),
}

/// One request.
#[derive(Debug, Serialize)]
pub(crate) struct AccessLine<'a> {
    /// When its reply had ended, in UTC.
    pub(crate) time: String,
    pub(crate) request_id: &'a str,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) principal: Option<&'a str>,
    pub(crate) method: &'static str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    /// Bytes of the reply's body as they were sent.
    pub(crate) bytes: u64,
    pub(crate) duration_ms: u64,
    /// The reply was sent to its end: false where it was cut, or where the caller went away.
    pub(crate) complete: bool,
    pub(crate) query_id: Option<&'a str>,
}

impl AccessLog {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Keeps lines in a file, behind those that it has; opens it anew when it was renamed.
    pub fn file(path: &Path, telemetry: &Telemetry) -> Result<Self, Error> {
        let file = append_to(path).map_err(|source| AccessLogError::Unwritable { path: path.into(), source })?;
        Ok(Self::start(Rotated { path: path.into(), file, looked: Instant::now() }, telemetry)?)
    }

    /// Writes lines to standard output.
    pub fn standard_output(telemetry: &Telemetry) -> Result<Self, Error> {
        Ok(Self::start(io::stdout(), telemetry)?)
    }

    /// A thread of its own: what the lines are written to may block for as long as it likes.
    fn start(out: impl Write + Send + 'static, telemetry: &Telemetry) -> Result<Self, AccessLogError> {
        let (entries, waiting) = mpsc::channel(WAITING_LINES);
        let writer = Writer { out, telemetry: telemetry.clone(), failing: false };
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run(waiting))
            .map_err(AccessLogError::NoWriter)?;
        Ok(Self(Some(Arc::new(Sender { entries, telemetry: telemetry.clone() }))))
    }

    /// Whether lines are kept at all.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a line; does not wait.
    pub(crate) fn write(&self, line: &AccessLine<'_>) {
        let Some(sender) = &self.0 else { return };
        let taken = serde_json::to_vec(line).is_ok_and(|mut bytes| {
            bytes.push(b'\n');
            sender.entries.try_send(Entry::Line(bytes)).is_ok()
        });
        if !taken {
            sender.telemetry.lines_lost(1);
        }
    }

    /// Waits until the lines that were taken are written, for a few seconds at the most.
    pub async fn close(&self) {
        let Some(sender) = &self.0 else { return };
        let (told, done) = oneshot::channel();
        let written = async {
            if sender.entries.send(Entry::End(told)).await.is_ok() {
                let _ = done.await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, written).await.is_err() {
            tracing::warn!("the last lines of the access log could not be written in time");
        }
    }
}

struct Writer<W> {
    out: W,
    telemetry: Telemetry,
    failing: bool,
}

impl<W: Write> Writer<W> {
    fn run(mut self, mut waiting: mpsc::Receiver<Entry>) {
        let mut entries = Vec::new();
        while waiting.blocking_recv_many(&mut entries, WAITING_LINES) > 0 {
            let (mut lines, mut bytes, mut asked) = (0, Vec::new(), Vec::new());
            for entry in entries.drain(..) {
                match entry {
                    Entry::Line(line) => {
                        lines += 1;
                        bytes.extend_from_slice(&line);
                    }
                    Entry::End(told) => asked.push(told),
                }
            }
            self.write(lines, &bytes);
            for told in asked {
                let _ = told.send(());
            }
        }
    }

    /// Lines that cannot be written are counted, and told once until writing works again.
    fn write(&mut self, lines: u64, bytes: &[u8]) {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.telemetry.lines_lost(lines);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "cannot write the access log");
                }
            }
        }
    }
}

/// A file that is opened anew after it was renamed or removed.
struct Rotated {
    path: PathBuf,
    file: File,
    looked: Instant,
}

impl Rotated {
    fn follow(&mut self) -> io::Result<()> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            if !is_at(&self.file, &self.path) {
                self.file = append_to(&self.path)?;
            }
        }
        Ok(())
    }
}

impl Write for Rotated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.follow()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether `path` still names the file that is open.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: io::Result<std::fs::Metadata>| metadata.ok().map(|found| (found.dev(), found.ino()));
    identity(file.metadata()) == identity(std::fs::metadata(path))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;

    fn line(request_id: &str) -> AccessLine<'_> {
        AccessLine {
            time: "2019-03-26T00:00:00.000Z".into(),
            request_id,
            trace_id: None,
            remote: None,
            principal: None,
            method: "GET",
            route: "/healthz",
            status: 200,
            bytes: 15,
            duration_ms: 1,
            complete: true,
            query_id: None,
        }
    }

    #[tokio::test]
    async fn lines_go_behind_those_of_before_and_are_there_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        for id in ["one", "two"] {
            let log = AccessLog::file(&path, &Telemetry::new()).unwrap();
            log.write(&line(id));
            log.close().await;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(ids.iter().map(|line| line["request_id"].as_str().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_renamed_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let file = append_to(&path).unwrap();
        let mut log = Rotated { path: path.clone(), file, looked: Instant::now() };
        log.file.write_all(b"before\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        log.looked = log.looked.checked_sub(LOOK_EVERY).unwrap();
        log.write_all(b"after\n").unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("before\n", "after\n"));
    }

    /// A full disk.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_that_cannot_be_written_are_counted() {
        let telemetry = Telemetry::new();
        let log = AccessLog::start(Full, &telemetry).unwrap();
        (0..3).for_each(|_| log.write(&line("x")));
        log.close().await;
        assert_eq!(telemetry.lost_lines(), 3);
    }

    /// A pipe that nobody reads until the gate opens.
    struct Stuck(Arc<Mutex<()>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.lock());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_stuck_reader_makes_nobody_wait_and_what_does_not_fit_is_counted() {
        let (telemetry, gate) = (Telemetry::new(), Arc::new(Mutex::new(())));
        let log = AccessLog::start(Stuck(Arc::clone(&gate)), &telemetry).unwrap();
        {
            let _shut = gate.lock().unwrap();
            // The writer may have taken one batch of up to a full queue; a second full queue waits, the rest is lost.
            (0..3 * WAITING_LINES).for_each(|_| log.write(&line("x")));
        }
        log.close().await;
        assert!(telemetry.lost_lines() >= WAITING_LINES as u64, "{}", telemetry.lost_lines());
    }
}
