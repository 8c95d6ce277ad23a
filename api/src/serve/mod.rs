//! The accept loop: connections with limits of time and number, TLS where it is asked for, and an orderly end.

mod connection;
mod tls;
mod unread;
mod watch;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xiangyun_engine::error::Classify;
use xiangyun_engine::{Error, ErrorKind};

use crate::router;
use crate::state::AppState;

use connection::Door;
pub use tls::{Tls, TlsError};
pub(crate) use watch::Watch;

/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener has no address.
    #[error("cannot tell the address that the server listens on")]
    Address(#[source] std::io::Error),
}

impl Classify for ServeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }
}

/// Serves `listener` until `shutdown` is done; then running requests may end, within the limit's time. Refuses an
/// address that the network can reach while there is no token file.
pub async fn serve(listener: TcpListener, state: AppState, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    listen(listener, None, state, shutdown).await
}

/// As [`serve`], over TLS; its certificate is read again when its files change.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Tls,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let followed = tls.clone();
    let serving = listen(listener, Some(tls), state, shutdown);
    tokio::select! {
        // Signals are listened to before the first connection is accepted.
        biased;
        never = followed.follow() => match never {},
        served = serving => served,
    }
}

async fn listen(
    listener: TcpListener,
    tls: Option<Tls>,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(ServeError::Address)?;
    state.auth.check_listen(address)?;
    let limits = state.limits;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let closing = CancellationToken::new();
    let telemetry = state.telemetry.clone();
    let door = Door { service: router(state), limits, tls, closing: closing.clone(), telemetry };
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    tracing::info!(%address, tls = door.tls.is_some(), "listening");
    loop {
        // A free slot first: connections beyond the limit wait in the system's queue.
        let slot = tokio::select! {
            biased;
            () = &mut shutdown => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let stream = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, remote)) => {
                let connection = door.clone().serve(stream, remote);
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                // As a rule too many open files: they become fewer by waiting, not by trying at once.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown_timeout, ended).await.is_err() {
        tracing::warn!("requests were cut by the shutdown");
    }
    Ok(())
}
