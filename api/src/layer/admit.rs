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
    let path = request.uri().path();
    let limited = path.starts_with("/v1/");
    if !limited && path != "/metrics" {
        return unpacked(request, next).await;
    }
    let Ok(principal) = state.auth.principal(request.headers()) else { return unpacked(request, next).await };
    if let Some(asked) = request.extensions().get::<Asked>() {
        let _ = asked.0.principal.set(principal.clone());
    }
    let allowance = if limited { state.rate_limits.take(&principal) } else { None };
    let mut response = match allowance {
        Some(allowance) if allowance.refused_for.is_some() => too_many(&principal).into_response(),
        _ => {
            request.extensions_mut().insert(Known(principal));
            unpacked(request, next).await
        }
    };
    if let Some(allowance) = allowance {
        allowance.tell(response.headers_mut());
    }
    response
}

fn too_many(principal: &Principal) -> ApiError {
    let detail = format!("`{}` asks more often than this server allows", principal.name());
    ApiError::http(StatusCode::TOO_MANY_REQUESTS, detail)
        .with_hint("the header `retry-after` says in how many seconds to ask again")
}
