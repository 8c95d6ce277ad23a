//! A query as spans: the whole of it, and its planning, its waiting and the work of its operators below that. Whoever
//! subscribes to `tracing` decides where they go; where nobody does, each costs a look at whether somebody might. They
//! hold what the record of a query holds, without the statement: it may have literals about persons.

use tracing::Span;
use tracing::field::Empty;

use super::cache::CacheUse;
use super::sink::{QueryOutcome, QueryRecord};

/// The spans of one query. They end when it ends, wherever its last rows are polled.
#[derive(Debug)]
pub(super) struct Spans {
    query: Span,
    running: Span,
}

impl Spans {
    /// Of a query that was just asked, below whatever asks it.
    pub(super) fn of(record: &QueryRecord) -> Self {
        let query = tracing::info_span!(
            "query",
            xiangyun.query.id = %record.id,
            xiangyun.principal.class = record.principal.class().name(),
            xiangyun.query.cache = Empty,
            xiangyun.query.rows = Empty,
            xiangyun.query.outcome = Empty,
            error.type = Empty,
            otel.status_code = Empty,
        );
        Self { query, running: Span::none() }
    }

    /// The time in which a plan is made.
    pub(super) fn planning(&self) -> Span {
        tracing::info_span!(parent: &self.query, "plan")
    }

    /// The time in which it waits for a slot of its class.
    pub(super) fn waiting(&self) -> Span {
        tracing::info_span!(parent: &self.query, "queue")
    }

    /// Its operators begin.
    pub(super) fn runs(&mut self) {
        self.running = tracing::info_span!(
            parent: &self.query,
            "execute",
            xiangyun.query.rows = Empty,
            xiangyun.query.read_bytes = Empty,
            error.type = Empty,
            otel.status_code = Empty,
        );
    }

    /// What the cache had to do with it.
    pub(super) fn uses(&self, cache: CacheUse) {
        self.query.record("xiangyun.query.cache", cache.name());
    }

    /// It ended. What its scans have read is only asked for where somebody listens.
    pub(super) fn end(&mut self, outcome: QueryOutcome, rows: u64, read_bytes: impl FnOnce() -> u64) {
        let query = std::mem::replace(&mut self.query, Span::none());
        let running = std::mem::replace(&mut self.running, Span::none());
        if query.is_disabled() {
            return;
        }
        if !running.is_disabled() {
            running.record("xiangyun.query.read_bytes", read_bytes());
        }
        for span in [&running, &query] {
            span.record("xiangyun.query.rows", rows);
            if let QueryOutcome::Failed(kind) = outcome {
                span.record("error.type", kind.code());
                span.record("otel.status_code", "error");
            }
        }
        query.record("xiangyun.query.outcome", outcome.name());
    }
}
