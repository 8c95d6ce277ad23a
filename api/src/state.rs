//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use xiangyun_engine::Engine;
use xiangyun_ingest::push::Pushes;

use crate::access_log::AccessLog;
use crate::auth::Auth;
use crate::rate::RateLimits;
use crate::telemetry::Telemetry;

/// Limits of the HTTP door; those of queries are the engine's.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Bytes of a request's body, after it was decompressed.
    pub body_bytes: usize,
    /// Bytes of a request's head.
    pub head_bytes: u32,
    /// Connections at one time; further ones wait to be accepted.
    pub connections: usize,
    /// Requests at one time on one HTTP/2 connection.
    pub streams: u32,
    /// Time within which TLS must have been agreed on.
    pub handshake_timeout: Duration,
    /// Time within which a request's head must have arrived, from its first byte; that of a new connection's first request
    /// from the moment it was accepted.
    pub head_timeout: Duration,
    /// Time that may pass between two parts of a request's body.
    pub body_idle_timeout: Duration,
    /// Time within which a request's whole body must have arrived.
    pub body_timeout: Duration,
    /// Time that a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Time that a client may take nothing of what is being sent to it.
    pub send_timeout: Duration,
    /// Time that running requests have to end after a shutdown began.
    pub shutdown_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            // A statement may come in the address, which may have 64 KiB.
            head_bytes: 128 << 10,
            connections: 1024,
            streams: 64,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(75),
            send_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// What the router copies for each request and each layer around it.
pub(crate) type Shared = Arc<AppState>;

/// What every handler shares, assembled in one place.
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
    /// How often each caller may ask.
    pub rate_limits: RateLimits,
    /// Counts what happens.
    pub telemetry: Telemetry,
    /// Keeps a line of each request.
    pub access_log: AccessLog,
}

impl AppState {
    /// Answers from `engine` to whom `auth` knows: takes no rows, has the default limits and keeps no log of requests.
    pub fn new(engine: Engine, auth: Auth) -> Self {
        Self {
            engine,
            pushes: None,
            auth,
            limits: HttpLimits::default(),
            rate_limits: RateLimits::none(),
            telemetry: Telemetry::new(),
            access_log: AccessLog::none(),
        }
    }
}
