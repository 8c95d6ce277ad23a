//! The document that describes this interface (OpenAPI 3.1). It is made of the attributes that stand at the handlers: a
//! route without them cannot be added to the router. What depends on the project, an operation for each metric, is
//! added when somebody asks.

mod metrics;
mod params;
mod responses;
mod schemas;

use std::sync::Arc;

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Object, OpenApi, RefOr, Type};

pub(crate) use metrics::with_metrics;
pub(crate) use params::{
    ChunkParams, DepthParams, ExplainParams, JsonParams, JsonRowsParams, KeyHeader, MetricParams, OriginParams,
    PageParams, PartParams, RowsParams, SqlParams, SubmissionHeader, WaitParams,
};
pub(crate) use responses::{Body, Changed, Counting, Gone, Known, Missing, Pushed, Reading, Ready, Rows, Store, Usual};
pub(crate) use schemas::{
    AlertDetail, AlertList, AsOf, DashboardData, DashboardDetail, DashboardList, Health, MetricAnswer, MetricAnswers,
    MetricList, MetricOrigins, PageReply, PushReply, QueryInfo, QueryList, QueryProfile, QueryReply, RejectedReply,
    RunFiles, RunReply, TableDetail, TableList,
};

use crate::error::Problem;

const BEARER: &str = "bearer";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Xiangyun 祥云",
        description = "Metrics, SQL and tables of an open data platform. Every failure is a problem document \
            (`application/problem+json`) with a stable `code`. A method that a path does not offer is answered with 405.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "metrics", description = "Published figures, by name. 指标"),
        (name = "queries", description = "Read-only SQL. 查询"),
        (name = "tables", description = "The catalogue, and rows of tables. 数据表"),
        (name = "service", description = "The server itself. 服务"),
    ),
    components(schemas(Problem<'static>, QueryReply, PageReply, RejectedReply, MetricAnswer, PushReply)),
    security(("bearer" = []))
)]
struct Base;

/// The document of the handlers, as the router shares it.
#[derive(Debug, Clone)]
pub(crate) struct Document(Arc<Shared>);

struct Shared(OpenApi);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenApi").field("paths", &self.0.paths.paths.len()).finish()
    }
}

impl Document {
    /// Completes the document of all routes with what every response has, and with who may ask.
    pub(crate) fn new(mut api: OpenApi, asks_for_tokens: bool) -> Self {
        if !asks_for_tokens {
            // An empty requirement beside the others: a token may be sent and need not be.
            api.security.get_or_insert_default().insert(0, SecurityRequirement::default());
        }
        for item in api.paths.paths.values_mut() {
            for operation in operations(item) {
                for response in operation.responses.responses.values_mut() {
                    if let RefOr::T(response) = response {
                        let header = responses::header("The name of this request in the server's log", uuid());
                        response.headers.insert("x-request-id".into(), RefOr::T(header));
                    }
                }
            }
        }
        Self(Arc::new(Shared(api)))
    }

    pub(crate) fn api(&self) -> &OpenApi {
        &self.0.0
    }
}

/// What the routes are added to.
pub(crate) fn base() -> OpenApi {
    let mut api = Base::openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of the server's token file; a server without one answers its own machine only"));
    let components = api.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn uuid() -> Object {
    Object::builder()
        .schema_type(Type::String)
        .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
        .build()
}
