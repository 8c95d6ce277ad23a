//! The answers to several questions as one JSON document, each an entry of its own.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_NONE_MATCH, VARY};
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyun_engine::query::{CacheUse, Depth, Pins, Question, ReplyPlace, TableProvenance};
use xiangyun_engine::semantic::{MetricAnswer, MetricQuery};
use xiangyun_engine::{Error, ErrorKind, QueryContext};

use super::{head, provenance};
use crate::error::ApiError;
use crate::recall;
use crate::reply::{CACHE_STATUS, Freshness, ReplyFormat, TABLES, VARIES, cache_status, versions_of};

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

/// What all entries of a reply have in common.
pub(in crate::routes) struct Request<'a> {
    pub(in crate::routes) context: &'a QueryContext,
    pub(in crate::routes) pins: &'a Pins,
    pub(in crate::routes) depth: Depth,
    pub(in crate::routes) format: &'a ReplyFormat,
    /// What was asked, for those who ask the same again.
    pub(in crate::routes) question: &'a Question,
    /// Of the request.
    pub(in crate::routes) headers: &'a HeaderMap,
}

/// Answers `{<head>, "tables": […], "provenance": {…}, "answers": […]}`: one entry for each question, in their order, with a
/// status of its own. What the tables rest on is told once for all of them. The reply is kept where all questions have
/// answers and those depend on tables alone.
pub(in crate::routes) async fn answer_all(
    request: Request<'_>,
    asked: Vec<Asked>,
    mut head: Map<String, Value>,
) -> Result<Response, ApiError> {
    let Request { context, pins, depth, format, question, headers } = request;
    let queries: Vec<MetricQuery> = asked.iter().filter_map(|asked| asked.query.as_ref().ok().cloned()).collect();
    let answers = context.metrics_over(pins, &queries).await;
    let versions = pins.versions();
    let mut is_whole = asked.iter().all(|asked| asked.query.is_ok()) && answers.iter().all(Result::is_ok);
    let (place, told, cache) = {
        let results = || answers.iter().flatten().map(|answer| &answer.result);
        let told: Vec<Uuid> = results().map(|result| result.id).collect();
        let cache = results().map(|result| result.cache).fold(CacheUse::Hit, CacheUse::and);
        (context.place_of(question, results(), &versions), told, cache_status(cache))
    };
    let mut answers = answers.into_iter();
    head.insert("tables".into(), json!(versions));
    if depth != Depth::None {
        let told: Vec<TableProvenance> = context.provenance(pins, &versions, depth).await;
        // Counts that are not complete become so with later answers.
        is_whole &= told.iter().all(|table| table.counts_complete);
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
            is_whole = false;
            body.truncate(written);
            members.insert("status".into(), json!(error.status().as_u16()));
            members.insert("problem".into(), error.entry());
            body.extend_from_slice(Value::Object(members).to_string().as_bytes());
        }
    }
    body.extend_from_slice(b"\n]}\n");
    let body = Bytes::from(body);
    let place = place.filter(|_| is_whole);
    // What is told of the tables changes with the day.
    let told_of = format!("{depth:?}.{}", context.today());
    let freshness = Freshness::of_all(place.as_ref().map(ReplyPlace::fingerprint), format, &told_of);
    let response = Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "private, no-store")
        .header(VARY, VARIES)
        .header(CACHE_STATUS, cache)
        .header(TABLES, versions_of(&versions))
        .body(Body::from(body.clone()));
    let mut response =
        response.map_err(|error| Error::new(ErrorKind::Internal, "cannot build a response").with_source(error))?;
    freshness.mark(&mut response);
    if let Some(place) = place {
        let unchanged = freshness.unchanged(headers.get(IF_NONE_MATCH), response.headers().get(TABLES));
        recall::keep(place, &response, &body, freshness, &told);
        if let Some(unchanged) = unchanged {
            return Ok(unchanged);
        }
    }
    Ok(response)
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
