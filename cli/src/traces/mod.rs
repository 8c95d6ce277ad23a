//! Traces, sent to a collector by OTLP over HTTP. Only this folder knows of OpenTelemetry: everything else makes spans by
//! `tracing`, and where no collector is named those are disabled where they stand, and nothing of this is built.

mod client;
mod endpoint;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;
use xiangyun_api::{SpanCounts, TraceExport, TraceParent};
use xiangyun_engine::{Error, ErrorKind};

use crate::settings::Otlp;
use client::Client;
use queue::{Counts, Queue};

/// Time that one batch may take, tries again included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that the end of the process waits for the last spans.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The export of spans. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

impl Traces {
    /// Sends spans as `otlp` says, its requests made on `runtime`. Nothing is sent yet: whether there is a collector
    /// shows with the first spans.
    ///
    /// # Errors
    /// For an address or headers that cannot be meant, by the name of the setting.
    pub(crate) fn open(otlp: &Otlp, runtime: Handle) -> anyhow::Result<Self> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint::url(otlp)?)
            .with_timeout(EXPORT_TIMEOUT)
            .with_headers(endpoint::headers(otlp)?)
            .with_http_client(Client::new(runtime)?)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "traces cannot be sent as `telemetry.otlp_endpoint` and OTEL_* say")
                    .with_source(error)
            })?;
        let counts = Arc::new(Counts::default());
        let queue = Queue::start(exporter, Arc::clone(&counts));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample_ratio))))
            .with_resource(Resource::builder().with_service_name(otlp.service_name.clone()).build())
            .build();
        Ok(Self { provider, counts })
    }

    /// Takes spans; whose, a filter around it says.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Nothing in this process asks OpenTelemetry for the current span.
            .with_context_activation(false)
    }

    /// Sends what waits, within a few seconds. Blocks, so it must not be called on the runtime's threads.
    pub(crate) fn close(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl TraceExport for Traces {
    fn join(&self, span: &Span, parent: TraceParent<'_>) {
        let ids = (TraceId::from_hex(parent.trace_id), SpanId::from_hex(parent.span_id));
        let (Ok(trace_id), Ok(span_id)) = ids else { return };
        let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let remote = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
        // It was just made: it has no parent yet.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }

    fn trace_id(&self, span: &Span) -> Option<String> {
        let context = span.context();
        let id = context.span().span_context().trace_id();
        (id != TraceId::INVALID).then(|| id.to_string())
    }

    fn counts(&self) -> SpanCounts {
        self.counts.told()
    }
}
