//! Spans on their way out. Whoever ends one never waits: it enters a queue that has an end, or is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use xiangyun_api::SpanCounts;

/// Spans that wait; a batch that is being sent is among them.
const WAITING: usize = 4096;
/// Spans that are sent at once.
const BATCH: usize = 512;

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    waiting: AtomicUsize,
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    pub(super) fn told(&self) -> SpanCounts {
        SpanCounts { exported: self.exported.load(Ordering::Relaxed), dropped: self.dropped.load(Ordering::Relaxed) }
    }

    /// Takes a place in the queue. False where it is full: then the span is dropped.
    fn take_place(&self, limit: usize) -> bool {
        let taken = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| (waiting < limit).then_some(waiting + 1));
        if taken.is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }
}

/// The SDK's batches, sent by a thread of their own, behind a bound that is counted: the SDK tells nobody what it drops.
#[derive(Debug)]
pub(super) struct Queue {
    batches: BatchSpanProcessor,
    counts: Arc<Counts>,
    limit: usize,
}

impl Queue {
    /// Sends through `exporter`.
    pub(super) fn start(exporter: impl SpanExporter + 'static, counts: Arc<Counts>) -> Self {
        Self::holding(WAITING, BATCH, exporter, counts)
    }

    fn holding(limit: usize, batch: usize, exporter: impl SpanExporter + 'static, counts: Arc<Counts>) -> Self {
        // At least as long as ours, so that it never drops what was given a place.
        let config = BatchConfigBuilder::default().with_max_queue_size(limit).with_max_export_batch_size(batch).build();
        let counted = Counted { exporter, counts: Arc::clone(&counts), is_failing: AtomicBool::new(false) };
        Self { batches: BatchSpanProcessor::builder(counted).with_batch_config(config).build(), counts, limit }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.counts.take_place(self.limit) {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter whose batches are counted.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    counts: Arc<Counts>,
    /// The last batch was not taken: said once, and not for each.
    is_failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        let counted = match &sent {
            Ok(()) => {
                if was_failing {
                    tracing::info!("the collector takes traces again");
                }
                &self.counts.exported
            }
            Err(error) => {
                if !was_failing {
                    tracing::warn!(%error, spans, "traces are dropped: the collector does not take them");
                }
                &self.counts.dropped
            }
        };
        counted.fetch_add(spans as u64, Ordering::Relaxed);
        self.counts.waiting.fetch_sub(spans, Ordering::AcqRel);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::{Mutex, mpsc};

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::*;

    /// Takes a batch when it is told to, as it is told to.
    #[derive(Debug)]
    struct Collector(Mutex<mpsc::Receiver<bool>>);

    impl SpanExporter for Collector {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.0.lock().unwrap().recv() {
                Ok(true) => Ok(()),
                _ => Err(OTelSdkError::InternalFailure("refused".into())),
            }
        }
    }

    fn provider(sampler: Sampler) -> (SdkTracerProvider, Arc<Counts>, mpsc::Sender<bool>) {
        let (answer, told) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let queue = Queue::holding(4, 2, Collector(Mutex::new(told)), Arc::clone(&counts));
        (SdkTracerProvider::builder().with_span_processor(queue).with_sampler(sampler).build(), counts, answer)
    }

    #[test]
    fn a_collector_that_hangs_costs_no_more_than_the_queue_and_what_is_dropped_is_counted() {
        let (provider, counts, answer) = provider(Sampler::AlwaysOn);
        let tracer = provider.tracer("test");
        // The collector answers nothing yet: a batch that is being sent keeps its places.
        (0..10).for_each(|_| drop(tracer.start("a")));
        assert_eq!(counts.told(), SpanCounts { exported: 0, dropped: 6 });
        (0..4).for_each(|_| answer.send(true).unwrap());
        provider.shutdown().unwrap();
        assert_eq!(counts.told(), SpanCounts { exported: 4, dropped: 6 });
        assert_eq!(counts.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_a_collector_refuses_is_dropped_and_counted() {
        let (provider, counts, answer) = provider(Sampler::AlwaysOn);
        drop(answer);
        let tracer = provider.tracer("test");
        (0..3).for_each(|_| drop(tracer.start("a")));
        provider.shutdown().unwrap();
        assert_eq!(counts.told(), SpanCounts { exported: 0, dropped: 3 });
        assert_eq!(counts.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_not_sampled_takes_no_place() {
        let (provider, counts, _answer) = provider(Sampler::AlwaysOff);
        let tracer = provider.tracer("test");
        (0..10).for_each(|_| drop(tracer.start("a")));
        provider.shutdown().unwrap();
        assert_eq!(counts.told(), SpanCounts::default());
    }
}
