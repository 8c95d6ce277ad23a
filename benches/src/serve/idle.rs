//! How much memory do connections take that wait for their next request?

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::daemon::Daemon;
use super::http::Caller;
use super::site::{DASHBOARD, Site};
use super::{METRIC, Setting};
use crate::report;

/// Files that this process and the server have open beside the connections.
const OTHER_FILES: u64 = 200;

/// Requests by which the server is warm: what it makes once is no connection's.
const WARM: usize = 20;

/// What is freed late is freed by then.
const SETTLED: Duration = Duration::from_secs(2);

/// Opens the connections, each with one request.
pub(super) async fn measure(setting: &Setting<'_>, site: &Site) -> Result<()> {
    let count = setting.arguments.idle;
    allow_files(count as u64 + OTHER_FILES)?;
    // The server gets the same limit from this process.
    let server = site.serve(&[])?;
    Caller::new(&server, DASHBOARD)?.times(METRIC, WARM, Duration::ZERO).await?;
    sleep(SETTLED).await;
    let process = server.process();
    let without = process.resident_mib()?;
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(asked_once(&server).await?);
    }
    sleep(SETTLED).await;
    let with = process.resident_mib()?;
    let open = connections.iter().filter(|stream| is_open(stream)).count();
    ensure!(open == count, "{open} of {count} connections are open at the end");
    report::heading_against(&format!("{count} idle connections: resident memory, MiB"), "with", "without");
    report::compare("the server", with, without, false);
    report::alone("  more with them", with - without);
    Ok(())
}

/// A connection whose one request has been answered.
async fn asked_once(server: &Daemon) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await?;
    let request =
        format!("GET {METRIC} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {DASHBOARD}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await?;
    let (mut reply, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    while !is_whole(&reply) {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the server closed a connection: {}", String::from_utf8_lossy(&reply));
        reply.extend_from_slice(&buffer[..read]);
    }
    ensure!(reply.starts_with(b"HTTP/1.1 200"), "the server answered {}", String::from_utf8_lossy(&reply));
    Ok(stream)
}

/// Whether a reply has come to its end, be it in chunks or of a length that was told.
fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&reply[..end]).to_ascii_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => length.trim().parse::<usize>().is_ok_and(|length| reply.len() >= end + 4 + length),
        None => reply.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// Whether the other side has neither closed nor said anything.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Lets this process, and those that it starts, have so many files open.
#[cfg(target_os = "linux")]
fn allow_files(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), ..limit };
        setrlimit(Resource::Nofile, raised).map_err(|error| {
            anyhow::anyhow!("{error}: {wanted} files cannot be open at one time here; choose fewer by `--idle`")
        })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn allow_files(_wanted: u64) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_at_its_end_and_not_before() {
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n2\r\n{}\r\n0\r\n\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\n2\r\n{}\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n"));
    }
}
