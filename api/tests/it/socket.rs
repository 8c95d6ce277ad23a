//! The accept loop over a real connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xiangyun_api::{AppState, HttpLimits, serve};

use crate::lake::{Lake, encoded};

async fn start(state: AppState) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let server = tokio::spawn(async move { serve(listener, state, stopped).await.unwrap() });
    (address, stop, server)
}

/// One request on a connection of its own; all bytes until the server closes it.
async fn exchange(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A cut connection may end in a reset: what counts is what arrived.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn complete_and_cut_can_be_told_apart_on_the_wire() {
    let lake = Lake::open().await;
    let (address, stop, server) = start(lake.state.clone()).await;
    assert!(exchange(address, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));

    let long = encoded("SELECT value FROM generate_series(1, 100000)");
    let whole = exchange(address, &format!("/v1/query?format=csv&sql={long}")).await;
    assert!(whole.contains("transfer-encoding: chunked"), "{}", &whole[..300]);
    assert!(whole.ends_with("\r\n0\r\n\r\n"), "a complete body ends with an empty chunk");

    let failing = encoded("SELECT 1 / (100000 - value) AS x FROM generate_series(1, 100000)");
    let cut = exchange(address, &format!("/v1/query?format=ndjson&sql={failing}")).await;
    assert!(cut.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!cut.ends_with("0\r\n\r\n"), "a cut body has no end");
    assert!(cut.contains("\"complete\":false"), "the reason was sent before the cut");

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), server).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens after the shutdown");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let lake = Lake::open().await;
    let limits = HttpLimits { head_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let (address, stop, server) = start(AppState { limits, ..lake.state.clone() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the server must not wait for ever");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), server).await.unwrap().unwrap();
}
