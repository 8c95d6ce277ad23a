//! A server in a process of its own, which ends with whoever started it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Process;

/// Loading a table into the memory of a peer takes its time.
const START_AT_MOST: Duration = Duration::from_secs(300);

/// Lines of its log that are told where it does not start.
const LAST_LINES: usize = 20;

/// A running server.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    log: Option<JoinHandle<()>>,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Daemon {
    /// Starts it and waits until a line of its standard error tells, by `address_of`, where it listens.
    pub(super) fn start(
        name: &str,
        command: &mut Command,
        address_of: impl Fn(&str) -> Option<SocketAddr> + Send + 'static,
    ) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {name}"))?;
        let stderr = child.stderr.take().context("a child has no standard error")?;
        let (found, listens) = mpsc::channel();
        // It goes on reading: a full pipe would hold the server up.
        let log = std::thread::spawn(move || {
            let (mut last, mut found) = (VecDeque::new(), Some(found));
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(sender) = &found {
                    if let Some(address) = address_of(&line) {
                        let _ = sender.send(Ok(address));
                        found = None;
                        continue;
                    }
                    last.push_back(line);
                    if last.len() > LAST_LINES {
                        last.pop_front();
                    }
                }
            }
            if let Some(sender) = found {
                let _ = sender.send(Err(Vec::from(last).join("\n")));
            }
        });
        let heard = listens.recv_timeout(START_AT_MOST);
        let mut daemon = Self { child, log: Some(log), address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        match heard {
            Ok(Ok(address)) => daemon.address = address,
            Ok(Err(said)) => bail!("{name} ended without listening; it said:\n{said}"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                bail!("{name} does not listen after {} s", START_AT_MOST.as_secs())
            }
        }
        Ok(daemon)
    }

    /// Its process.
    pub(super) fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    /// The address of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
    }
}

/// The address behind `http://`, up to the next blank.
pub(super) fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, behind) = line.split_once("http://")?;
    behind.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_what_a_server_says() {
        let address = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(address_in("the server listens on http://127.0.0.1:4711"), Some(address));
        assert_eq!(address_in("warning: no address here"), None);
    }

    #[test]
    fn what_a_server_said_is_told_where_it_does_not_start() {
        let mut command = Command::new("sh");
        let failed = Daemon::start("the peer", command.args(["-c", "echo no such table >&2"]), address_in);
        assert!(failed.unwrap_err().to_string().contains("no such table"));
    }
}
