//! Verbs that look after tables. What destroys shows its plan first.

use std::time::Duration;

use arrow::array::RecordBatch;
use xiangyun_engine::catalog::TableName;
use xiangyun_ingest::maintain::{Compacted, Maintenance, Optimized, Pick, Small, Subject, Vacuum};

use crate::args::Consent;
use crate::output::{Output, agreed, count, note, text};
use crate::report::plural;
use crate::session::{Session, open_observed};
use crate::settings::Flags;

/// Files of a plan that are named.
const FILES_TOLD: usize = 5;

async fn open(session: &Session) -> anyhow::Result<Maintenance> {
    let settings = session.settings(Flags::new())?;
    let (ingest, observers) = open_observed(&settings, &session.environment).await?;
    observers.close().await; // nothing here is a load
    Ok(ingest.maintenance())
}

/// The named tables; all of them, and the lake's own logs, for none.
fn subjects(maintenance: &Maintenance, names: &[TableName]) -> anyhow::Result<Vec<Subject>> {
    if names.is_empty() {
        return Ok(maintenance.all());
    }
    Ok(names.iter().map(|name| maintenance.table(name)).collect::<Result<_, _>>()?)
}

pub(super) async fn optimize(session: &Session, names: &[TableName], dry_run: bool) -> anyhow::Result<()> {
    let maintenance = open(session).await?;
    let mut output = Output::open(&session.global)?;
    let mut done = Vec::new();
    for subject in subjects(&maintenance, names)? {
        done.push(match dry_run {
            true => planned(&subject, &maintenance.small_files(&subject, Pick::All).await?),
            false => maintenance.optimize(&subject, Pick::All).await?,
        });
    }
    if dry_run {
        output.note("nothing was changed: this is the plan");
    }
    output.rows(optimized(&done)?).await?;
    output.finish()
}

fn planned(subject: &Subject, groups: &[Small]) -> Optimized {
    let files_removed = groups.iter().map(|group| group.files.len()).sum();
    let bytes_removed = groups.iter().map(|group| group.bytes).sum();
    Optimized { table: subject.label(), done: Compacted { files_removed, bytes_removed, ..Compacted::default() } }
}

fn optimized(tables: &[Optimized]) -> anyhow::Result<RecordBatch> {
    let files = |of: fn(&Compacted) -> usize| count(tables.iter().map(|table| Some(of(&table.done) as u64)));
    let bytes = |of: fn(&Compacted) -> u64| count(tables.iter().map(|table| Some(of(&table.done))));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("table", text(tables.iter().map(|table| Some(&table.table))), false),
        ("small_files", files(|done| done.files_removed), false),
        ("small_bytes", bytes(|done| done.bytes_removed), false),
        ("new_files", files(|done| done.files_added), false),
        ("new_bytes", bytes(|done| done.bytes_added), false),
        ("overtaken", files(|done| done.overtaken), false),
        ("version", count(tables.iter().map(|table| table.done.version)), true),
    ])?)
}

pub(super) async fn vacuum(
    session: &Session,
    names: &[TableName],
    retention: Duration,
    allow_unsafe: bool,
    consent: Consent,
) -> anyhow::Result<()> {
    let maintenance = open(session).await?;
    let mut output = Output::open(&session.global)?;
    let mut plans = Vec::new();
    for subject in subjects(&maintenance, names)? {
        if let Some(plan) = maintenance.plan_vacuum(&subject, retention, allow_unsafe).await? {
            plans.push((subject, plan));
        }
    }
    let mut done: Vec<Vacuum> = plans.iter().map(|(_, plan)| plan.clone()).collect();
    let (files, bytes) = totals(&done);
    tell(&done);
    if files > 0 {
        let question = format!("remove {}, {}?", plural(files, "file"), plural(bytes, "byte"));
        if agreed(consent, &question)? {
            done.clear();
            for (subject, plan) in &plans {
                done.push(maintenance.vacuum(subject, retention, allow_unsafe, plan).await?);
            }
            let (files, bytes) = totals(&done);
            output.note(&format!("{} were removed, {}", plural(files, "file"), plural(bytes, "byte")));
        } else {
            output.note("nothing was removed: this is the plan");
        }
    }
    output.rows(vacuumed(&done)?).await?;
    output.finish()
}

fn totals(plans: &[Vacuum]) -> (usize, usize) {
    let bytes = plans.iter().map(Vacuum::size_bytes).sum::<u64>();
    (plans.iter().map(|plan| plan.files.len()).sum(), usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// The first files of each table: what is asked about has to be seen, even with --quiet.
fn tell(plans: &[Vacuum]) {
    for plan in plans.iter().filter(|plan| !plan.files.is_empty()) {
        note(&format!("table `{}`: {}", plan.table, plural(plan.files.len(), "file")));
        for file in plan.files.iter().take(FILES_TOLD) {
            let written = file.written_at.format("%Y-%m-%dT%H:%M:%SZ");
            note(&format!("  {} of {written}, {} bytes", file.path, file.size_bytes));
        }
        if plan.files.len() > FILES_TOLD {
            note(&format!("  and {} more", plan.files.len() - FILES_TOLD));
        }
    }
}

fn vacuumed(plans: &[Vacuum]) -> anyhow::Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("table", text(plans.iter().map(|plan| Some(&plan.table))), false),
        ("files", count(plans.iter().map(|plan| Some(plan.files.len() as u64))), false),
        ("bytes", count(plans.iter().map(|plan| Some(plan.size_bytes()))), false),
        ("oldest_version_kept", count(plans.iter().map(|plan| Some(plan.oldest_kept))), false),
    ])?)
}

pub(super) async fn restore(session: &Session, name: &TableName, version: u64, consent: Consent) -> anyhow::Result<()> {
    let maintenance = open(session).await?;
    let mut output = Output::open(&session.global)?;
    let mut done = maintenance.plan_restore(name, version).await?;
    let unknown = |rows: Option<u64>| rows.map_or("an unknown number of".into(), |rows| rows.to_string());
    note(&format!(
        "table `{name}`: from version {} to the rows of version {version}: {} rows in {} come back, {} rows in {} go",
        done.from,
        unknown(done.rows_back),
        plural(done.files_back, "file"),
        unknown(done.rows_gone),
        plural(done.files_gone, "file"),
    ));
    if done.missing > 0 {
        note(&format!("{} of version {version} are gone: it cannot be restored", plural(done.missing, "file")));
    }
    if done.files_back == 0 && done.files_gone == 0 {
        output.note("nothing to do: the table holds the rows of that version");
    } else if agreed(consent, &format!("restore version {version}?"))? {
        done = maintenance.restore(name, version, Some(done.from)).await?;
    } else {
        output.note("nothing was changed: this is the plan");
    }
    output
        .rows(RecordBatch::try_from_iter_with_nullable([
            ("table", text([Some(name.to_string())]), false),
            ("restored", count([Some(done.version)]), false),
            ("from", count([Some(done.from)]), false),
            ("rows_back", count([done.rows_back]), true),
            ("rows_gone", count([done.rows_gone]), true),
            ("version", count([done.made]), true),
        ])?)
        .await?;
    output.finish()
}

pub(super) async fn diff(session: &Session, name: &TableName, from: u64, to: u64, list: bool) -> anyhow::Result<()> {
    let maintenance = open(session).await?;
    let mut output = Output::open(&session.global)?;
    if list {
        let rows = maintenance.diff_rows(name, from, to, None).await?;
        output.batches(rows.schema, rows.batches).await?;
        return output.finish();
    }
    let diff = maintenance.diff(name, from, to).await?;
    output
        .rows(RecordBatch::try_from_iter_with_nullable([
            ("table", text([Some(name.to_string())]), false),
            ("from", count([Some(diff.from)]), false),
            ("to", count([Some(diff.to)]), false),
            ("rows_added", count([Some(diff.rows_added)]), false),
            ("rows_removed", count([Some(diff.rows_removed)]), false),
            ("files_added", count([Some(diff.files_added as u64)]), false),
            ("files_removed", count([Some(diff.files_removed as u64)]), false),
        ])?)
        .await?;
    output.finish()
}
