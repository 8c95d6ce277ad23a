//! Questions without parameters of their own.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use xiangyun_engine::QueryContext;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::params::Params;
use crate::reply::ReplyFormat;
use crate::state::Shared;

/// What the caller may ask, in a request that is answered in JSON only and knows no parameter but that.
pub(super) struct Plain(pub(super) QueryContext);

impl FromRequestParts<Shared> for Plain {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        let mut params = Params::from_request_parts(parts, state).await?;
        ReplyFormat::only_json(&mut params, &parts.headers)?;
        params.finish()?;
        Ok(Self(state.engine.query_as(principal)))
    }
}
