//! A reader on a thread of its own, never far ahead of who takes what it reads.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Batches that a reader may be ahead: a small file is read to its end before its turn comes.
const AHEAD: usize = 2;

/// What a thread reads, and what it ends with.
pub(super) struct Beside<T, R> {
    items: Option<Receiver<T>>,
    thread: Option<JoinHandle<R>>,
}

/// What came next.
pub(super) enum Next<T, R> {
    Item(T),
    /// What the thread ended with; the panic, where it did not come to its end. Told once.
    End(std::thread::Result<R>),
    Over,
}

impl<T: Send + 'static, R: Send + 'static> Beside<T, R> {
    /// Starts `work`, which should end where nobody takes what it sends any more.
    pub(super) fn start(thread: Builder, work: impl FnOnce(SyncSender<T>) -> R + Send + 'static) -> io::Result<Self> {
        let (sender, items) = sync_channel(AHEAD);
        let thread = thread.spawn(move || work(sender))?;
        Ok(Self { items: Some(items), thread: Some(thread) })
    }

    pub(super) fn next(&mut self) -> Next<T, R> {
        if let Some(items) = &self.items
            && let Ok(item) = items.recv()
        {
            return Next::Item(item);
        }
        self.items = None;
        self.thread.take().map_or(Next::Over, |thread| Next::End(thread.join()))
    }
}

impl<T, R> Drop for Beside<T, R> {
    /// The thread ends at its next item, and its temporary files with it.
    fn drop(&mut self) {
        self.items = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
