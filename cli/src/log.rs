//! What the process says of itself to standard error, and whether anybody takes its spans.

use std::io;

use anyhow::Context;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::session::Session;
use crate::traces::Traces;

/// What the targets of this workspace begin with.
const OWN_TARGETS: &str = "xiangyun";

/// Starts the log, at `level` unless the environment says otherwise. Spans go to `traces`; they are never part of the log,
/// where they would be put in front of its lines.
pub(crate) fn start(session: &Session, level: &str, traces: Option<&Traces>) -> anyhow::Result<()> {
    let wanted = session.environment.get("XIANGYUN_LOG").unwrap_or(level);
    let filter = EnvFilter::try_new(wanted).with_context(|| format!("XIANGYUN_LOG: `{wanted}` is not a log filter"))?;
    let color = crate::report::color(&session.environment);
    let registry = tracing_subscriber::registry();
    match traces {
        // Refused by the whole subscriber, a span costs a look at its callsite.
        None => registry.with(filter).with(filter_fn(|metadata| !is_own_span(metadata))).with(lines(color)).init(),
        Some(traces) => {
            let no_spans = filter_fn(|metadata| !is_own_span(metadata)).with_max_level_hint(LevelFilter::TRACE);
            let spans = filter_fn(is_own_span).with_max_level_hint(LevelFilter::INFO);
            registry
                .with(lines(color).with_filter(filter.and(no_spans)))
                .with(traces.layer().with_filter(spans))
                .init();
        }
    }
    Ok(())
}

fn lines<S: Subscriber + for<'span> LookupSpan<'span>>(color: bool) -> impl Layer<S> {
    tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(color)
}

/// Whether it is a span of this workspace: those of libraries concern nobody.
fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(OWN_TARGETS)
}
