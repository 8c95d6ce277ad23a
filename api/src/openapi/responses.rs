//! Replies that several handlers share: rows in every format, and problems by status.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::{Content, ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::schemas::PushReply;
use crate::encode::Format;
use crate::error::{PROBLEM_JSON, Problem};

type Responses = BTreeMap<String, RefOr<Response>>;

/// Rows in every format; as JSON the document `T`.
pub(crate) struct Rows<T>(PhantomData<T>);

impl<T: ToSchema> IntoResponses for Rows<T> {
    fn responses() -> Responses {
        let mut response = ResponseBuilder::new()
            .description("Rows, in the format that was asked for")
            .header("x-xiangyun-query-id", header("The query's id, in `system.queries` too", super::uuid()))
            .header("x-xiangyun-tables", header("The tables it rests on, as in `approvals.cases@12`", text()))
            .header("x-xiangyun-rollups", header("The rollups that figures were read from, where any were", text()))
            .header("vary", header("`accept, authorization`", text()))
            .header("etag", header("Names the answer, where it depends on nothing but tables", text()))
            .header(
                "cache-control",
                header("`private, no-cache` beside an `etag`, `private, no-store` otherwise", text()),
            )
            .header("cache-status", header("Whether the rows came from memory, as in `xiangyun; hit`", text()))
            .header("content-disposition", header("A file name, in the formats that are files", text()));
        for format in Format::ALL {
            response = response.content(format.media_type(), content::<T>(format));
        }
        BTreeMap::from([("200".to_owned(), response.build().into())])
    }
}

/// The caller has the answer already.
pub(crate) struct Known;

impl IntoResponses for Known {
    fn responses() -> Responses {
        let response = ResponseBuilder::new()
            .description("The answer that `if-none-match` names is still the answer")
            .header("etag", header("That name", text()));
        BTreeMap::from([("304".to_owned(), response.build().into())])
    }
}

fn content<T: ToSchema>(format: Format) -> Content {
    match format {
        Format::Json => ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).build(),
        Format::Ndjson | Format::Csv => ContentBuilder::new().schema(Some(text())).build(),
        // Bytes have no schema.
        Format::Arrow | Format::Parquet | Format::Xlsx => ContentBuilder::new().build(),
    }
}

/// What became of rows that were sent.
pub(crate) struct Pushed;

impl IntoResponses for Pushed {
    fn responses() -> Responses {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PushReply::name()))).build();
        let response = ResponseBuilder::new()
            .description("The rows are durable, or were before")
            .content("application/json", content);
        let mut responses = problems(&[400, 401, 403, 404, 408, 409, 422, 429, 500, 503]);
        responses.insert("200".into(), response.build().into());
        responses
    }
}

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident: $($status:literal),+) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> Responses {
                problems(&[$($status),+])
            }
        }
    };
}

problems!(
    /// Of every path that asks who calls.
    Usual: 400, 401, 403, 406, 429, 500
);
problems!(
    /// Of paths that read the store.
    Store: 503
);
problems!(
    /// Of paths that run a query over named things.
    Reading: 404, 422, 499
);
problems!(
    /// Of paths that name a table.
    Missing: 404
);
problems!(
    /// Of paths whose answers are bound to a version.
    Changed: 409
);
problems!(
    /// Of things that are kept for a while.
    Gone: 410
);
problems!(
    /// Of paths that take a body.
    Body: 408, 413, 415
);
problems!(
    /// Of the server's counters.
    Counting: 400, 401, 403, 500
);
problems!(
    /// Of the question whether the server can answer.
    Ready: 500, 503
);

fn problems(statuses: &[u16]) -> Responses {
    statuses.iter().map(|status| (status.to_string(), problem(*status).into())).collect()
}

fn problem(status: u16) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let response = ResponseBuilder::new().description(meaning(status)).content(PROBLEM_JSON, content);
    match status {
        429 => response.header("retry-after", header("Seconds", text())).build(),
        401 => response.header("www-authenticate", header("`Bearer`", text())).build(),
        _ => response.build(),
    }
}

fn meaning(status: u16) -> String {
    let meaning = match status {
        400 => "The request or its SQL is malformed, or a parameter is not known here",
        401 => "No token, or an unknown one",
        403 => "The caller may not do this",
        404 => "There is no such table, version, metric or query, or the caller may not see it",
        406 => "No reply in this format",
        408 => "The body came too slowly",
        410 => "It is no longer kept",
        429 => "Too many ask at the same time, or too often; `retry-after` says when to ask again",
        409 => "The state has changed underneath, or the request repeats one with other content",
        413 => "The body is too large",
        415 => "The body has another media type",
        422 => "Understood, and beyond a limit or not done here",
        499 => "The query was cancelled",
        500 => "Stored bytes are damaged, or the server failed",
        503 => "The store or its room is out of reach; try again later",
        _ => "",
    };
    let known = || StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    if meaning.is_empty() { known().unwrap_or("Failed").to_owned() } else { meaning.to_owned() }
}

pub(super) fn header(description: &str, schema: impl Into<Schema>) -> Header {
    HeaderBuilder::new().schema(Some(schema.into())).description(Some(description)).build()
}

fn text() -> Object {
    Object::with_type(Type::String)
}
