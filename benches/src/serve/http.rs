//! Requests: small ones by a client library, large replies by a connection that reads and keeps nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::daemon::Daemon;

/// Bytes that are taken from a connection at once.
const BUFFER: usize = 256 << 10;

/// How the body of a reply in chunks ends.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A caller of one server.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: Client,
    base: String,
    token: &'static str,
}

impl Caller {
    /// Of `server`, with a token. Connections are kept between requests.
    pub(super) fn new(server: &Daemon, token: &'static str) -> Result<Self> {
        Ok(Self { client: Client::builder().no_proxy().build()?, base: server.url(""), token })
    }

    /// Sends a request without a body, whatever becomes of it.
    pub(super) async fn send(&self, method: Method, path: &str) -> Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(self.token);
        request.send().await.with_context(|| format!("no reply to {path}"))
    }

    /// The reply to a GET that must succeed.
    pub(super) async fn get(&self, path: &str) -> Result<Response> {
        let reply = self.send(Method::GET, path).await?;
        let status = reply.status();
        if !status.is_success() {
            bail!("{path} was answered {status}: {}", reply.text().await.unwrap_or_default());
        }
        Ok(reply)
    }

    /// As [`Self::get`], read as JSON.
    pub(super) async fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(path).await?.bytes().await?)?)
    }

    /// Asks `path` again and again, one request behind the other, for so long and at least so often; the times that the
    /// replies took.
    pub(super) async fn times(&self, path: &str, at_least: usize, duration: Duration) -> Result<Times> {
        let (mut times, start) = (Vec::new(), Instant::now());
        while start.elapsed() < duration || times.len() < at_least {
            let asked = Instant::now();
            self.get(path).await?.bytes().await?;
            times.push(asked.elapsed());
        }
        Ok(Times::new(times))
    }
}

/// Times in order.
#[derive(Debug)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Puts them in order.
    pub(super) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The milliseconds within which `percent` of them lie.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// A reply that was read to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Discarded {
    /// Bytes, the head included.
    pub(super) bytes: u64,
    /// From the request to the last byte.
    pub(super) elapsed: Duration,
}

/// Gets `path` on a connection of its own. A reply that is no success, or was cut, is an error.
pub(super) async fn discard(address: SocketAddr, path: &str, token: &str) -> Result<Discarded> {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head("GET", path, address, token, "").as_bytes()).await?;
    let (bytes, complete) = read_to_end(&mut stream).await?;
    ensure!(complete, "the reply to {path} was cut after {bytes} bytes");
    Ok(Discarded { bytes, elapsed: start.elapsed() })
}

/// Sends a statement under an id on a connection of its own, and leaves the reply to whoever holds the connection.
pub(super) async fn submit(address: SocketAddr, sql: &str, id: &str, token: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let body = json!({"sql": sql, "query_id": id}).to_string();
    stream.write_all(head("POST", "/v1/query?format=arrow", address, token, &body).as_bytes()).await?;
    Ok(stream)
}

/// Reads until the server closes: the bytes, and whether the reply came to its end. It must be one of success.
pub(super) async fn read_to_end(stream: &mut TcpStream) -> Result<(u64, bool)> {
    let (mut buffer, mut bytes, mut tail, mut head) = (vec![0; BUFFER], 0, Vec::new(), Head::default());
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok((bytes, head.end.map_or(tail.ends_with(LAST_CHUNK), |end| end == bytes)));
        }
        let new = &buffer[..read];
        bytes += read as u64;
        head.read(new)?;
        tail.extend_from_slice(&new[read.saturating_sub(LAST_CHUNK.len())..]);
        tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
    }
}

/// The head of a reply, as it comes.
#[derive(Debug, Default)]
struct Head {
    text: Vec<u8>,
    is_read: bool,
    /// The reply's bytes with its head, where the length is told; otherwise it comes in chunks.
    end: Option<u64>,
}

impl Head {
    fn read(&mut self, new: &[u8]) -> Result<()> {
        if self.is_read {
            return Ok(());
        }
        self.text.extend_from_slice(new);
        let Some(body) = self.text.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|blank| blank + 4) else {
            return Ok(());
        };
        self.is_read = true;
        let head = String::from_utf8_lossy(&self.text[..body]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            bail!("the server answered {}", String::from_utf8_lossy(&self.text));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        self.end = length.map(|length| anyhow::Ok(body as u64 + length.trim().parse::<u64>()?)).transpose()?;
        Ok(())
    }
}

/// A request whose connection ends with its reply.
fn head(method: &str, path: &str, address: SocketAddr, token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A statement as part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = Times::new((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!((times.percentile_ms(50), times.percentile_ms(99)), (100.0, 198.0));
        assert_eq!(Times::new(vec![Duration::from_millis(7)]).percentile_ms(99), 7.0);
        assert!(Times::new(Vec::new()).percentile_ms(99).is_nan());
    }

    /// What becomes of a reply that comes in these pieces.
    async fn replied(pieces: &'static [&'static [u8]]) -> Result<Discarded> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            for piece in pieces {
                stream.write_all(piece).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let reply = discard(address, "/", "t").await;
        server.await.unwrap();
        reply
    }

    #[tokio::test]
    async fn a_reply_that_was_cut_or_failed_is_no_figure() {
        let whole = replied(&[b"HTTP/1.1 200 OK\r\n\r\n1\r\nx\r\n", b"0\r\n", b"\r\n"]).await.unwrap();
        assert_eq!(whole.bytes, 30);
        let sized = replied(&[b"HTTP/1.1 200 OK\r\ncontent-len", b"gth: 2\r\n\r\n{", b"}"]).await.unwrap();
        assert_eq!(sized.bytes, 40);
        let cut = replied(&[b"HTTP/1.1 200 OK\r\n\r\n1\r\nx\r\n"]).await.unwrap_err();
        assert!(cut.to_string().contains("was cut after 25 bytes"), "{cut}");
        let short = replied(&[b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}"]).await.unwrap_err();
        assert!(short.to_string().contains("was cut after 40 bytes"), "{short}");
        let failed = replied(&[b"HTTP/1.1 400 Bad Request\r\n\r\n0\r\n\r\n"]).await.unwrap_err();
        assert!(failed.to_string().contains("400"), "{failed}");
    }
}
