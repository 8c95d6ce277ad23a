//! Room for deep trees. Statements are bounded, but a tree of two thousand operators is still cloned, compared and
//! freed by recursive code that DataFusion does not protect, and a worker thread has two megabytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

/// Below this the next call gets a new stack.
const RED_ZONE_BYTES: usize = 8 << 20;
/// Memory that is reserved, and used only as far as the recursion goes.
const STACK_BYTES: usize = 16 << 20;

/// Calls `work` with enough stack for any permitted statement.
pub(crate) fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE_BYTES, STACK_BYTES, work)
}

/// A future that is polled, and dropped, with enough stack.
pub(crate) struct Roomy<'a, T>(Option<BoxFuture<'a, T>>);

impl<'a, T> Roomy<'a, T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'a) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T> Future for Roomy<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        with_room(|| match &mut self.0 {
            Some(work) => work.as_mut().poll(cx),
            None => Poll::Pending,
        })
    }
}

impl<T> Drop for Roomy<'_, T> {
    fn drop(&mut self) {
        with_room(|| self.0 = None);
    }
}
