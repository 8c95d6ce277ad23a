//! ROAPI, which serves Parquet files from memory.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use super::daemon::{Daemon, address_in};
use super::site::Site;

/// How it calls the table.
pub(super) const TABLE: &str = "trades";

/// A server with the table in memory, on free ports.
pub(super) fn start(roapi: &Path, site: &Site) -> Result<Daemon> {
    missing(roapi)?;
    let [source] = site.sources.as_slice() else {
        bail!("ROAPI is given one file, so that there may be 10000000 rows at the most: choose fewer `--rows`");
    };
    let config = NamedTempFile::with_suffix(".yaml")?;
    let source = source.display();
    std::fs::write(
        config.path(),
        format!(
            "addr:\n  http: 127.0.0.1:0\n  postgres: 127.0.0.1:0\n  flight_sql: 127.0.0.1:0\ntables:\n  - name: {TABLE}\n    \
             uri: \"{source}\"\n    option:\n      format: parquet\n      use_memory_table: true\n"
        ),
    )?;
    let mut command = Command::new(roapi);
    // It would write a line for each request; only where it listens is needed.
    command.arg("--config").arg(config.path()).env("RUST_LOG", "warn,roapi::startup=info");
    Daemon::start("ROAPI", &mut command, listens)
}

/// The line is followed by others for its further ports.
fn listens(line: &str) -> Option<SocketAddr> {
    let (_, behind) = line.split_once("Listening on ")?;
    let (address, _) = behind.split_once(" for HTTP traffic")?;
    address.parse().ok().or_else(|| address_in(address))
}

/// The binary, or where it comes from.
fn missing(roapi: &Path) -> Result<()> {
    match Command::new(roapi).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no ROAPI at {}: `make bench` installs it, or name it by `--roapi`", roapi.display())
        }
        ran => ran.map(drop).with_context(|| format!("cannot run {}", roapi.display())),
    }
}

/// Beside the Python of the peers, unless it is named.
pub(super) fn beside(python: &Path) -> PathBuf {
    python.with_file_name("roapi")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_the_http_port_counts() {
        let line = |what: &str| format!("[INFO roapi::startup] 🚀 Listening on 127.0.0.1:18999 for {what} traffic...");
        assert_eq!(listens(&line("HTTP")), Some("127.0.0.1:18999".parse().unwrap()));
        assert_eq!(listens(&line("Postgres")), None);
    }
}
