//! Who asks, told once for all that comes after, and how often they may.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use xiangyun_engine::Principal;

use super::Asked;
use super::compress::unpacked;
use crate::error::ApiError;
use crate::state::AppState;

/// The caller, as this layer has told it; in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Known(pub(crate) Principal);

/// Refuses callers that ask too often. Those that are not known pass: what wants a caller refuses them itself.
pub(super) async fn admitted(state: &AppState, mut request: Request, next: Next) -> Response {
    let mut allowance = None;
    if let Some(principal) = caller(state, &request) {
        if let Some(asked) = request.extensions().get::<Asked>() {
            let _ = asked.0.principal.set(principal.clone());
        }
        allowance = if is_limited(&request) { state.rate_limits.take(&principal) } else { None };
        if let Some(allowance) = allowance.as_ref().filter(|allowance| allowance.refused_for.is_some()) {
            let mut refused = too_many(&principal).into_response();
            allowance.tell(refused.headers_mut());
            return refused;
        }
        request.extensions_mut().insert(Known(principal));
    }
    let mut response = unpacked(request, next).await;
    if let Some(allowance) = allowance {
        allowance.tell(response.headers_mut());
    }
    response
}

/// Who asks, where the path wants to know it.
fn caller(state: &AppState, request: &Request) -> Option<Principal> {
    let is_told = is_limited(request) || request.uri().path() == "/metrics";
    is_told.then(|| state.auth.principal(request.headers()).ok()).flatten()
}

fn is_limited(request: &Request) -> bool {
    request.uri().path().starts_with("/v1/")
}

fn too_many(principal: &Principal) -> ApiError {
    let detail = format!("`{}` asks more often than this server allows", principal.name());
    ApiError::http(StatusCode::TOO_MANY_REQUESTS, detail)
        .with_hint("the header `retry-after` says in how many seconds to ask again")
}
