//! How many rows of CSV a second become a checked, committed table?

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use xiangyun_ingest::pipeline::SyntheticSource;
use xiangyun_ingest::source::{Source, SyntheticRows};

use crate::lake::Lake;
use crate::peer::DuckDb;
use crate::process::Process;
use crate::report;

/// Rows of the generator's `enterprises` at scale 1.
const ROWS_AT_SCALE_1: f64 = 100_000.0;

const TABLE: &str = r#"
version = 1
name = "market.enterprises"
agency = "bench"
title = { zh = "企业", en = "Enterprises" }
description = { zh = "企业", en = "Enterprises" }
synthetic = true
owner = "bench"
level = "general-1"
sharing = "unconditional"
"#;

/// Name, contract's type and DuckDB's type.
const COLUMNS: [(&str, &str, &str); 10] = [
    ("source_year", "int64", "BIGINT"),
    ("name", "text", "VARCHAR"),
    ("uscc", "text", "VARCHAR"),
    ("registered_on", "date", "DATE"),
    ("enterprise_type", "text", "VARCHAR"),
    ("registered_capital_raw", "text", "VARCHAR"),
    ("business_scope", "text", "VARCHAR"),
    ("province", "text", "VARCHAR"),
    ("prefecture", "text", "VARCHAR"),
    ("address", "text", "VARCHAR"),
];

/// The pipeline, with or without checks beyond the types.
fn pipeline(name: &str, csv: &Path, checks: bool) -> String {
    let (checks, duplicates) = if checks {
        ("\n[[checks]]\ncolumn = \"uscc\"\nrule = \"uscc\"\non_fail = \"warn\"\n", "remove")
    } else {
        ("", "keep")
    };
    format!(
        "version = 1\nname = \"{name}\"\ntable = \"market.enterprises\"\nmode = \"replace\"\nduplicates = \"{duplicates}\"\n\
         source = {{ kind = \"csv\", path = \"{}\" }}\n{checks}",
        csv.display()
    )
}

/// Loads one file both ways, several times. The file is written once.
pub(crate) async fn measure(peer: &mut DuckDb, rows: u64, repeat: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let csv = data.path().join("load.csv");
    write_csv(&csv, rows)?;
    let size_mib = std::fs::metadata(&csv)?.len() >> 20;
    report::heading(&format!("load: {rows} rows of CSV, {size_mib} MiB"), "rows/s");
    let types = COLUMNS.map(|(name, _, theirs)| format!("'{name}': '{theirs}'")).join(", ");
    for (title, checks) in [("types only", false), ("types, social credit codes and duplicates", true)] {
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        let mut peak = None::<f64>;
        for _ in 0..repeat.clamp(1, 3) {
            let folder = tempfile::tempdir()?;
            write_project(folder.path(), &csv, checks)?;
            let lake = Lake::open(folder).await?;
            Process::own().reset_peak();
            let start = Instant::now();
            let loaded = lake.load("load", None).await?;
            ours = ours.min(start.elapsed().as_secs_f64());
            peak = Process::own().peak_mib().ok().map(|new| peak.map_or(new, |old| old.max(new)));
            anyhow::ensure!(loaded == rows || checks && loaded > 0, "{loaded} of {rows} rows were loaded");
            let copy = lake.project().join("duckdb.parquet");
            let sql = format!(
                "COPY (SELECT * FROM read_csv('{}', header = true, columns = {{{types}}})) TO '{}' \
                 (FORMAT parquet, COMPRESSION zstd)",
                csv.display(),
                copy.display()
            );
            theirs = theirs.min(peer.sql(&sql, 1)?);
        }
        report::compare(title, rows as f64 / ours, rows as f64 / theirs, true);
        if let Some(peak) = peak {
            report::alone("  our peak memory, MiB", peak);
        }
    }
    Ok(())
}

fn write_project(folder: &Path, csv: &Path, checks: bool) -> Result<()> {
    let columns = COLUMNS
        .map(|(name, ours, _)| format!("\n[[columns]]\nname = \"{name}\"\ntype = \"{ours}\"\nnullable = true\n"));
    std::fs::create_dir_all(folder.join("tables"))?;
    std::fs::create_dir_all(folder.join("pipelines"))?;
    std::fs::write(
        folder.join("tables/market.enterprises.toml"),
        format!("{}{}", TABLE.trim_start(), columns.concat()),
    )?;
    std::fs::write(folder.join("pipelines/load.toml"), pipeline("load", csv, checks))?;
    Ok(())
}

fn write_csv(path: &Path, rows: u64) -> Result<()> {
    let scale = rows as f64 / ROWS_AT_SCALE_1;
    let source = SyntheticRows::open(&SyntheticSource { dataset: "enterprises".into(), seed: 1, scale })?;
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(BufWriter::new(File::create(path)?));
    for batch in source.batches()? {
        writer.write(&batch?.batch).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
