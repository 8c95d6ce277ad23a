//! What is written, as spans: runs of pipelines, their commits, and pushes. Whoever subscribes to `tracing` decides where
//! they go. None holds a row's values, or an error's text, which may.

use tracing::Span;
use tracing::field::Empty;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::catalog::{RunRecord, TableName};

use crate::ingest::LoadOutcome;
use crate::push::PushReport;

/// A run of a pipeline.
pub(crate) fn run(pipeline: &str, table: &TableName) -> Span {
    tracing::info_span!(
        "run pipeline",
        xiangyun.pipeline.name = pipeline,
        xiangyun.table.name = %table,
        xiangyun.run.id = Empty,
        xiangyun.run.outcome = Empty,
        xiangyun.run.rows_read = Empty,
        xiangyun.run.rows_loaded = Empty,
        xiangyun.run.rows_rejected = Empty,
        xiangyun.run.rows_duplicate = Empty,
        xiangyun.table.version = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// A run that ended with that record; `ended` is how, where it did not fail.
pub(crate) fn end_run(span: &Span, run: &RunRecord, ended: Result<LoadOutcome, ErrorKind>) {
    if span.is_disabled() {
        return;
    }
    span.record("xiangyun.run.id", run.run_id.as_str());
    span.record("xiangyun.run.rows_read", run.rows_read);
    span.record("xiangyun.run.rows_loaded", run.rows_loaded);
    span.record("xiangyun.run.rows_rejected", run.rows_rejected);
    span.record("xiangyun.run.rows_duplicate", run.rows_duplicate);
    if let Some(version) = run.version {
        span.record("xiangyun.table.version", version);
    }
    let outcome = match ended {
        Ok(LoadOutcome::Loaded) => "loaded",
        Ok(LoadOutcome::Unchanged) => "unchanged",
        Ok(LoadOutcome::DryRun) => "dry run",
        Err(kind) => {
            failed(span, kind);
            "failed"
        }
    };
    span.record("xiangyun.run.outcome", outcome);
}

/// The commit of a run's rows.
pub(crate) fn commit(table: &TableName) -> Span {
    tracing::info_span!(
        "commit",
        xiangyun.table.name = %table,
        xiangyun.table.version = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// A commit that ended; none has a version where another run was first.
pub(crate) fn end_commit(span: &Span, ended: Result<Option<u64>, ErrorKind>) {
    match ended {
        Ok(version) => {
            span.record("xiangyun.table.version", version);
        }
        Err(kind) => failed(span, kind),
    }
}

/// A request's rows, from when they came until they are durable. The run that loads them, perhaps with those of others,
/// is not below it, and has the same id.
pub(crate) fn push(table: &TableName) -> Span {
    tracing::info_span!(
        "push",
        xiangyun.table.name = %table,
        xiangyun.run.id = Empty,
        xiangyun.table.version = Empty,
        xiangyun.push.rows_read = Empty,
        xiangyun.push.rows_loaded = Empty,
        xiangyun.push.rows_rejected = Empty,
        xiangyun.push.rows_duplicate = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// A push that was answered.
pub(crate) fn end_push(span: &Span, ended: Result<&PushReport, ErrorKind>) {
    if span.is_disabled() {
        return;
    }
    match ended {
        Ok(report) => {
            span.record("xiangyun.run.id", report.run_id.as_str());
            span.record("xiangyun.table.version", report.version);
            if let Some(rows) = report.rows {
                span.record("xiangyun.push.rows_read", rows.read);
                span.record("xiangyun.push.rows_loaded", rows.loaded);
                span.record("xiangyun.push.rows_rejected", rows.rejected);
                span.record("xiangyun.push.rows_duplicate", rows.duplicate);
            }
        }
        Err(kind) => failed(span, kind),
    }
}

fn failed(span: &Span, kind: ErrorKind) {
    span.record("error.type", kind.code());
    span.record("otel.status_code", "error");
}
