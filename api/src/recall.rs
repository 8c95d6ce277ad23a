//! Replies that are given again as they were, but for the ids of their queries.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use uuid::Uuid;
use xiangyun_engine::query::{CacheUse, Question, ReplyPlace};
use xiangyun_engine::{Error, ErrorKind, QueryContext, Result};

use crate::reply::{CACHE_STATUS, Freshness, QUERY_ID, cache_status};
use crate::telemetry::Telemetry;

/// Characters of an id as replies write it.
const ID_CHARACTERS: usize = 36;

/// A reply in memory.
struct Kept {
    headers: HeaderMap,
    freshness: Freshness,
    /// The body, without the ids of its queries: each piece but the last stands in front of one.
    pieces: Vec<Bytes>,
    /// Of which query each of those ids is.
    ids: Vec<usize>,
}

/// What is asked by an address alone, before anybody has read its parameters: the same letters are the same question.
pub(crate) fn by_address(context: &QueryContext, address: &Uri, headers: &HeaderMap) -> Question {
    let mut told = format!("GET {}", address.path_and_query().map_or("", |asked| asked.as_str()));
    for accepted in headers.get_all(ACCEPT) {
        let _ = write!(told, " {accepted:?}");
    }
    context.question(&told)
}

/// The reply that was given to `question` before, if it still holds: nothing is planned, or read but the tables' versions.
pub(crate) async fn again(
    telemetry: &Telemetry,
    context: &QueryContext,
    question: &Question,
    headers: &HeaderMap,
) -> Result<Option<Response>> {
    let Some(recalled) = context.recall(question).await else { return Ok(None) };
    let Some(kept) = recalled.reply().downcast_ref::<Kept>() else {
        return Err(Error::new(ErrorKind::Internal, "another door's reply was kept under this question"));
    };
    let ids: Vec<Uuid> = recalled.ids().collect();
    telemetry.reply_given_again(ids.len());
    if let Some(unchanged) =
        kept.freshness.unchanged(headers.get(IF_NONE_MATCH), kept.headers.get(&crate::reply::TABLES))
    {
        recalled.unchanged();
        return Ok(Some(unchanged));
    }
    let response = kept.with_ids(&ids);
    recalled.sent();
    response.map(Some)
}

/// Keeps `response`, whose whole body is `body`, for the next who asks. `told` are the ids of its queries in the order in
/// which the body tells them, if it does.
pub(crate) fn keep(place: ReplyPlace, response: &Response, body: &Bytes, freshness: Freshness, told: &[Uuid]) {
    let queries: HashMap<String, usize> = place.ids().enumerate().map(|(at, id)| (id.to_string(), at)).collect();
    let (mut pieces, mut ids, mut from) = (Vec::new(), Vec::new(), 0);
    for (at, window) in body.windows(ID_CHARACTERS).enumerate().filter(|(_, window)| may_be_id(window)) {
        let found = std::str::from_utf8(window).ok().and_then(|text| queries.get(text));
        if let Some(query) = found {
            pieces.push(body.slice(from..at));
            ids.push(*query);
            from = at + ID_CHARACTERS;
        }
    }
    pieces.push(body.slice(from..));
    let expected = told.iter().map(|id| queries.get(&id.to_string()).copied());
    // A value that reads like an id is none.
    if !ids.is_empty() && !expected.eq(ids.iter().copied().map(Some)) {
        return;
    }
    let mut headers = response.headers().clone();
    headers.insert(CACHE_STATUS, HeaderValue::from_static(cache_status(CacheUse::Hit)));
    let bytes = body.len() + headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    place.keep(Arc::new(Kept { headers, freshness, pieces, ids }), bytes);
}

/// Whether the hyphens are where an id has them: most of a body need not be looked at any closer.
fn may_be_id(window: &[u8]) -> bool {
    [8, 13, 18, 23].iter().all(|at| window.get(*at) == Some(&b'-'))
}

impl Kept {
    /// The reply, whose queries have these ids now.
    fn with_ids(&self, ids: &[Uuid]) -> Result<Response> {
        let mut text = Uuid::encode_buffer();
        let body = match self.pieces.as_slice() {
            [whole] => whole.clone(),
            pieces => {
                let length = pieces.iter().map(Bytes::len).sum::<usize>() + self.ids.len() * ID_CHARACTERS;
                let mut body = Vec::with_capacity(length);
                for (at, piece) in pieces.iter().enumerate() {
                    body.extend_from_slice(piece);
                    if let Some(id) = self.ids.get(at).and_then(|query| ids.get(*query)) {
                        body.extend_from_slice(id.as_hyphenated().encode_lower(&mut text).as_bytes());
                    }
                }
                body.into()
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.headers_mut() = self.headers.clone();
        if let (true, [id]) = (self.headers.contains_key(&QUERY_ID), ids) {
            let id = HeaderValue::from_str(id.as_hyphenated().encode_lower(&mut text))
                .map_err(|error| Error::new(ErrorKind::Internal, "an id is no header").with_source(error))?;
            response.headers_mut().insert(QUERY_ID, id);
        }
        Ok(response)
    }
}
