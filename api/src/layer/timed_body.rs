//! A request's body that must arrive in time.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Asked;
use crate::state::HttpLimits;

/// Puts the limits of time around the request's body.
pub(super) fn timed(request: Request, limits: &HttpLimits, asked: &Asked) -> Request {
    if HttpBody::is_end_stream(request.body()) {
        return request;
    }
    let (idle, total, asked) = (limits.body_idle_timeout, limits.body_timeout, asked.clone());
    request.map(|inner| Body::new(TimedBody { inner, idle, total, asked, ends: None, waiting: None }))
}

struct TimedBody {
    inner: Body,
    idle: Duration,
    total: Duration,
    asked: Asked,
    /// When the whole must be there; set when somebody begins to read.
    ends: Option<Instant>,
    /// Runs while nothing comes.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let total = this.total;
        let ends = *this.ends.get_or_insert_with(|| Instant::now() + total);
        match Pin::new(&mut this.inner).poll_frame(context) {
            // Whoever sends a byte at a time is never idle: the end of it all is looked at here too.
            Poll::Ready(Some(Ok(_))) if Instant::now() >= ends => Poll::Ready(Some(Err(this.late()))),
            Poll::Ready(frame) => {
                this.waiting = None;
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let idle = this.idle;
                let waiting =
                    this.waiting.get_or_insert_with(|| Box::pin(sleep_until(ends.min(Instant::now() + idle))));
                match waiting.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(this.late()))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl TimedBody {
    fn late(&self) -> axum::Error {
        self.asked.0.late.store(true, Ordering::Relaxed);
        axum::Error::new(io::Error::new(io::ErrorKind::TimedOut, "the request's body did not arrive in time"))
    }
}
