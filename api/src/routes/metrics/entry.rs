//! The answers to several questions as one JSON document, each an entry of its own.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::Response;
use serde_json::{Map, Value, json};
use xiangyun_engine::query::{Depth, Pins, TableProvenance};
use xiangyun_engine::semantic::{MetricAnswer, MetricQuery};
use xiangyun_engine::{Error, ErrorKind, QueryContext};

use super::{head, provenance};
use crate::error::ApiError;
use crate::reply::ReplyFormat;

/// Rows of one entry: they are in memory until the last answer is there.
pub(in crate::routes) const MAX_ENTRY_ROWS: usize = 10_000;

/// A question, and what its answer is called.
#[derive(Debug)]
pub(in crate::routes) struct Asked {
    pub(in crate::routes) name: Option<String>,
    /// What is asked, or why it cannot be.
    pub(in crate::routes) query: Result<MetricQuery, Error>,
    /// Members of its entry.
    pub(in crate::routes) members: Map<String, Value>,
}

/// Answers `{<head>, "tables": […], "provenance": {…}, "answers": […]}`: one entry for each question, in their order, with a
/// status of its own. What the tables rest on is told once for all of them.
pub(in crate::routes) async fn answer_all(
    context: &QueryContext,
    pins: &Pins,
    asked: Vec<Asked>,
    depth: Depth,
    format: &ReplyFormat,
    mut head: Map<String, Value>,
) -> Result<Response, ApiError> {
    let queries: Vec<MetricQuery> = asked.iter().filter_map(|asked| asked.query.as_ref().ok().cloned()).collect();
    let mut answers = context.metrics_over(pins, &queries).await.into_iter();
    let versions = pins.versions();
    head.insert("tables".into(), json!(versions));
    if depth != Depth::None {
        let told: Vec<TableProvenance> = context.provenance(pins, &versions, depth).await;
        let told: Vec<_> = told.iter().map(provenance::table).collect();
        head.insert("provenance".into(), json!({"tables": told}));
    }
    let head = Value::Object(head).to_string();
    let mut body = head.strip_suffix('}').unwrap_or(&head).as_bytes().to_vec();
    body.extend_from_slice(b",\"answers\":[");
    for (at, Asked { name, query, mut members }) in asked.into_iter().enumerate() {
        body.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
        let written = body.len();
        members.insert("name".into(), json!(name));
        let unanswered = || Err(Error::new(ErrorKind::Internal, "a question was left without an answer"));
        let answer = query.and_then(|_| answers.next().unwrap_or_else(unanswered));
        let failed = match answer {
            Ok(answer) => entry(members.clone(), answer, format, &mut body).await.err(),
            Err(error) => Some(error.into()),
        };
        if let Some(error) = failed {
            body.truncate(written);
            members.insert("status".into(), json!(error.status().as_u16()));
            members.insert("problem".into(), error.entry());
            body.extend_from_slice(Value::Object(members).to_string().as_bytes());
        }
    }
    body.extend_from_slice(b"\n]}\n");
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "private, no-store")
        .header(VARY, "accept, authorization")
        .body(Body::from(body))
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot build a response").with_source(error).into())
}

async fn entry(
    mut members: Map<String, Value>,
    answer: MetricAnswer,
    format: &ReplyFormat,
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    members.insert("status".into(), json!(200));
    members.extend(head(&answer));
    members.insert("query_id".into(), json!(answer.result.id.to_string()));
    members.insert("tables".into(), json!(answer.result.tables));
    format.write_json(answer.result, members, out).await
}
