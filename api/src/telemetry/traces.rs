//! Spans of requests, for whoever exports them. The server makes them by `tracing` and knows nothing of where they go;
//! what it has to ask, it asks this trait.

use std::fmt::Debug;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::Span;

/// A caller's span, as a W3C `traceparent` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent<'a> {
    /// The trace: 32 digits of lower-case hexadecimal, not all zero.
    pub trace_id: &'a str,
    /// The span: 16 of them, not all zero.
    pub span_id: &'a str,
    /// Whether the caller exports its spans; ours follow it.
    pub sampled: bool,
}

/// What became of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has taken them.
    pub exported: u64,
    /// They were given up: the collector takes them too slowly, or not at all.
    pub dropped: u64,
}

/// Takes the spans of this process elsewhere. Called on requests' own tasks, so nothing of it may block.
pub trait TraceExport: Debug + Send + Sync {
    /// Makes `span`, which was not entered yet, a child of the caller's.
    fn join(&self, span: &Span, parent: TraceParent<'_>);
    /// The trace of `span`, in lower-case hexadecimal.
    fn trace_id(&self, span: &Span) -> Option<String>;
    /// What became of all spans so far.
    fn counts(&self) -> SpanCounts;
}

/// The export, and its counters.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) export: Arc<dyn TraceExport>,
    spans: Family<SpanLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpanLabels {
    outcome: &'static str,
}

impl Traces {
    pub(super) fn register(registry: &mut Registry, export: Arc<dyn TraceExport>) -> Self {
        let spans = Family::default();
        registry.register("xiangyun_trace_spans", "Spans of traces by what became of them", spans.clone());
        Self { export, spans }
    }

    /// Looks at the figures anew.
    pub(super) fn look(&self) {
        let counts = self.export.counts();
        for (outcome, count) in [("exported", counts.exported), ("dropped", counts.dropped)] {
            let counter = self.spans.get_or_create(&SpanLabels { outcome });
            counter.inner().store(count, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
