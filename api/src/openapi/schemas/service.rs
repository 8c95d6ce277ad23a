//! The server itself.

use utoipa::ToSchema;

/// How the server is.
#[derive(ToSchema)]
pub(crate) struct Health {
    /// `ok` or `ready`.
    status: String,
}
