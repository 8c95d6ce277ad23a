//! Readers of binary formats on a thread of their own. What they decode was written by others, and the libraries that
//! decode it panic on some damaged files: a panic there ends that thread, and becomes an error of the file here. The
//! thread's stack is large, since nesting in a file is recursion in its reader.

use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;
use std::thread::Builder;

use super::beside::{Beside, Next};
use super::{Batches, SourceBatch, SourceError};

/// Bytes of stack; memory is taken only as it is used.
const STACK_BYTES: usize = 64 << 20;

/// Where a reader puts its batches.
pub(super) struct Sink(SyncSender<SourceBatch>);

impl Sink {
    /// Hands a batch over; breaks where nobody takes batches any more.
    pub(super) fn push(&self, batch: SourceBatch) -> ControlFlow<()> {
        match self.0.send(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Runs `work` and waits for it.
pub(super) fn run<T: Send>(
    path: &str,
    kind: &'static str,
    work: impl FnOnce() -> Result<T, SourceError> + Send,
) -> Result<T, SourceError> {
    std::thread::scope(|scope| {
        let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|source| SourceError::Read { path: path.into(), source })?;
        thread.join().unwrap_or_else(|_| Err(gave_up(path, kind)))
    })
}

/// The batches that `work` pushes.
pub(super) fn batches(
    path: &str,
    kind: &'static str,
    work: impl FnOnce(&Sink) -> Result<(), SourceError> + Send + 'static,
) -> Result<Batches, SourceError> {
    let thread = Builder::new().stack_size(STACK_BYTES);
    let started = Beside::start(thread, move |sender| work(&Sink(sender)));
    let mut reading = started.map_err(|source| SourceError::Read { path: path.into(), source })?;
    let path = path.to_owned();
    Ok(Box::new(std::iter::from_fn(move || match reading.next() {
        Next::Item(batch) => Some(Ok(batch)),
        Next::End(ended) => ended.unwrap_or_else(|_| Err(gave_up(&path, kind))).err().map(Err),
        Next::Over => None,
    })))
}

fn gave_up(path: &str, kind: &'static str) -> SourceError {
    SourceError::BadFile {
        path: path.into(),
        kind,
        reason: "it is damaged: its reader gave up on what it found".into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_the_file() {
        let error = run::<()>("a", "Parquet", || panic!("index out of bounds")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a` cannot be read as Parquet: it is damaged: its reader gave up on what it found"
        );
        let mut batches = batches("a", "Parquet", |_| panic!("index out of bounds")).unwrap();
        assert!(batches.next().unwrap().is_err());
        assert!(batches.next().is_none());
    }
}
