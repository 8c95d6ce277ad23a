//! A query's result as a response: format chosen, first window buffered, the rest streamed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use xiangyun_engine::query::{CacheUse, Prepared, QueryResult, QueryStatus, ReplyPlace, TableVersion};
use xiangyun_engine::{Error, ErrorKind};

use crate::encode::{EncodeOptions, Encoder, Ending, Format, encoder, end_apart};
use crate::error::ApiError;
use crate::params::Params;
use crate::recall;

/// Bytes of a result that are made before the status line goes out: a failure among them still has its status.
const FIRST_WINDOW_BYTES: usize = 64 << 10;

pub(crate) const QUERY_ID: HeaderName = HeaderName::from_static("x-xiangyun-query-id");
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What a reply depends on beside its address.
pub(crate) const VARIES: &str = "accept, authorization";
pub(crate) const TABLES: HeaderName = HeaderName::from_static("x-xiangyun-tables");
const ROLLUPS: HeaderName = HeaderName::from_static("x-xiangyun-rollups");

/// How the caller wants a result.
#[derive(Debug)]
pub(crate) struct ReplyFormat {
    format: Format,
    native_numbers: bool,
    byte_order_mark: bool,
    escape_formulas: bool,
}

impl ReplyFormat {
    /// From `format`, `numbers`, `bom` and `formulas`, and from `Accept` where `format` is not given.
    pub(crate) fn choose(params: &mut Params, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self {
            format: Self::format(params, headers)?,
            native_numbers: flag(params, "numbers", ["text", "native"])?,
            byte_order_mark: flag(params, "bom", ["false", "true"])?,
            escape_formulas: flag(params, "formulas", ["keep", "escape"])?,
        })
    }

    /// The name of an answer in this form. `told` is what else the reply depends on.
    fn etag(&self, fingerprint: &str, told: &str) -> Option<HeaderValue> {
        let form = [self.native_numbers, self.byte_order_mark, self.escape_formulas].map(u8::from);
        // Weak: a reply carries its own query's id.
        let tag = format!("W/\"{fingerprint}.{}.{}{}{}.{told}\"", self.format, form[0], form[1], form[2]);
        HeaderValue::from_str(&tag).ok()
    }

    /// For replies that have one form only.
    pub(crate) fn only_json(params: &mut Params, headers: &HeaderMap) -> Result<(), ApiError> {
        Self::format_of_json(params, headers)
    }

    /// As [`Self::only_json`], for replies that hold rows, whose numbers may be written in two ways.
    pub(crate) fn json_only(params: &mut Params, headers: &HeaderMap) -> Result<Self, ApiError> {
        Self::format_of_json(params, headers)?;
        let native_numbers = flag(params, "numbers", ["text", "native"])?;
        Ok(Self { format: Format::Json, native_numbers, byte_order_mark: false, escape_formulas: false })
    }

    fn format_of_json(params: &mut Params, headers: &HeaderMap) -> Result<(), ApiError> {
        match Self::format(params, headers)? {
            Format::Json => Ok(()),
            other => Err(not_acceptable(other.media_type()).with_hint("this path answers in application/json")),
        }
    }

    fn format(params: &mut Params, headers: &HeaderMap) -> Result<Format, ApiError> {
        match params.text("format")? {
            Some(name) => name.parse().map_err(|_| not_acceptable(&name)),
            None => accepted(headers),
        }
    }

    /// Whether the reply is one JSON document, which has room for more than rows.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes the whole of `result` as a JSON document, `head` in front of the rows.
    pub(crate) async fn write_json(
        &self,
        mut result: QueryResult,
        head: Map<String, Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        let options = EncodeOptions { head, native_numbers: self.native_numbers, ..EncodeOptions::default() };
        let mut encoder = encoder(Format::Json, result.schema.clone(), options).map_err(Error::from)?;
        encoder.begin(out).map_err(Error::from)?;
        while let Some(batch) = result.next().await {
            encoder.batch(&batch?, out).map_err(Error::from)?;
        }
        if !result.status.is_complete() {
            return Err(Error::new(ErrorKind::Internal, "the result ended before it was complete").into());
        }
        let ending = Ending { rows: result.status.rows(), truncated: result.status.is_truncated() };
        encoder.end(ending, out).map_err(Error::from)?;
        Ok(())
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.format {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            other => other.media_type(),
        })
    }
}

/// Whether the parameter has the second of its two values.
fn flag(params: &mut Params, name: &'static str, values: [&str; 2]) -> Result<bool, Error> {
    match params.text(name)? {
        None => Ok(false),
        Some(text) if text == values[0] => Ok(false),
        Some(text) if text == values[1] => Ok(true),
        Some(text) => {
            let message = format!("parameter `{name}` is `{text}`, and should be {} or {}", values[0], values[1]);
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

/// Whether the caller has the answer already.
#[derive(Clone)]
pub(crate) struct Freshness {
    etag: Option<HeaderValue>,
}

impl Freshness {
    /// Of a question that was planned: over the same versions, in the same form, the answer is the same. `told` is what
    /// else the reply depends on.
    pub(crate) fn of(prepared: &Prepared, reply: &ReplyFormat, told: &str) -> Self {
        Self::of_all(prepared.fingerprint(), reply, told)
    }

    /// Of several answers, which are named together by `fingerprint`; none where one depends on more than tables.
    pub(crate) fn of_all(fingerprint: Option<String>, reply: &ReplyFormat, told: &str) -> Self {
        Self { etag: fingerprint.and_then(|fingerprint| reply.etag(&fingerprint, told)) }
    }

    /// 304, where the caller has the answer already.
    pub(crate) fn known(&self, prepared: &Prepared, known: Option<&HeaderValue>) -> Option<Response> {
        let versions = HeaderValue::from_str(&versions_of(prepared.tables())).ok();
        self.unchanged(known, versions.as_ref())
    }

    /// As [`Self::known`], of the versions that are named in the header `versions`.
    pub(crate) fn unchanged(&self, known: Option<&HeaderValue>, versions: Option<&HeaderValue>) -> Option<Response> {
        let (etag, known) = (self.etag.as_ref()?, known?.to_str().ok()?);
        let wanted = etag.to_str().ok()?.trim_start_matches("W/");
        let is_known = known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == wanted);
        if !is_known && known.trim() != "*" {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        if let Some(versions) = versions {
            response.headers_mut().insert(TABLES, versions.clone());
        }
        self.mark(&mut response);
        Some(response)
    }

    /// Names the answer, for the caller to ask whether it is still the same.
    pub(crate) fn mark(&self, response: &mut Response) {
        if let Some(etag) = &self.etag {
            let headers = response.headers_mut();
            headers.insert(ETAG, etag.clone());
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            headers.insert(VARY, HeaderValue::from_static(VARIES));
        }
    }
}

fn not_acceptable(asked: &str) -> ApiError {
    let offered: Vec<_> = Format::ALL.iter().map(|format| format!("{} ({format})", format.media_type())).collect();
    ApiError::http(StatusCode::NOT_ACCEPTABLE, format!("no reply in the format `{asked}`"))
        .with_hint(format!("offered: {}", offered.join(", ")))
}

/// The best offered media type of the `Accept` header; JSON where there is none.
fn accepted(headers: &HeaderMap) -> Result<Format, ApiError> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let asked = values.join(",");
    if asked.trim().is_empty() {
        return Ok(Format::Json);
    }
    let mut best: Option<(f32, Format)> = None;
    for range in asked.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        let Some(format) = Format::ALL.into_iter().find(|format| matches_range(&media_type, *format)) else { continue };
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| not_acceptable(&asked))
}

fn matches_range(range: &str, format: Format) -> bool {
    let offered = format.media_type();
    range == "*/*"
        || range == offered
        || (range == "application/ndjson" && format == Format::Ndjson)
        || range.strip_suffix("/*").is_some_and(|kind| offered.split_once('/').is_some_and(|(known, _)| known == kind))
}

/// Answers with the rows of `result`; `head` are members of the JSON document in front of them.
pub(crate) async fn rows(
    result: QueryResult,
    head: Map<String, Value>,
    reply: ReplyFormat,
) -> Result<Response, ApiError> {
    Ok(written(result, head, reply).await?.0)
}

/// As [`rows`], for a reply that others may be given too: it is named by `freshness`, and kept at `place` if it is small.
pub(crate) async fn rows_to_keep(
    result: QueryResult,
    head: Map<String, Value>,
    reply: ReplyFormat,
    freshness: Freshness,
    place: Option<ReplyPlace>,
) -> Result<Response, ApiError> {
    let id = result.id;
    let (mut response, whole) = written(result, head, reply).await?;
    freshness.mark(&mut response);
    if let (Some(place), Some(body)) = (place, whole) {
        recall::keep(place, &response, &body, freshness, &[id]);
    }
    Ok(response)
}

/// A reply, and its body where all of that is there.
async fn written(
    result: QueryResult,
    mut head: Map<String, Value>,
    reply: ReplyFormat,
) -> Result<(Response, Option<Bytes>), ApiError> {
    head.insert("query_id".into(), json!(result.id.to_string()));
    head.insert("tables".into(), json!(result.tables));
    let mut builder = Response::builder()
        .header(CONTENT_TYPE, reply.content_type())
        .header(CACHE_CONTROL, "private, no-store")
        .header(VARY, VARIES)
        .header(CACHE_STATUS, cache_status(result.cache))
        .header(QUERY_ID, result.id.to_string())
        .header(TABLES, versions_of(&result.tables));
    if let Some(rollups) = rollups_of(&head) {
        builder = builder.header(ROLLUPS, rollups);
    }
    if !matches!(reply.format, Format::Json | Format::Ndjson) {
        builder = builder.header(CONTENT_DISPOSITION, format!("inline; filename=\"result.{}\"", reply.format));
    }
    let (body, whole) = body(result, head, reply).await?;
    let response = builder.body(body);
    response
        .map(|response| (response, whole))
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot build a response").with_source(error).into())
}

/// `schema.table@version` of every table.
pub(crate) fn versions_of(tables: &[TableVersion]) -> String {
    tables.iter().map(|table| format!("{}@{}", table.name, table.version)).collect::<Vec<_>>().join(", ")
}

/// The rollups that an answer was read from, which `head` tells of.
fn rollups_of(head: &Map<String, Value>) -> Option<String> {
    let rollups = head.get("rollups")?.as_array()?;
    let used = rollups.iter().filter(|rollup| rollup["state"] == "used");
    let names: Vec<_> = used.filter_map(|rollup| rollup["name"].as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What the cache had to do with a reply, as RFC 9211 writes it.
pub(crate) fn cache_status(used: CacheUse) -> &'static str {
    match used {
        CacheUse::Hit => "xiangyun; hit",
        CacheUse::Miss => "xiangyun; fwd=miss",
        CacheUse::Bypass => "xiangyun; fwd=bypass",
    }
}

async fn body(
    result: QueryResult,
    head: Map<String, Value>,
    reply: ReplyFormat,
) -> Result<(Body, Option<Bytes>), ApiError> {
    let options = EncodeOptions {
        head,
        native_numbers: reply.native_numbers,
        status_record: true,
        byte_order_mark: reply.byte_order_mark,
        escape_formulas: reply.escape_formulas,
    };
    let encoder = encoder(reply.format, result.schema.clone(), options).map_err(Error::from)?;
    let waiting = VecDeque::new();
    let (id, status, format) = (result.id, Arc::clone(&result.status), reply.format);
    let source = Source::Batches(result);
    let mut rows = EncodedRows { id, status, source, encoder, format, waiting, ended: false };
    let mut window = Vec::new();
    rows.encoder.begin(&mut window).map_err(Error::from)?;
    while window.len() < FIRST_WINDOW_BYTES {
        match rows.next_chunk().await? {
            Some(chunk) => window.extend_from_slice(&chunk),
            None => {
                let whole = Bytes::from(window);
                return Ok((Body::from(whole.clone()), Some(whole)));
            }
        }
    }
    let first = stream::once(std::future::ready(Ok(Bytes::from(window))));
    Ok((Body::from_stream(first.chain(rows.ahead().into_stream())), None))
}

/// A result on its way out. Dropping it, as a lost connection does, cancels the query.
struct EncodedRows {
    id: Uuid,
    status: Arc<QueryStatus>,
    source: Source,
    encoder: Box<dyn Encoder>,
    format: Format,
    /// Pieces of the last batch.
    waiting: VecDeque<Bytes>,
    ended: bool,
}

enum Source {
    /// To be written one behind the other.
    Batches(QueryResult),
    /// As text, written apart.
    Texts(BoxStream<'static, Result<Vec<u8>, Error>>),
}

impl EncodedRows {
    /// Writes what is still to come by the query's own threads, several batches at a time, where the format lets it: a large
    /// result as text is more work than reading it.
    fn ahead(mut self) -> Self {
        let Source::Batches(result) = self.source else { return self };
        let (Some(write), Some(threads)) = (self.encoder.apart(), result.threads().cloned()) else {
            return Self { source: Source::Batches(result), ..self };
        };
        let at_once = threads.metrics().num_workers();
        let written = move |batch: Result<RecordBatch, Error>| {
            let (write, threads) = (Arc::clone(&write), threads.clone());
            async move {
                let batch = batch?;
                let text = threads.spawn(async move { write(&batch) }).await;
                let failed = |error| Error::new(ErrorKind::Internal, "rows were not written").with_source(error);
                Ok(text.map_err(failed)??)
            }
        };
        self.source = Source::Texts(result.map(written).buffered(at_once).boxed());
        self
    }

    /// The next bytes; none after the end.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let mut out = Vec::new();
        while out.is_empty() && !self.ended {
            if let Some(piece) = self.waiting.pop_front() {
                return Ok(Some(piece));
            }
            let has_more = match &mut self.source {
                Source::Batches(result) => match result.next().await {
                    Some(batch) => self.encoder.pieces(&batch?, &mut self.waiting).map(|()| true)?,
                    None => false,
                },
                Source::Texts(texts) => match texts.next().await {
                    Some(text) => {
                        let text = self.encoder.join(text?);
                        self.waiting.extend((!text.is_empty()).then(|| text.into()));
                        true
                    }
                    None => false,
                },
            };
            if !has_more {
                if !self.status.is_complete() {
                    return Err(Error::new(ErrorKind::Internal, "the result ended before it was complete"));
                }
                let ending = Ending { rows: self.status.rows(), truncated: self.status.is_truncated() };
                out = end_apart(&mut self.encoder, ending).await?;
                self.ended = true;
            }
        }
        if out.is_empty() {
            self.encoder.rest(&mut out)?;
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }

    /// The bytes after the first window. A failure ends in an error, which makes the server cut the chunked body: no
    /// client can take it for complete.
    fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold(Stage::Running(Box::new(self)), |stage| async move {
            match stage {
                Stage::Running(mut rows) => match rows.next_chunk().await {
                    Ok(chunk) => chunk.map(|chunk| (Ok(chunk), Stage::Running(rows))),
                    Err(error) => {
                        let (code, kind) = (error.kind().code(), rows.format);
                        tracing::warn!(query.id = %rows.id, error.kind = code, error = error.chain(), "result cut");
                        let record = failure_record(kind, error);
                        Some((Ok(record), Stage::Failed))
                    }
                },
                Stage::Failed => {
                    // Lets the server send what it holds before it learns that there will be no more.
                    tokio::task::yield_now().await;
                    Some((Err(io::Error::other("the query failed after its first rows were sent")), Stage::Over))
                }
                Stage::Over => None,
            }
        })
    }
}

enum Stage {
    Running(Box<EncodedRows>),
    Failed,
    Over,
}

/// The last line of a failed NDJSON stream; nothing in the other formats, which have no room for it.
fn failure_record(format: Format, error: Error) -> Bytes {
    if format != Format::Ndjson {
        return Bytes::new();
    }
    let error = ApiError::from(error);
    let record = json!({"status": {"complete": false, "code": error.code(), "detail": error.detail()}});
    Bytes::from(format!("{record}\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn accept(value: &'static str) -> Result<Format, ApiError> {
        accepted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]))
    }

    #[test]
    fn the_accept_header_picks_the_best_offered_type() {
        assert_eq!(accepted(&HeaderMap::new()).unwrap(), Format::Json);
        assert_eq!(accept("text/html,application/xhtml+xml,*/*;q=0.8").unwrap(), Format::Json);
        assert_eq!(accept("application/json;q=0.5, text/csv").unwrap(), Format::Csv);
        assert_eq!(accept("text/*").unwrap(), Format::Csv);
        assert_eq!(accept("application/vnd.apache.arrow.stream").unwrap(), Format::Arrow);
        assert_eq!(accept("APPLICATION/X-NDJSON").unwrap(), Format::Ndjson);
    }

    #[test]
    fn an_unknown_type_is_never_answered_in_another() {
        for unknown in ["text/html", "application/xml, image/*", "application/json;q=0", "nonsense"] {
            assert!(accept(unknown).is_err(), "{unknown}");
        }
    }
}
