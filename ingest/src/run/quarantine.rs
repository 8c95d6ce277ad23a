//! The rejected rows of a run on their way to the quarantine log: a task of its own takes them from the reader and
//! from the checks, so that their number needs no memory.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use xiangyun_engine::Result;

use super::error::RunError;
use super::{SAMPLES, sample};
use crate::check::Finding;
use crate::commit::{Committer, QuarantineRow, QuarantineWriter};
use crate::ingest::RejectSample;

/// Findings that are written at a time, and that may wait: each may be as long as the longest row.
const CHUNK: usize = 64;

/// Which findings a report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    /// The first few.
    First,
    /// The first few of each file.
    OfEachFile,
}

/// Rejected rows, staged and not committed.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// Aborts the task where the run fails first.
    task: JoinSet<Result<Staged>>,
    staged: Option<Staged>,
}

#[derive(Debug)]
struct Staged {
    writer: Option<QuarantineWriter>,
    samples: Vec<RejectSample>,
    rows: u64,
}

impl Quarantine {
    /// Starts to take findings in. Without a writer they are counted only. `files` stands for the file of a row whose
    /// place a transform lost.
    pub(super) fn open(
        writer: Option<QuarantineWriter>,
        files: String,
        samples: Samples,
        rejected_at: DateTime<Utc>,
    ) -> (Self, mpsc::Sender<Finding>) {
        let (sender, receiver) = mpsc::channel(CHUNK);
        let mut task = JoinSet::new();
        task.spawn(collect(writer, receiver, files, samples, rejected_at));
        (Self { task, staged: None }, sender)
    }

    /// Waits for the last finding; all senders must be gone. Gives the first few.
    pub(super) async fn close(&mut self) -> Result<Vec<RejectSample>> {
        let Some(joined) = self.task.join_next().await else { return Ok(Vec::new()) };
        let mut staged = joined.map_err(|error| RunError::ReaderLost { source: error.into() })??;
        let samples = std::mem::take(&mut staged.samples);
        self.staged = Some(staged);
        Ok(samples)
    }

    /// Rows taken in until it was closed.
    pub(super) fn rows(&self) -> u64 {
        self.staged.as_ref().map_or(0, |staged| staged.rows)
    }

    /// Commits the rows. They stay hidden until the run's data is committed.
    pub(super) async fn commit(self, committer: &Committer) -> Result<()> {
        if let Some(writer) = self.staged.and_then(|staged| staged.writer) {
            writer.commit(committer).await?;
        }
        Ok(())
    }
}

async fn collect(
    mut writer: Option<QuarantineWriter>,
    mut findings: mpsc::Receiver<Finding>,
    files: String,
    shown: Samples,
    rejected_at: DateTime<Utc>,
) -> Result<Staged> {
    let (mut samples, mut rows, mut chunk) = (Vec::new(), 0, Vec::with_capacity(CHUNK));
    let mut counts: HashMap<Option<Arc<str>>, usize> = HashMap::new();
    while findings.recv_many(&mut chunk, CHUNK).await > 0 {
        rows += chunk.len() as u64;
        samples.extend(chunk.iter().filter(|finding| is_shown(finding, shown, &mut counts)).map(sample));
        if let Some(writer) = &mut writer {
            let rejected: Vec<_> = chunk.drain(..).map(|finding| row(finding, &files)).collect();
            writer.write(&rejected, rejected_at).await?;
        }
        chunk.clear();
    }
    Ok(Staged { writer, samples, rows })
}

fn is_shown(finding: &Finding, shown: Samples, counts: &mut HashMap<Option<Arc<str>>, usize>) -> bool {
    let file = match shown {
        Samples::First => None,
        Samples::OfEachFile => finding.place.as_ref().map(|place| Arc::clone(&place.file)),
    };
    let count = counts.entry(file).or_default();
    *count += 1;
    *count <= SAMPLES
}

fn row(finding: Finding, files: &str) -> QuarantineRow {
    let (file, line) = match finding.place {
        Some(place) => (place.file.to_string(), Some(place.line)),
        None => (files.to_owned(), None),
    };
    QuarantineRow {
        file,
        line,
        column: finding.column,
        rule: finding.rule,
        reason: finding.reason,
        message: finding.message,
        raw: Some(finding.raw),
    }
}
