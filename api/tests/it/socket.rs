//! The accept loop over a real connection.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xiangyun_api::{AppState, HttpLimits, serve};
use xiangyun_engine::query::QueryOutcome;

use crate::lake::{Lake, encoded};

/// Long enough for any machine: what takes longer has failed.
const AT_MOST: Duration = Duration::from_secs(30);
/// Short enough to pass while a test waits for what follows.
const SHORT: Duration = Duration::from_millis(50);

/// A server on a free port, until it is told to stop.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(state: AppState) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move { serve(listener, state, stopped).await.unwrap() });
        Self { address, stop, task }
    }

    async fn limited(lake: &Lake, limits: HttpLimits) -> Self {
        Self::start(AppState { limits, ..lake.state.clone() }).await
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(AT_MOST, self.task).await.unwrap().unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends bytes as they are; all that comes until the server closes the connection.
    pub(crate) async fn raw(&self, sent: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        until_closed(&mut stream).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn exchange(&self, path: &str) -> String {
        self.raw(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await
    }
}

async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A cut connection may end in a reset: what counts is what arrived, and that it ends.
    let _ = tokio::time::timeout(AT_MOST, stream.read_to_end(&mut bytes)).await.expect("the server waits for ever");
    String::from_utf8(bytes).unwrap()
}

fn http1() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn http2() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

#[tokio::test]
async fn complete_and_cut_can_be_told_apart_on_the_wire() {
    let lake = Lake::open().await;
    let server = Server::start(lake.state.clone()).await;
    assert!(server.exchange("/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));

    let long = encoded("SELECT value FROM generate_series(1, 100000)");
    let whole = server.exchange(&format!("/v1/query?format=csv&sql={long}")).await;
    assert!(whole.contains("transfer-encoding: chunked"), "{}", &whole[..300]);
    assert!(whole.ends_with("\r\n0\r\n\r\n"), "a complete body ends with an empty chunk");

    let failing = encoded("SELECT 1 / (100000 - value) AS x FROM generate_series(1, 100000)");
    let cut = server.exchange(&format!("/v1/query?format=ndjson&sql={failing}")).await;
    assert!(cut.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(!cut.ends_with("0\r\n\r\n"), "a cut body has no end");
    assert!(cut.contains("\"complete\":false"), "the reason was sent before the cut");

    let address = server.address;
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens after the shutdown");
}

#[tokio::test]
async fn both_versions_of_http_come_in_by_one_port() {
    let lake = Lake::open().await;
    let server = Server::start(lake.state.clone()).await;
    let sql = encoded("SELECT value FROM generate_series(1, 100000)");
    let path = format!("/v1/query?format=csv&sql={sql}");
    let second = http2().get(server.url(&path)).send().await.unwrap();
    assert_eq!((second.version(), second.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let first = http1().get(server.url(&path)).send().await.unwrap();
    assert_eq!(first.version(), reqwest::Version::HTTP_11);
    assert_eq!(second.text().await.unwrap(), first.text().await.unwrap());
    let failing = encoded("SELECT 1 / (100000 - value) AS x FROM generate_series(1, 100000)");
    let cut = http2().get(server.url(&format!("/v1/query?format=csv&sql={failing}"))).send().await.unwrap();
    assert_eq!(cut.status().as_u16(), 200);
    assert!(cut.bytes().await.is_err(), "a cut stream of HTTP/2 is reset");
    server.stop().await;
}

#[tokio::test]
async fn a_running_request_ends_before_the_server_does() {
    let lake = Lake::open().await;
    for client in [http1(), http2()] {
        let server = Server::limited(&lake, HttpLimits { shutdown_timeout: AT_MOST, ..HttpLimits::default() }).await;
        let sql = encoded("SELECT value FROM generate_series(1, 400000)");
        let mut reply = client.get(server.url(&format!("/v1/query?format=csv&sql={sql}"))).send().await.unwrap();
        let mut bytes = reply.chunk().await.unwrap().unwrap().to_vec();
        server.stop.cancel();
        while let Some(chunk) = reply.chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        assert!(bytes.ends_with(b"\n400000\n"), "{} bytes", bytes.len());
        server.stop().await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_is_answered_and_the_connection_ended() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { head_timeout: SHORT, ..HttpLimits::default() }).await;
    let answer = server.raw(b"GET / HTTP/1.1\r\nhost: loc").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(server.raw(b"").await, "", "there is nothing to answer");
    // The opening of HTTP/2, which has no place for an answer yet.
    assert_eq!(server.raw(b"PRI * HTTP/2.0\r\n\r\nSM").await, "");
    server.stop().await;
}

#[tokio::test]
async fn a_later_head_must_come_too() {
    let lake = Lake::open().await;
    let limits = HttpLimits { head_timeout: Duration::from_secs(1), ..HttpLimits::default() };
    let server = Server::limited(&lake, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        stream.read_buf(&mut answer).await.unwrap();
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    stream.write_all(b"GET /heal").await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_and_the_connection_ended() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { body_idle_timeout: SHORT, ..HttpLimits::default() }).await;
    let head = "POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let answer = server.raw(format!("{head}content-length: 100\r\n\r\n{{\"sql\":").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n") && answer.contains("\"code\":\"request_timeout\""), "{answer}");

    let parts = stream::once(async { Ok::<_, std::io::Error>("{\"sql\":") }).chain(stream::pending());
    let request = http2().post(server.url("/v1/query")).header("content-type", "application/json");
    let reply = request.body(reqwest::Body::wrap_stream(parts)).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.version()), (408, reqwest::Version::HTTP_2));
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_has_an_end_too() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { body_timeout: 4 * SHORT, ..HttpLimits::default() }).await;
    let (mut read, mut write) = TcpStream::connect(server.address).await.unwrap().into_split();
    let head = "POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let head = format!("{head}content-length: 1000000\r\n\r\n");
    let sending = tokio::spawn(async move {
        let mut sent = write.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
            sent = write.write_all(b" ").await;
        }
    });
    let answer = until_closed(&mut read).await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    tokio::time::timeout(AT_MOST, sending).await.expect("the connection is still read").unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { idle_timeout: SHORT, ..HttpLimits::default() }).await;
    let answer = server.raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("connection: close"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_query() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { send_timeout: SHORT, ..HttpLimits::default() }).await;
    let sql = encoded("SELECT repeat('x', 1000) AS a FROM generate_series(1, 100000)");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /v1/query?format=csv&sql={sql} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(outcome(&lake).await, QueryOutcome::Cancelled);
    drop(stream);
    server.stop().await;
}

/// How the first query that ends has ended.
async fn outcome(lake: &Lake) -> QueryOutcome {
    let ended = async {
        loop {
            if let Some(record) = lake.records.0.lock().unwrap().first() {
                return record.outcome;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, ended).await.expect("the query is held for ever")
}

#[tokio::test]
async fn a_stream_that_is_not_taken_loses_its_query_and_the_connection_goes_on() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { send_timeout: SHORT, ..HttpLimits::default() }).await;
    // Its windows hold a little of the reply, and are opened again only as far as the reply is read.
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
    let client = client.http2_initial_stream_window_size(64 << 10).build().unwrap();
    let sql = encoded("SELECT repeat('x', 1000) AS a FROM generate_series(1, 100000)");
    let unread = client.get(server.url(&format!("/v1/query?format=csv&sql={sql}"))).send().await.unwrap();
    assert_eq!((unread.version(), unread.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    assert_eq!(outcome(&lake).await, QueryOutcome::Cancelled);
    // Another stream of the same connection is not concerned.
    let told = client.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(told.contains("\nhttp_server_open_connections 1\n"), "{told}");
    assert!(unread.bytes().await.is_err(), "whoever reads it now finds it cut");
    server.stop().await;
}

#[tokio::test]
async fn a_window_that_is_closed_from_the_beginning_holds_no_query() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { send_timeout: SHORT, ..HttpLimits::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let path = format!("/v1/query?format=csv&sql={}", encoded("SELECT value FROM generate_series(1, 400000)"));
    stream.write_all(&closed_window(&path)).await.unwrap();
    assert_eq!(outcome(&lake).await, QueryOutcome::Cancelled);
    drop(stream);
    server.stop().await;
}

/// The opening of HTTP/2 by a client whose streams take no byte, and its first request.
fn closed_window(path: &str) -> Vec<u8> {
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }
    // HPACK (RFC 7541): indexed fields of the static table, and literals whose name is in it and that are not Huffman coded.
    let literal = |name: u8, value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 127, "a longer one has another form");
        [&[name, length], value.as_bytes()].concat()
    };
    const METHOD_GET: u8 = 0x82;
    const SCHEME_HTTP: u8 = 0x86;
    let head = [vec![METHOD_GET, SCHEME_HTTP], literal(0x04, path), literal(0x01, "localhost")].concat();
    let initial_window_size = [0, 4, 0, 0, 0, 0];
    let (settings, headers, end_of_stream_and_headers) = (4, 1, 0x5);
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(settings, 0, 0, &initial_window_size),
        frame(headers, end_of_stream_and_headers, 1, &head),
    ]
    .concat()
}

#[tokio::test]
async fn a_head_of_any_size_is_not_read() {
    let lake = Lake::open().await;
    let server = Server::limited(&lake, HttpLimits { head_bytes: 8 << 10, ..HttpLimits::default() }).await;
    let long = "x".repeat(16 << 10);
    let answer = server.raw(format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let reply = http2().get(server.url("/healthz")).header("x-long", long).send().await;
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status().as_u16() == 431));
    server.stop().await;
}
