//! The accounts of one request: counted and written down when its reply has ended, however it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use chrono::{SecondsFormat, Utc};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tracing::Span;

use super::{Asked, Connection, span};
use crate::access_log::{AccessLine, AccessLog};
use crate::reply::QUERY_ID;
use crate::serve::Watch;
use crate::telemetry::{Telemetry, method_name};

/// The status that web servers log for a client that went away before it had a reply.
const CLIENT_LEFT: u16 = 499;

/// A request and what has become of it so far.
pub(super) struct Exchange {
    asked: Asked,
    method: &'static str,
    started: Instant,
    status: u16,
    bytes: u64,
    complete: bool,
    /// The reply was cut by a failure.
    cut: bool,
    query_id: Option<String>,
    span: Span,
    telemetry: Telemetry,
    log: AccessLog,
    watch: Option<Arc<Watch>>,
}

impl Exchange {
    pub(super) fn begin(state: &crate::state::AppState, request: &Request, asked: Asked, span: Span) -> Self {
        state.telemetry.request_began();
        let watch = request.extensions().get::<Connection>().map(|connection| Arc::clone(&connection.watch));
        if let Some(watch) = &watch {
            watch.request_began();
        }
        Self {
            asked,
            method: method_name(request.method()),
            started: Instant::now(),
            status: CLIENT_LEFT,
            bytes: 0,
            complete: false,
            cut: false,
            query_id: None,
            span,
            telemetry: state.telemetry.clone(),
            log: state.access_log.clone(),
            watch,
        }
    }

    /// Follows the reply to its end.
    pub(super) fn answer(mut self, response: Response) -> Response {
        self.status = response.status().as_u16();
        self.query_id = response.headers().get(QUERY_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        // The server takes the body of a reply to HEAD away.
        self.complete = self.method == "HEAD";
        response.map(|inner| Body::new(SentBody { inner, exchange: self }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.request_ended(Instant::now());
        }
        let (took, question) = (self.started.elapsed(), &self.asked.0);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.telemetry.request_ended(self.method, &question.route, self.status, took, self.bytes);
        let trace_id = question.trace_id.as_deref();
        let (request_id, query_id) = (question.request_id.as_str(), self.query_id.as_deref());
        let ending = span::Ending { status: self.status, bytes: self.bytes, cut: self.cut, request_id, query_id };
        span::end(&self.span, &ending);
        // The access log has every request; this one is for those who look for a fault.
        tracing::debug!(
            request.id = question.request_id,
            trace.id = trace_id,
            http.method = self.method,
            http.route = &*question.route,
            http.status = self.status,
            bytes = self.bytes,
            complete = self.complete,
            duration_ms,
            "request"
        );
        if self.log.is_kept() {
            self.log.write(&AccessLine {
                time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                request_id,
                trace_id,
                remote: question.remote,
                principal: question.principal.get().map(|principal| principal.name()),
                method: self.method,
                route: &question.route,
                status: self.status,
                bytes: self.bytes,
                duration_ms,
                complete: self.complete,
                query_id,
            });
        }
    }
}

/// A reply's body that is counted as it is sent.
struct SentBody {
    inner: Body,
    exchange: Exchange,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.exchange.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(Some(Err(_))) => self.exchange.cut = true,
            Poll::Ready(None) => self.exchange.complete = !self.exchange.cut,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for SentBody {
    fn drop(&mut self) {
        // A body whose length is known is not asked for an end beyond it.
        self.exchange.complete |= !self.exchange.cut && self.inner.is_end_stream();
    }
}
