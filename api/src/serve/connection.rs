//! One connection: HTTP/1.1 or HTTP/2, as the client begins, within limits of time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::tls::Tls;
use super::unread::Replies;
use super::watch::{Overdue, Watch, Watched};
use crate::layer::Connection;
use crate::state::HttpLimits;
use crate::telemetry::Telemetry;

/// How often a connection with running requests is asked whether anybody is there; HTTP/2 only.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Time that a client has to read what was sent before the connection is closed for good.
const PARTING: Duration = Duration::from_secs(2);
/// The answer to a head that did not come, before it is known what was asked.
const HEAD_TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What all connections share.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) service: Router,
    pub(super) limits: HttpLimits,
    pub(super) tls: Option<Tls>,
    pub(super) closing: CancellationToken,
    pub(super) telemetry: Telemetry,
}

impl Door {
    /// Serves one connection to its end.
    pub(super) async fn serve(self, stream: TcpStream, remote: SocketAddr) {
        // Rows leave as they are made; small ones should not wait for more.
        let _ = stream.set_nodelay(true);
        let _open = self.telemetry.connection(self.tls.is_some());
        let Some(tls) = &self.tls else { return self.speak(stream, remote).await };
        let agreed = tokio::select! {
            agreed = timeout(self.limits.handshake_timeout, tls.accept(stream)) => agreed,
            () = self.closing.cancelled() => return,
        };
        match agreed {
            Ok(Ok(stream)) => Box::pin(self.speak(stream, remote)).await,
            Ok(Err(error)) => {
                self.telemetry.handshake_failed();
                tracing::debug!(%remote, %error, "no agreement on TLS");
            }
            Err(_) => {
                self.telemetry.handshake_failed();
                tracing::debug!(%remote, "no agreement on TLS in time");
            }
        }
    }

    async fn speak<S>(&self, stream: S, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (watch, limits) = (Arc::new(Watch::new(Instant::now())), &self.limits);
        let (watched, stream) = Watched::new(stream, Arc::clone(&watch));
        let connection = Connection { remote, watch: Arc::clone(&watch) };
        let replies = Arc::new(Replies::default());
        let (followed, version) = (Arc::clone(&replies), Arc::clone(&watch));
        let service = self
            .service
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(connection.clone());
                request
            })
            // On HTTP/1 a reader that takes nothing is seen at the socket.
            .map_response(move |response: Response| match version.is_http2() {
                true => response.map(|body| followed.follow(body, Instant::now())),
                false => response,
            });
        let builder = builder(limits);
        let serving = builder.serve_connection(TokioIo::new(watched), TowerToHyperService::new(service));
        let mut serving = Box::pin(serving);
        // Any limit is noticed at the latest when the shortest of them has passed once more.
        let look_every = limits.head_timeout.min(limits.idle_timeout).min(limits.send_timeout);
        let (mut closing, mut parting) = (false, false);
        let overdue = loop {
            tokio::select! {
                biased; // what has come counts before the time that has passed
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%remote, %error, "connection ended early");
                    }
                    break None;
                }
                () = self.closing.cancelled(), if !closing => {
                    closing = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = sleep(look_every) => {
                    let unread = replies.let_go(limits.send_timeout, Instant::now());
                    if unread > 0 {
                        tracing::debug!(%remote, unread, "replies were not taken");
                    }
                    match watch.overdue(limits, Instant::now()) {
                        // An orderly end first, which tells HTTP/2 to send no more; then one that waits for nobody.
                        Some(Overdue::Idle) if !parting => {
                            parting = true;
                            serving.as_mut().graceful_shutdown();
                        }
                        Some(overdue) => break Some(overdue),
                        None => parting = false,
                    }
                }
            }
        };
        drop(serving);
        let words = match overdue {
            None => &b""[..],
            Some(Overdue::Head) if watch.has_part_of_head() => HEAD_TOO_SLOW,
            Some(overdue) => return tracing::debug!(%remote, ?overdue, "connection cut"),
        };
        part(stream, words).await;
    }
}

fn builder(limits: &HttpLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The watch does it: this one would take a pause between requests for a slow head.
        .header_read_timeout(None)
        .max_buf_size(usize::try_from(limits.head_bytes).unwrap_or(usize::MAX).max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(limits.send_timeout);
    builder
}

/// Says the last words on a stream that the server has let go of, and closes it so that the client can read all that was
/// sent: a socket that is closed while bytes are still coming in is reset, and the client may lose what it has not read.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(stream: Arc<Mutex<S>>, words: &[u8]) {
    let Some(stream) = Arc::into_inner(stream) else { return };
    let mut stream = stream.into_inner().unwrap_or_else(PoisonError::into_inner);
    let parting = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(PARTING, parting).await;
}
