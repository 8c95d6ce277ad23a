//! Readers of binary formats on a thread of their own. What they decode was written by others, and the libraries that
//! decode it panic on some damaged files: a panic there ends that thread, and becomes an error of the file here. The
//! thread's stack is large, since nesting in a file is recursion in its reader.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::{Batches, SourceBatch, SourceError};

/// Bytes of stack; memory is taken only as it is used.
const STACK_BYTES: usize = 64 << 20;

/// Batches that a reader may be ahead of who takes them.
const AHEAD: usize = 2;

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
    let (sender, receiver) = sync_channel(AHEAD);
    let spawned = Builder::new().stack_size(STACK_BYTES).spawn(move || work(&Sink(sender)));
    let thread = spawned.map_err(|source| SourceError::Read { path: path.into(), source })?;
    Ok(Box::new(Apart { receiver: Some(receiver), thread: Some(thread), path: path.into(), kind }))
}

struct Apart {
    receiver: Option<Receiver<SourceBatch>>,
    thread: Option<JoinHandle<Result<(), SourceError>>>,
    path: String,
    kind: &'static str,
}

impl Iterator for Apart {
    type Item = Result<SourceBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(batch) = self.receiver.as_ref()?.recv() {
            return Some(Ok(batch));
        }
        self.receiver = None;
        let ended = self.thread.take()?.join().unwrap_or_else(|_| Err(gave_up(&self.path, self.kind)));
        ended.err().map(Err)
    }
}

impl Drop for Apart {
    /// The thread ends at its next batch, and its temporary files with it.
    fn drop(&mut self) {
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
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
