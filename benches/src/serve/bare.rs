//! A bare axum handler in a process of its own: what HTTP itself costs with this library, runtime and machine.
#![expect(clippy::print_stderr, reason = "the other process waits for the address")]

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Path as PathOf;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::net::TcpListener;

use super::daemon::{Daemon, address_in};

/// Bytes that the stream hands out at once.
const PIECE: usize = 64 << 10;

/// Starts it: `/` answers the bytes of `body`, `/stream/N` a stream of N zeros.
pub(super) fn start(body: &Path) -> Result<Daemon> {
    let mut command = Command::new(std::env::current_exe()?);
    Daemon::start("the bare handler", command.arg("bare").arg("--body").arg(body), address_in)
}

/// Serves until the process is ended.
pub(crate) async fn serve(body: &Path) -> Result<()> {
    let body = Bytes::from(std::fs::read(body).with_context(|| format!("cannot read {}", body.display()))?);
    let fixed = get(move || std::future::ready(([(CONTENT_TYPE, "application/json")], body.clone())));
    let router = Router::new().route("/", fixed).route("/stream/{bytes}", get(zeros));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listens on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

async fn zeros(PathOf(bytes): PathOf<u64>) -> Body {
    let piece = Bytes::from_static(&[0; PIECE]);
    let pieces = stream::iter((0..bytes).step_by(PIECE));
    Body::from_stream(pieces.map(move |from| {
        let length = usize::try_from(bytes - from).unwrap_or(PIECE).min(PIECE);
        Ok::<_, std::convert::Infallible>(piece.slice(..length))
    }))
}
