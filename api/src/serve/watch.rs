//! What a connection is doing, and since when: told by its bytes and its requests, looked at by its task.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::state::HttpLimits;

/// The first bytes of HTTP/2.
const HTTP2_OPENING: [u8; 3] = *b"PRI";

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Watch(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests whose reply has not ended.
    running: usize,
    /// A request has come at all.
    asked: bool,
    /// Since when there has been no request; at first, since the connection was accepted.
    idle_since: Instant,
    /// When the first byte came after the last reply.
    head_began: Option<Instant>,
    /// Since when the client has taken nothing of what is being sent.
    blocked_since: Option<Instant>,
    opening: [u8; 3],
    opened: usize,
}

/// What a connection takes too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request's head.
    Head,
    /// Another request.
    Idle,
    /// Taking the reply.
    Send,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            running: 0,
            asked: false,
            idle_since: now,
            head_began: None,
            blocked_since: None,
            opening: [0; 3],
            opened: 0,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head of a request is there.
    pub(crate) fn request_began(&self) {
        let mut state = self.state();
        state.running += 1;
        state.asked = true;
        state.head_began = None;
    }

    /// A reply has ended, or there will be none.
    pub(crate) fn request_ended(&self, now: Instant) {
        let mut state = self.state();
        state.running = state.running.saturating_sub(1);
        state.idle_since = now;
    }

    fn received(&self, bytes: &[u8], now: Instant) {
        let mut state = self.state();
        for byte in bytes.iter().take(HTTP2_OPENING.len() - state.opened) {
            let at = state.opened;
            state.opening[at] = *byte;
            state.opened += 1;
        }
        if state.running == 0 && state.head_began.is_none() {
            state.head_began = Some(now);
        }
    }

    fn sending(&self, blocked: bool, now: Instant) {
        let mut state = self.state();
        if !blocked {
            state.blocked_since = None;
        } else if state.blocked_since.is_none() {
            state.blocked_since = Some(now);
        }
    }

    /// The client speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.state().is_http2()
    }

    /// A part of a request's head has come, in a form of HTTP that can be answered before the rest has.
    pub(super) fn has_part_of_head(&self) -> bool {
        let state = self.state();
        state.opened > 0 && !state.is_http2()
    }

    /// What takes too long by now.
    pub(super) fn overdue(&self, limits: &HttpLimits, now: Instant) -> Option<Overdue> {
        let state = self.state();
        let passed = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
        if state.blocked_since.is_some_and(|since| passed(since, limits.send_timeout)) {
            return Some(Overdue::Send);
        }
        if state.running > 0 {
            return None;
        }
        if !state.asked {
            return passed(state.idle_since, limits.head_timeout).then_some(Overdue::Head);
        }
        // On HTTP/2 bytes need not be a request: pings and window updates come between them.
        let head_began = state.head_began.filter(|_| !state.is_http2());
        if head_began.is_some_and(|since| passed(since, limits.head_timeout)) {
            return Some(Overdue::Head);
        }
        passed(state.idle_since, limits.idle_timeout).then_some(Overdue::Idle)
    }
}

impl State {
    fn is_http2(&self) -> bool {
        self.opening == HTTP2_OPENING
    }
}

/// A stream whose bytes are told to a [`Watch`]. It can be had back after the server has let go of it.
pub(super) struct Watched<S> {
    stream: Arc<Mutex<S>>,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> (Self, Arc<Mutex<S>>) {
        let stream = Arc::new(Mutex::new(stream));
        (Self { stream: Arc::clone(&stream), watch }, stream)
    }

    fn stream(&self) -> MutexGuard<'_, S> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut *self.stream()).poll_read(context, buffer);
        if let Some(bytes) = buffer.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
            self.watch.received(bytes, Instant::now());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream()).poll_write(context, bytes);
        self.watch.sending(written.is_pending(), Instant::now());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream()).poll_write_vectored(context, slices);
        self.watch.sending(written.is_pending(), Instant::now());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut *self.stream()).poll_flush(context);
        self.watch.sending(flushed.is_pending(), Instant::now());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch, and its time in seconds after its beginning.
    struct Timed {
        watch: Watch,
        began: Instant,
        limits: HttpLimits,
    }

    impl Timed {
        fn new() -> Self {
            let limits = HttpLimits {
                head_timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(75),
                send_timeout: Duration::from_secs(60),
                ..HttpLimits::default()
            };
            let began = Instant::now();
            Self { watch: Watch::new(began), began, limits }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.began + Duration::from_secs(seconds)
        }

        fn overdue(&self, seconds: u64) -> Option<Overdue> {
            self.watch.overdue(&self.limits, self.at(seconds))
        }
    }

    #[test]
    fn a_connection_that_asks_nothing_is_overdue_for_a_head() {
        let timed = Timed::new();
        assert_eq!(timed.overdue(9), None);
        timed.watch.received(b"PRI * HT", timed.at(9));
        assert_eq!(timed.overdue(10), Some(Overdue::Head));
        assert!(!timed.watch.has_part_of_head());
    }

    #[test]
    fn a_request_has_its_time_and_the_pause_after_it_another() {
        let timed = Timed::new();
        timed.watch.received(b"GET / HTTP/1.1\r\n\r\n", timed.at(1));
        timed.watch.request_began();
        assert_eq!(timed.overdue(1000), None, "a running query is the engine's to end");
        timed.watch.request_ended(timed.at(1000));
        assert_eq!(timed.overdue(1074), None);
        assert_eq!(timed.overdue(1075), Some(Overdue::Idle));
    }

    #[test]
    fn a_later_head_has_its_time_from_its_first_byte() {
        let timed = Timed::new();
        timed.watch.request_began();
        timed.watch.request_ended(timed.at(0));
        timed.watch.received(b"G", timed.at(60));
        timed.watch.received(b"E", timed.at(69));
        assert_eq!(timed.overdue(69), None);
        assert_eq!(timed.overdue(70), Some(Overdue::Head));
        assert!(timed.watch.has_part_of_head());
    }

    #[test]
    fn pings_of_http2_are_no_head_and_keep_nothing_open() {
        let timed = Timed::new();
        timed.watch.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", timed.at(0));
        timed.watch.request_began();
        timed.watch.request_ended(timed.at(0));
        for second in [14, 28, 42, 56, 70] {
            timed.watch.received(b"ping", timed.at(second));
            assert_eq!(timed.overdue(second), None);
        }
        assert_eq!(timed.overdue(75), Some(Overdue::Idle));
    }

    #[test]
    fn a_client_that_takes_nothing_is_overdue_while_its_request_runs() {
        let timed = Timed::new();
        timed.watch.request_began();
        timed.watch.sending(true, timed.at(0));
        timed.watch.sending(true, timed.at(59));
        assert_eq!(timed.overdue(59), None);
        assert_eq!(timed.overdue(60), Some(Overdue::Send));
        timed.watch.sending(false, timed.at(60));
        assert_eq!(timed.overdue(60), None);
    }
}
