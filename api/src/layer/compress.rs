//! Bodies on the wire: replies compressed as the caller accepts, requests decompressed as they say.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tower::ServiceExt;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};
use tower_http::decompression::RequestDecompression;

use crate::error::ApiError;

/// The route whose handler decompresses for itself, since it takes more than these two.
const TAKES_ROWS: &str = "/v1/tables/{schema}/{table}/rows";
/// Bodies below this are hardly made smaller.
const LEAST_BYTES: u16 = 1024;

type Worthwhile = And<SizeAbove, fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool>;

/// Compresses replies in text with zstd or gzip. It keeps streaming: what was compressed is flushed whenever the reply
/// pauses, and a body that fails is cut before its end.
pub(super) fn compression() -> CompressionLayer<Worthwhile> {
    let is_text: fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool =
        |_, _, headers, _| headers.get(CONTENT_TYPE).is_some_and(is_text);
    // A processor that runs queries has better to do than the last percents.
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(LEAST_BYTES).and(is_text))
}

/// Whether the media type is text; Arrow, Parquet and workbooks are compressed in themselves or are not for it.
fn is_text(content_type: &HeaderValue) -> bool {
    let value = content_type.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || matches!(media_type, "application/json" | "application/x-ndjson" | "application/openmetrics-text")
}

/// Lets a reply's body be asked again after its end, as compression does; a stream need not stand that.
pub(super) fn fused(response: Response) -> Response {
    response.map(|inner| Body::new(Fused { inner, ended: false }))
}

struct Fused {
    inner: Body,
    ended: bool,
}

impl HttpBody for Fused {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        self.ended = matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// One `Vary` header of all that were set.
pub(super) fn join_vary(headers: &mut HeaderMap) {
    let values: Vec<&str> = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.len() > 1
        && let Ok(joined) = HeaderValue::from_str(&values.join(", "))
    {
        headers.insert(VARY, joined);
    }
}

/// Decompresses a request's body that is gzip or zstd; another encoding is refused. The limit of the body's size counts
/// what comes out, and nothing is decompressed beyond it.
pub(super) async fn unpacked(mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(given) = request.headers().get(CONTENT_ENCODING) else { return next.run(request).await };
    if route == TAKES_ROWS {
        return next.run(request).await;
    }
    let encoding = match given.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => "gzip",
        "zstd" => "zstd",
        "identity" => "identity",
        other => return not_taken(other).into_response(),
    };
    request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    let next = next.map_request(|request: axum::http::Request<_>| request.map(Body::new));
    match RequestDecompression::new(next).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

fn not_taken(encoding: &str) -> ApiError {
    ApiError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("a body is not taken in the encoding `{encoding}`"))
        .with_hint("send it as it is, or with `Content-Encoding: gzip` or `zstd`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressed_and_files_are_not() {
        for text in ["application/json", "application/problem+json", "text/csv; charset=utf-8; header=present"] {
            assert!(is_text(&HeaderValue::from_static(text)), "{text}");
        }
        for file in [
            "application/vnd.apache.parquet",
            "application/vnd.apache.arrow.stream",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ] {
            assert!(!is_text(&HeaderValue::from_static(file)), "{file}");
        }
    }

    #[test]
    fn what_replies_vary_by_is_one_header() {
        let mut headers = HeaderMap::new();
        headers.append(VARY, HeaderValue::from_static("accept, authorization"));
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
        join_vary(&mut headers);
        let values: Vec<_> = headers.get_all(VARY).iter().collect();
        assert_eq!(values, ["accept, authorization, accept-encoding"]);
    }
}
