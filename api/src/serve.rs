//! The accept loop: connections with a time limit for their heads, and an orderly end.

use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use xiangyun_engine::error::Classify;
use xiangyun_engine::{Error, ErrorKind};

use crate::router;
use crate::state::{AppState, HttpLimits};

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
    let address = listener.local_addr().map_err(ServeError::Address)?;
    state.auth.check_listen(address)?;
    let limits = state.limits;
    let service = router(state);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    tracing::info!(%address, "listening");
    loop {
        // A free slot first: connections beyond the limit wait in the system's queue.
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = &mut shutdown => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = handle(stream, service.clone(), limits, closing.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                // As a rule too many open files: they become fewer by waiting, not by trying at once.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
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

async fn handle(stream: TcpStream, service: Router, limits: HttpLimits, closing: CancellationToken) {
    // Rows leave as they are made; small ones should not wait for more.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}
