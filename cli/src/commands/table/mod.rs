mod freshness;
mod maintain;

use arrow::array::RecordBatch;
use serde_json::to_value;
use xiangyun_engine::catalog::{Bilingual, CommitSummary, TableDetail, TableKind, TableName, TableSummary};
use xiangyun_engine::query::SqlRequest;

use crate::args::{LookCommand, TableArgs, TableCommand};
use crate::output::{Output, count, instant, text};
use crate::report::plural;
use crate::session::Session;

/// Looks at tables, or looks after them.
pub(super) async fn run(session: &Session, args: TableArgs) -> anyhow::Result<()> {
    match args.command {
        TableCommand::Freshness => freshness::run(session).await,
        TableCommand::Optimize { names, dry_run } => maintain::optimize(session, &names, dry_run).await,
        TableCommand::Vacuum { names, retention, unsafe_retention, consent } => {
            maintain::vacuum(session, &names, retention, unsafe_retention, consent).await
        }
        TableCommand::Restore { name, version, consent } => maintain::restore(session, &name, version, consent).await,
        TableCommand::Diff { name, from, to, list } => maintain::diff(session, &name, from, to, list).await,
        TableCommand::Look(command) => look(session, command).await,
    }
}

async fn look(session: &Session, command: LookCommand) -> anyhow::Result<()> {
    let queries = session.queries().await?;
    let mut output = Output::open(&session.global)?;
    match command {
        LookCommand::List => output.rows(list(&queries.tables().await?)?).await?,
        LookCommand::History { name } => output.rows(history(&queries.history(&name).await?)?).await?,
        LookCommand::Preview { name, limit } => {
            queries.table(&name).await?; // names what is near where there is no such table
            let result = queries.sql(SqlRequest::new(preview(&name, limit))).await?;
            output.result(result).await?;
        }
        LookCommand::Show { name } => {
            let detail = queries.table(&name).await?;
            for line in facts(&detail) {
                output.note(&line);
            }
            output.rows(columns(&detail)?).await?;
        }
    }
    output.finish()
}

/// The first rows of a table.
pub(crate) fn preview(name: &TableName, limit: usize) -> String {
    format!("SELECT * FROM {name} LIMIT {limit}")
}

/// The tables as rows.
pub(crate) fn list(tables: &[TableSummary]) -> anyhow::Result<RecordBatch> {
    let kind = |kind| match kind {
        TableKind::Table => "table",
        TableKind::View => "view",
        TableKind::System => "system",
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(tables.iter().map(|table| Some(table.name.to_string()))), false),
        ("kind", text(tables.iter().map(|table| Some(kind(table.kind)))), false),
        ("title", text(tables.iter().map(|table| Some(both(&table.title)))), false),
        ("synthetic", text(tables.iter().map(|table| Some(yes(table.synthetic)))), false),
        ("rows", count(tables.iter().map(|table| table.rows)), true),
        ("files", count(tables.iter().map(|table| table.files)), true),
        ("size_bytes", count(tables.iter().map(|table| table.size_bytes)), true),
        ("version", count(tables.iter().map(|table| table.version)), true),
        ("committed_at", instant(tables.iter().map(|table| table.committed_at)), true),
        ("drift", text(tables.iter().map(|table| joined(&table.drift))), true),
    ])?)
}

/// A table's columns as rows.
pub(crate) fn columns(detail: &TableDetail) -> anyhow::Result<RecordBatch> {
    let columns = &detail.columns;
    let words = |bilingual: &Option<Bilingual>| bilingual.as_ref().map(both);
    let key = |name: &String| yes(detail.primary_key.contains(name));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(columns.iter().map(|column| Some(&column.name))), false),
        ("type", text(columns.iter().map(|column| Some(&column.column_type))), false),
        ("nullable", text(columns.iter().map(|column| Some(yes(column.nullable)))), false),
        ("key", text(columns.iter().map(|column| Some(key(&column.name)))), false),
        ("unit", text(columns.iter().map(|column| column.unit.as_ref())), true),
        ("title", text(columns.iter().map(|column| words(&column.title))), true),
        ("description", text(columns.iter().map(|column| words(&column.description))), true),
    ])?)
}

fn history(commits: &[CommitSummary]) -> anyhow::Result<RecordBatch> {
    let runs = || commits.iter().map(|commit| commit.run.as_ref());
    let sources = runs().map(|run| {
        let paths: Vec<String> = run?.sources.iter().map(|source| source.path.clone()).collect();
        joined(&paths)
    });
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("version", count(commits.iter().map(|commit| Some(commit.version))), false),
        ("committed_at", instant(commits.iter().map(|commit| commit.committed_at)), true),
        ("operation", text(commits.iter().map(|commit| commit.operation.as_ref())), true),
        ("pipeline", text(runs().map(|run| Some(&run?.pipeline))), true),
        ("run_id", text(runs().map(|run| Some(&run?.run_id))), true),
        ("rows_read", count(runs().map(|run| Some(run?.rows_read))), true),
        ("rows_loaded", count(runs().map(|run| Some(run?.rows_loaded))), true),
        ("rows_rejected", count(runs().map(|run| Some(run?.rows_rejected))), true),
        ("rows_duplicate", count(runs().map(|run| Some(run?.rows_duplicate))), true),
        ("sources", text(sources), true),
    ])?)
}

/// What is known of a table beside its columns, a line each.
pub(crate) fn facts(detail: &TableDetail) -> Vec<String> {
    let summary = &detail.summary;
    let mut lines = vec![format!("{}: {}", summary.name, both(&summary.title))];
    let mut fact = |name: &str, value: Option<String>| {
        lines.extend(value.filter(|value| !value.is_empty()).map(|value| format!("  {name}: {value}")));
    };
    fact(
        "synthetic",
        summary.synthetic.then(|| "合成数据，由生成器产生 / made by the generator, no real records".into()),
    );
    fact("description", Some(both(&detail.description)));
    fact("agency", Some(summary.agency.clone()));
    fact("owner", Some(detail.owner.clone()));
    fact("level", summary.level.map(|level| word(&level)));
    fact("sharing", summary.sharing.map(|sharing| word(&sharing)));
    fact("license", detail.license.clone());
    fact("source", detail.source.clone());
    fact("primary key", joined(&detail.primary_key));
    let state = |version| {
        let at = summary.committed_at.map(|at| format!(" of {}", at.format("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
        let part = |count: Option<u64>, noun| plural(usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX), noun);
        let (rows, files) = (part(summary.rows, "row"), part(summary.files, "file"));
        format!("{version}{at}, {rows} in {files}, {}", part(summary.size_bytes, "byte"))
    };
    match (summary.kind, summary.version) {
        (TableKind::Table, None) => fact("version", Some("never loaded".into())),
        (_, version) => fact("version", version.map(state)),
    }
    fact("drift", joined(&summary.drift));
    fact("query", detail.sql.as_ref().map(|sql| sql.split_whitespace().collect::<Vec<_>>().join(" ")));
    lines
}

pub(super) fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Chinese and English beside each other.
pub(crate) fn both(words: &Bilingual) -> String {
    match (words.zh.as_str(), words.en.as_str()) {
        (zh, "") => zh.into(),
        ("", en) => en.into(),
        (zh, en) => format!("{zh} / {en}"),
    }
}

fn joined(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| list.join(", "))
}

/// An enum's name as files and replies spell it.
fn word(value: &impl serde::Serialize) -> String {
    to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
