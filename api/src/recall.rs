//! Replies that are given again as they were, but for the query's id.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use uuid::Uuid;
use xiangyun_engine::query::{CacheUse, QueryStatus, Question, ReplyPlace};
use xiangyun_engine::{Error, ErrorKind, QueryContext, Result};

use crate::reply::{CACHE_STATUS, Freshness, QUERY_ID, cache_status};
use crate::telemetry::Telemetry;

/// A reply in memory.
struct Kept {
    headers: HeaderMap,
    freshness: Freshness,
    /// The body, in front of the query's id and behind it; all of it in front where it has no id.
    front: Bytes,
    rest: Option<Bytes>,
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
    telemetry.reply_given_again();
    let id = recalled.id();
    if let Some(unchanged) =
        kept.freshness.unchanged(headers.get(IF_NONE_MATCH), kept.headers.get(&crate::reply::TABLES))
    {
        recalled.unchanged();
        return Ok(Some(unchanged));
    }
    let response = kept.with_id(id);
    recalled.sent();
    response.map(Some)
}

/// Keeps `response`, whose whole body is `body`, for the next who asks. `id` is its query's.
pub(crate) fn keep(
    place: ReplyPlace,
    response: &Response,
    body: &Bytes,
    freshness: Freshness,
    id: Uuid,
    status: Arc<QueryStatus>,
) {
    let id = id.to_string();
    let mut places = body.windows(id.len()).enumerate().filter(|(_, window)| *window == id.as_bytes());
    let (first, second) = (places.next(), places.next());
    if second.is_some() {
        return;
    }
    let (front, rest) = match first {
        Some((at, _)) => (body.slice(..at), Some(body.slice(at + id.len()..))),
        None => (body.clone(), None),
    };
    let mut headers = response.headers().clone();
    headers.insert(CACHE_STATUS, HeaderValue::from_static(cache_status(CacheUse::Hit)));
    let bytes = body.len() + headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    place.keep(Arc::new(Kept { headers, freshness, front, rest }), bytes, status);
}

impl Kept {
    fn with_id(&self, id: Uuid) -> Result<Response> {
        let id = id.to_string();
        let body = match &self.rest {
            Some(rest) => Bytes::from([&self.front[..], id.as_bytes(), &rest[..]].concat()),
            None => self.front.clone(),
        };
        let id = HeaderValue::from_str(&id)
            .map_err(|error| Error::new(ErrorKind::Internal, "an id is no header").with_source(error))?;
        let mut response = Response::new(Body::from(body));
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(QUERY_ID, id);
        Ok(response)
    }
}
