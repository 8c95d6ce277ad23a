//! Rejected rows that come again: which of them a run may take up, and where they stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::StreamExt;
use xiangyun_engine::catalog::{ResolvedRows, RunSource, TableDef};
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Principal, Result};

use super::Run;
use super::error::RunError;
use super::files::{is_newest, standing};
use super::identity;
use super::task::{CommitName, Loading, Task};
use crate::check::Place;
use crate::commit::{Idempotency, InPlace, PastLoad};
use crate::ingest::LoadReport;
use crate::pipeline::{OnChangedFile, PipelineDef, SchemaPolicy, WriteMode};
use crate::quarantine::{COLUMNS, NUMBER, RAW, RUN};
use crate::source::{Batches, Source, SourceBatch, SourceError};

/// Rows of one run's quarantine, corrected or as they were.
#[derive(Debug)]
pub(crate) struct Replay {
    run_id: String,
    numbers: BTreeSet<u64>,
    /// The pipeline's mode, as it is declared.
    mode: WriteMode,
    /// Has them among others, with the columns [`RUN`] and [`NUMBER`].
    source: Arc<dyn Source>,
    /// Those that no run has taken up, and where they stood: known once the quarantine has been looked at.
    open: Open,
}

type Open = Arc<Mutex<Arc<HashMap<u64, Place>>>>;

impl Replay {
    /// The rows `numbers` that `run_id` rejected, as they stand in `source`.
    pub(crate) fn new(run_id: &str, numbers: BTreeSet<u64>, mode: WriteMode, source: Arc<dyn Source>) -> Self {
        Self { run_id: run_id.into(), numbers, mode, source, open: Open::default() }
    }

    /// The rows, without the columns that say which they are.
    pub(super) fn rows(&self) -> Arc<dyn Source> {
        Arc::new(ReplayedRows::new(self))
    }

    /// The pipeline as it is for these rows. They have been transformed already; what is said of a load as a whole does not
    /// hold of some of its rows; and rows are added to those that took the place of others.
    pub(crate) fn pipeline(&self, def: &PipelineDef) -> PipelineDef {
        let mut def = def.clone();
        def.transform = None;
        def.batch = Vec::new();
        def.max_rejected = None;
        def.schema = def.schema.filter(|policy| *policy != SchemaPolicy::Stop);
        if matches!(def.mode, WriteMode::Replace | WriteMode::ReplacePartition) {
            def.mode = WriteMode::Append;
        }
        def
    }
}

/// A rejected row as the quarantine has it.
struct Quarantined {
    place: Place,
    resolved_by: Option<String>,
}

impl Run<'_> {
    /// What is to be done about the rows of `replay`: those that no run has taken up yet.
    pub(super) async fn replay_task(
        &self,
        table: &TableDef,
        source: Arc<dyn Source>,
        replay: &Replay,
        report: &mut LoadReport,
    ) -> Result<Task> {
        // First the log, then the quarantine: what comes between them is found when the rows are committed.
        let (past, seen) = self.committer.past_loads(table).await?;
        let rows = self.quarantined(replay).await?;
        // Of pushes the log's newest only are known whole; none of them ever goes or is made again.
        if !(self.pipeline.source.is_push() && self.has_committed(&replay.run_id).await?) {
            self.may_replay(replay, &past, &rows)?;
        }
        let (mut open, mut taken_up) = (HashMap::new(), BTreeSet::new());
        for (number, row) in rows {
            match row.resolved_by {
                Some(by) => {
                    taken_up.insert(by);
                }
                None => {
                    open.insert(number, row.place);
                }
            }
        }
        if !taken_up.is_empty() {
            let (count, by) = (replay.numbers.len() - open.len(), list(&taken_up));
            report.run.notes.push(format!("{count} of the rows were taken up by run {by} before and are left out"));
        }
        report.run.sources = replay.source.files().to_vec();
        if open.is_empty() {
            let load = past.iter().rfind(|load| taken_up.contains(&load.run_id));
            return Ok(Task::Nothing { version: load.map_or(0, |load| load.version) });
        }
        let mut numbers: Vec<u64> = open.keys().copied().collect();
        numbers.sort_unstable();
        report.run.resolves = vec![ResolvedRows { run_id: replay.run_id.clone(), rows: stretches(&numbers) }];
        let content = identity::hashes(replay.source.files())?.join("-");
        let app_id = format!("xiangyun/{}/replay/{}/{content}", self.pipeline.name, replay.run_id);
        *replay.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(open);
        Ok(Task::Load(Box::new(Loading {
            files: source.files().to_vec(),
            source,
            name: CommitName::Known(Idempotency { app_id, version: 1 }),
            in_place: InPlace { seen: Some(seen), ..InPlace::default() },
        })))
    }

    /// The rows as the quarantine has them; all of those that are replayed.
    async fn quarantined(&self, replay: &Replay) -> Result<BTreeMap<u64, Quarantined>> {
        let run = &replay.run_id;
        let sql = format!(
            "select number, file, line, resolved_by from system.quarantine where run_id = '{}' and number is not null",
            run.replace('\'', "''")
        );
        let mut result = self.engine.query_as(Principal::system()).sql(SqlRequest::new(sql)).await?;
        let mut rows = BTreeMap::new();
        while let Some(batch) = result.next().await {
            let batch = batch?;
            let column = |index: usize| arrow::compute::cast(batch.column(index), &arrow::datatypes::DataType::Utf8);
            let (files, by) = match (column(1), column(3)) {
                (Ok(files), Ok(by)) => (files, by),
                (Err(error), _) | (_, Err(error)) => return Err(RunError::Evaluate { source: error.into() }.into()),
            };
            let (files, by) = (files.as_string::<i32>(), by.as_string::<i32>());
            let (numbers, lines) =
                (batch.column(0).as_primitive::<Int64Type>(), batch.column(2).as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let number = u64::try_from(numbers.value(row)).unwrap_or_default();
                if !replay.numbers.contains(&number) {
                    continue;
                }
                let line = lines.is_valid(row).then(|| u64::try_from(lines.value(row)).unwrap_or_default());
                let place = Place { file: files.value(row).into(), line: line.unwrap_or_default() };
                let resolved_by = by.is_valid(row).then(|| by.value(row).to_owned());
                rows.insert(number, Quarantined { place, resolved_by });
            }
        }
        match replay.numbers.iter().find(|number| !rows.contains_key(number)) {
            Some(number) => Err(RunError::NotQuarantined { run: run.clone(), number: *number }.into()),
            None => Ok(rows),
        }
    }

    /// Whether the run put rows into a table, or found none to put there.
    async fn has_committed(&self, run_id: &str) -> Result<bool> {
        let run = run_id.replace('\'', "''");
        let sql = format!("select 1 from system.runs where run_id = '{run}' and status = 'succeeded'");
        let mut result = self.engine.query_as(Principal::system()).sql(SqlRequest::new(sql)).await?;
        while let Some(batch) = result.next().await {
            if batch?.num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the other rows of the load are still the table's: corrected ones must not stand beside what replaced them.
    fn may_replay(
        &self,
        replay: &Replay,
        past: &[PastLoad],
        rows: &BTreeMap<u64, Quarantined>,
    ) -> std::result::Result<(), RunError> {
        let refused = |why: String| RunError::NoReplay { run: replay.run_id.clone(), why };
        let loads = standing(past, &self.pipeline.name);
        let mut root = &replay.run_id;
        let load = loop {
            let Some(load) = loads.iter().find(|load| load.run_id == *root) else {
                return Err(refused(match past.iter().find(|load| load.redo_of.as_ref() == Some(root)) {
                    Some(again) => format!("run {root} was made again by run {}", again.run_id),
                    None => format!("run {root} loaded nothing: it was stopped"),
                }));
            };
            // A row that was rejected again is one of the load that rejected it first.
            match load.resolves.first() {
                Some(before) => root = &before.run_id,
                None => break load,
            }
        };
        let newest = loads.iter().rfind(|load| load.resolves.is_empty());
        if matches!(replay.mode, WriteMode::Replace | WriteMode::ReplacePartition)
            && let Some(newest) = newest.filter(|newest| newest.run_id != load.run_id)
        {
            return Err(refused(format!("run {} has replaced its rows since", newest.run_id)));
        }
        if self.pipeline.on_changed_file == OnChangedFile::Replace {
            for file in rows.values().filter(|row| row.resolved_by.is_none()).map(|row| &row.place.file) {
                if load.sources.iter().any(|source| *source.path == **file) && !is_newest(&loads, load, file) {
                    return Err(refused(format!("`{file}` was loaded with other content since")));
                }
            }
        }
        Ok(())
    }
}

fn list(runs: &BTreeSet<String>) -> String {
    runs.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// First and last of each stretch of ascending numbers.
fn stretches(numbers: &[u64]) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => found.push((*number, *number)),
        }
    }
    found
}

/// The rows of a file that are replayed, each at the place where it stood when it was rejected.
#[derive(Debug)]
struct ReplayedRows {
    source: Arc<dyn Source>,
    run_id: String,
    open: Open,
    /// The rows' own columns.
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl ReplayedRows {
    fn new(replay: &Replay) -> Self {
        let schema = replay.source.schema();
        let is_own = |name: &str| !COLUMNS.contains(&name) && name != RAW;
        let columns: Vec<usize> =
            (0..schema.fields().len()).filter(|index| is_own(schema.field(*index).name())).collect();
        let fields: Vec<_> = columns.iter().map(|index| schema.field(*index).clone()).collect();
        Self {
            source: Arc::clone(&replay.source),
            run_id: replay.run_id.clone(),
            open: Arc::clone(&replay.open),
            columns,
            schema: Arc::new(arrow::datatypes::Schema::new(fields)),
        }
    }
}

impl Source for ReplayedRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn files(&self) -> &[RunSource] {
        self.source.files()
    }

    fn hashed_files(
        &self,
        wanted: &(dyn Fn(&RunSource) -> bool + Sync),
    ) -> std::result::Result<Vec<RunSource>, SourceError> {
        self.source.hashed_files(wanted)
    }

    fn batches(&self) -> std::result::Result<Batches, SourceError> {
        let open = Arc::clone(&self.open.lock().unwrap_or_else(PoisonError::into_inner));
        let (run, columns) = (self.run_id.clone(), self.columns.clone());
        Ok(Box::new(self.source.batches()?.flat_map(move |rows| match rows {
            Ok(rows) => placed(&rows, &run, &open, &columns).into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })))
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }
}

/// The open rows of a batch, by the file that they stood in.
fn placed(rows: &SourceBatch, run: &str, open: &HashMap<u64, Place>, columns: &[usize]) -> Vec<SourceBatch> {
    let text = |name: &str| rows.batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(runs), Some(numbers)) = (text(RUN), text(NUMBER)) else { return Vec::new() };
    let mut files: BTreeMap<Arc<str>, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for row in (0..rows.batch.num_rows()).filter(|row| runs.value(*row).trim() == run) {
        let place = numbers.value(row).trim().parse().ok().and_then(|number: u64| open.get(&number));
        if let Some(place) = place {
            let (indices, lines) = files.entry(Arc::clone(&place.file)).or_default();
            indices.push(row as u64);
            lines.push(place.line);
        }
    }
    let mut bytes = rows.bytes;
    let of_file = |(file, (indices, lines)): (Arc<str>, (Vec<u64>, Vec<u64>))| {
        let own: RecordBatch = rows.batch.project(columns).expect("the columns are the batch's");
        let batch = take_record_batch(&own, &UInt64Array::from(indices)).expect("the rows are the batch's");
        let (lines, bytes) = (UInt64Array::from(lines), std::mem::take(&mut bytes));
        SourceBatch { batch, file, lines, unreadable: Vec::new(), bytes }
    };
    files.into_iter().map(of_file).collect()
}

#[cfg(test)]
mod tests {
    use super::stretches;

    #[test]
    fn numbers_are_written_as_stretches() {
        assert_eq!(stretches(&[1, 2, 3, 5, 8, 9]), [(1, 3), (5, 5), (8, 9)]);
        assert_eq!(stretches(&[]), []);
    }
}
