//! What every handler shares.

use std::time::Duration;

use xiangyun_engine::Engine;
use xiangyun_ingest::push::Pushes;

use crate::auth::Auth;

/// Limits of the HTTP door; those of queries are the engine's.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Connections at one time; further ones wait to be accepted.
    pub connections: usize,
    /// Time within which a request's head must have arrived.
    pub head_timeout: Duration,
    /// Time that running requests have to end after a shutdown began.
    pub shutdown_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            connections: 1024,
            head_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// What every handler shares: cheap to clone, assembled in one place.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Answers the questions.
    pub engine: Engine,
    /// Takes rows that callers send; none where the server only reads.
    pub pushes: Option<Pushes>,
    /// Tells who asks.
    pub auth: Auth,
    /// Limits of this door.
    pub limits: HttpLimits,
}
