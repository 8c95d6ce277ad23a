//! Pushes that are loaded together.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use tokio::sync::oneshot;
use xiangyun_engine::catalog::{RunSource, TableDef};
use xiangyun_engine::project::nearest;
use xiangyun_engine::{Error, ErrorKind, Result};

use super::queue::Waiting;
use super::{Answer, Push, PushError, PushReport, PushRows};
use crate::ingest::{Ingest, LoadOptions, LoadReport};
use crate::pipeline::{PipelineDef, PushSource, SchemaPolicy, SourceDef};
use crate::progress::Silent;
use crate::run::{Run, RunError};
use crate::source::{Pushed, SourceError};

/// Loads of the same pushes, where another server takes some of them at the same time.
const ATTEMPTS: usize = 5;

/// One request and all who wait for it: a caller that got no answer sends it again.
struct Entry {
    name: String,
    push: Push,
    sha256: Option<String>,
    answers: Vec<oneshot::Sender<Answer>>,
}

impl Entry {
    fn answer(self, answer: &Answer) {
        for waiter in self.answers {
            // Who went away asks again, and finds the rows.
            let _ = waiter.send(answer.clone());
        }
    }
}

/// Loads a group and answers all of it.
pub(super) async fn load(ingest: &Ingest, pipeline: &Arc<PipelineDef>, waiting: Vec<Waiting>) {
    let entries = joined(waiting);
    let Err((error, entries)) = together(ingest, pipeline, entries).await else { return };
    if entries.len() == 1 || !is_of_content(&error) {
        let error = Arc::new(error);
        entries.into_iter().for_each(|entry| entry.answer(&Err(Arc::clone(&error))));
        return;
    }
    // The rows of one must not keep those of others out.
    for entry in entries {
        if let Err((error, entries)) = together(ingest, pipeline, vec![entry]).await {
            let error = Arc::new(error);
            entries.into_iter().for_each(|entry| entry.answer(&Err(Arc::clone(&error))));
        }
    }
}

fn is_of_content(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::DataQuality | ErrorKind::InvalidInput | ErrorKind::Sql)
}

/// Requests that came twice as one; those with a key of another one are refused.
fn joined(waiting: Vec<Waiting>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(waiting.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for Waiting { name, push, answer } in waiting {
        match places.get(&name).and_then(|place| entries.get_mut(*place)) {
            Some(entry) if entry.push.body == push.body => entry.answers.push(answer),
            Some(_) => {
                let twice: Error = PushError::KeyTwice { key: push.key }.into();
                let _ = answer.send(Err(Arc::new(twice)));
            }
            None => {
                places.insert(name.clone(), entries.len());
                entries.push(Entry { name, push, sha256: None, answers: vec![answer] });
            }
        }
    }
    entries
}

/// Loads the entries in one run and answers them; gives back those that it could not load, with the reason.
async fn together(
    ingest: &Ingest,
    pipeline: &Arc<PipelineDef>,
    entries: Vec<Entry>,
) -> Result<(), (Error, Vec<Entry>)> {
    let Some(table) = ingest.engine().project().table(&pipeline.table).map(|document| Arc::clone(&document.def)) else {
        let (pipeline, table) = (pipeline.name.clone(), pipeline.table.to_string());
        return Err((RunError::NoContract { pipeline, table }.into(), entries));
    };
    let mut open = entries;
    for _ in 0..ATTEMPTS {
        let opened = match read(pipeline, &table, open).await {
            Ok(opened) => opened,
            Err(failed) => return Err(failed),
        };
        let (entries, pushed): (Vec<Entry>, Vec<Pushed>) = opened.into_iter().unzip();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let known = match ingest.committer().pushed_before(&table, &pipeline.name, names.into_iter()).await {
            Ok((known, _)) => known,
            Err(error) => return Err((error, entries)),
        };
        let (mut fresh, mut sources) = (Vec::new(), Vec::new());
        for (entry, pushed) in entries.into_iter().zip(pushed) {
            match known.get(&entry.name) {
                Some(version) => {
                    let answer = loaded_before(ingest, &table, *version, &entry).await;
                    entry.answer(&answer);
                }
                None => {
                    fresh.push(entry);
                    sources.push(pushed);
                }
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let report = match run(ingest, pipeline, sources).await {
            Ok(report) => report,
            Err(error) => return Err((error, fresh)),
        };
        open = told(report, fresh);
        if open.is_empty() {
            return Ok(());
        }
    }
    let table = pipeline.table.to_string();
    Err((RunError::Overtaken { table }.into(), open))
}

/// Opens the bodies; those that cannot be read are answered.
async fn read(
    pipeline: &PipelineDef,
    table: &Arc<TableDef>,
    entries: Vec<Entry>,
) -> Result<Vec<(Entry, Pushed)>, (Error, Vec<Entry>)> {
    let SourceDef::Push(def) = &pipeline.source else {
        return Err((SourceError::NotRun.into(), entries));
    };
    let (def, pipeline, table) = (def.clone(), pipeline.clone(), Arc::clone(table));
    let opened = tokio::task::spawn_blocking(move || {
        let mut opened = Vec::with_capacity(entries.len());
        for mut entry in entries {
            match open(&def, &pipeline, &table, &entry) {
                Ok(pushed) => {
                    entry.sha256 = pushed.sha256();
                    opened.push((entry, pushed));
                }
                Err(error) => entry.answer(&Err(Arc::new(error))),
            }
        }
        opened
    });
    // Its waiters are gone with it, and are told that the server failed.
    opened.await.map_err(|error| (RunError::ReaderLost { source: error.into() }.into(), Vec::new()))
}

fn open(def: &PushSource, pipeline: &PipelineDef, table: &TableDef, entry: &Entry) -> Result<Pushed> {
    let pushed = Pushed::open(def, &entry.name, entry.push.format, &entry.push.body)?;
    if pushed.schema().fields().is_empty() {
        return Err(PushError::NoColumns.into());
    }
    if pipeline.schema.is_none() {
        check_columns(pipeline, table, &pushed.schema())?;
    }
    Ok(pushed)
}

/// Every column is one that the contract, or the pipeline, knows: a slip of the pen would lose its values.
fn check_columns(pipeline: &PipelineDef, table: &TableDef, schema: &Schema) -> Result<(), PushError> {
    let own = table.columns.iter().map(|column| column.name.as_str());
    let own = own.map(|name| pipeline.columns.get(name).map_or(name, String::as_str));
    let renamed = pipeline.renamed.iter().flat_map(|(new, old)| [new.as_str(), old.as_str()]);
    let known: Vec<&str> = own.chain(renamed).collect();
    let unknown = schema.fields().iter().map(|field| field.name()).find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |column| {
        let nearest = nearest(column, known.iter().copied()).map(str::to_owned);
        Err(PushError::UnknownColumn { table: table.name.clone(), column: column.clone(), nearest })
    })
}

/// The answer to a request that was loaded before, as `version`.
async fn loaded_before(ingest: &Ingest, table: &TableDef, version: u64, entry: &Entry) -> Answer {
    let load = ingest.committer().load_of(table, version).await.map_err(Arc::new)?;
    let is_sent = |source: &RunSource| source.path == entry.name && source.sha256 == entry.sha256;
    let is_same = entry.sha256.is_some() && load.sources.iter().any(is_sent);
    let run_id = load.run_id;
    if is_same {
        return Ok(PushReport { loaded: false, run_id, version, rows: None, rejects: Vec::new() });
    }
    let reused: Error = PushError::KeyReused { key: entry.push.key.clone(), run: run_id }.into();
    Err(Arc::new(reused))
}

async fn run(ingest: &Ingest, pipeline: &Arc<PipelineDef>, sources: Vec<Pushed>) -> Result<LoadReport> {
    let mut def = PipelineDef::clone(pipeline);
    // A request names the columns that it has values for.
    def.schema = def.schema.or(Some(SchemaPolicy::Freeze));
    let run = Run {
        engine: ingest.engine(),
        committer: ingest.committer(),
        sources: ingest.source_context(),
        observers: ingest.observers(),
        pipeline: Arc::new(def),
        redo: None,
        replay: None,
        pushed: Some(Pushed::together(sources)?),
        options: &LoadOptions::default(),
        progress: Arc::new(Silent),
    };
    Box::pin(run.load()).await
}

/// Answers the entries that the run loaded; gives back the others, which another server has taken meanwhile.
fn told(report: LoadReport, entries: Vec<Entry>) -> Vec<Entry> {
    let mut others = Vec::new();
    for entry in entries {
        let counts = report.pushed.get(&entry.name).copied().unwrap_or_default();
        let is_loaded = report.run.sources.iter().any(|source| source.path == entry.name);
        let (true, crate::LoadOutcome::Loaded, Some(version)) = (is_loaded, report.outcome, report.run.version) else {
            others.push(entry);
            continue;
        };
        let rows = PushRows {
            read: counts.read,
            loaded: counts.loaded,
            rejected: counts.rejected,
            duplicate: counts.read.saturating_sub(counts.loaded + counts.rejected),
        };
        let rejects = report.rejects.iter().filter(|reject| reject.file == entry.name).cloned().collect();
        let run_id = report.run.run_id.clone();
        entry.answer(&Ok(PushReport { loaded: true, run_id, version, rows: Some(rows), rejects }));
    }
    others
}
