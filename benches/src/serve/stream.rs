//! How fast is a large result: as Arrow over HTTP against reading it in process, as text against DuckDB's files?

use std::time::Instant;

use anyhow::{Result, ensure};
use futures::StreamExt;
use tempfile::NamedTempFile;
use xiangyun_engine::Principal;
use xiangyun_engine::query::SqlRequest;
use xiangyun_ingest::Ingest;

use super::http::{Discarded, discard, encoded};
use super::site::{ANALYST, Site, TABLE};
use super::{Setting, bare, rows};
use crate::peer::DuckDb;
use crate::{lake, report};

const MIB: f64 = (1 << 20) as f64;

/// Bytes of the bare stream: enough to tell how fast the client reads.
const BARE_BYTES: u64 = 4 << 30;

/// The formats, and how DuckDB writes the same.
const TEXTS: [(&str, &str, &str); 2] =
    [("csv", "CSV", "FORMAT csv, HEADER true"), ("json", "JSON", "FORMAT json, ARRAY true")];

/// Each format, the best of several runs.
pub(super) async fn measure(peer: &mut DuckDb, setting: &Setting<'_>, site: &Site) -> Result<()> {
    let rows = site.rows as f64;
    report::heading_against(&format!("a result of {} rows as Arrow", site.rows), "over HTTP", "in process");
    let mut inside = f64::INFINITY;
    let ingest = lake::open(site.project()).await?;
    for _ in 0..setting.repeat.max(1) {
        let start = Instant::now();
        in_process(&ingest, site.rows).await?;
        inside = inside.min(start.elapsed().as_secs_f64());
    }
    drop(ingest);
    let (reply, memory) = over_http(setting, site, "arrow").await?;
    let outside = reply.elapsed.as_secs_f64();
    report::compare("rows/s", rows / outside, rows / inside, true);
    let client = client_alone(setting).await?;
    report::compare("MiB/s, against the client on a stream of zeros", reply.bytes as f64 / MIB / outside, client, true);
    report::alone("  the server's memory above idle, MiB", memory);
    for (format, name, theirs) in TEXTS {
        report::heading_against(&format!("a result of {} rows as {name}", site.rows), "over HTTP", "DuckDB's file");
        let (reply, memory) = over_http(setting, site, format).await?;
        let ours = reply.elapsed.as_secs_f64();
        let (written, size) = duckdb(peer, setting, site, format, theirs)?;
        report::compare("rows/s", rows / ours, rows / written, true);
        report::compare("MiB/s", reply.bytes as f64 / MIB / ours, size as f64 / MIB / written, true);
        report::alone("  the server's memory above idle, MiB", memory);
    }
    Ok(())
}

fn columns() -> String {
    rows::COLUMNS.map(|(name, _)| name).join(", ")
}

/// Reads all columns by the engine, for a caller with the same threads as an analyst's, and lets go of them.
async fn in_process(ingest: &Ingest, expected: u64) -> Result<()> {
    let sql = format!("SELECT {} FROM {TABLE}", columns());
    let mut result = ingest.engine().query_as(Principal::local()).sql(SqlRequest::new(sql)).await?;
    let mut rows = 0;
    while let Some(batch) = result.next().await {
        rows += batch?.num_rows() as u64;
    }
    ensure!(rows == expected, "{rows} of {expected} rows were read in process");
    Ok(())
}

/// The best of several replies, and how much more memory than idle a server of its own took for them at the most.
async fn over_http(setting: &Setting<'_>, site: &Site, format: &str) -> Result<(Discarded, f64)> {
    let server = site.serve(&[])?;
    let path = |sql: &str| format!("/v1/query?format={format}&sql={}", encoded(sql));
    // Whatever is made for the first query only is there when the server is idle.
    discard(server.address, &path(&format!("SELECT {} FROM {TABLE} LIMIT 1", columns())), ANALYST).await?;
    let process = server.process();
    let idle = process.resident_mib()?;
    process.reset_peak();
    let mut best: Option<Discarded> = None;
    for _ in 0..setting.repeat.max(1) {
        let reply = discard(server.address, &path(&format!("SELECT {} FROM {TABLE}", columns())), ANALYST).await?;
        best = best.filter(|best| best.elapsed <= reply.elapsed).or(Some(reply));
    }
    let best = best.ok_or_else(|| anyhow::anyhow!("nothing was measured"))?;
    Ok((best, process.peak_mib()? - idle))
}

/// MiB a second that the client reads where nothing is computed.
async fn client_alone(setting: &Setting<'_>) -> Result<f64> {
    let empty = NamedTempFile::new()?;
    let bare = bare::start(empty.path())?;
    let mut fastest = 0_f64;
    for _ in 0..setting.repeat.max(1) {
        let reply = discard(bare.address, &format!("/stream/{BARE_BYTES}"), ANALYST).await?;
        fastest = fastest.max(reply.bytes as f64 / MIB / reply.elapsed.as_secs_f64());
    }
    Ok(fastest)
}

/// The seconds that DuckDB takes for the same columns of the same files, and the bytes that it writes.
fn duckdb(peer: &mut DuckDb, setting: &Setting<'_>, site: &Site, format: &str, options: &str) -> Result<(f64, u64)> {
    let target = site.project().join(format!("duckdb.{format}"));
    let sql = format!(
        "COPY (SELECT {} FROM read_parquet('{}')) TO '{}' ({options})",
        columns(),
        site.files(),
        target.display()
    );
    let seconds = peer.sql(&sql, setting.repeat.max(1))?;
    let size = std::fs::metadata(&target)?.len();
    std::fs::remove_file(&target)?;
    Ok((seconds, size))
}
