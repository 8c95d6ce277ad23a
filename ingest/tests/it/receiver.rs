//! An endpoint that takes notices.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An endpoint on a free port that keeps what it takes.
pub(crate) struct Receiver {
    pub(crate) url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A request that was taken.
pub(crate) struct Taken {
    /// Its head, in lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Receiver {
    /// Answers with `statuses` in turn and with 204 after them.
    pub(crate) async fn start(statuses: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let (taken, mut statuses) = (Arc::<Mutex<Vec<Taken>>>::default(), VecDeque::from(statuses.to_vec()));
        let all = Arc::clone(&taken);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read(&mut socket).await;
                let status = statuses.pop_front().unwrap_or("204 No Content");
                if status.starts_with('2') {
                    all.lock().unwrap().push(request);
                }
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, taken }
    }

    /// What was taken since this was asked last.
    pub(crate) fn take_whole(&self) -> Vec<Taken> {
        std::mem::take(&mut self.taken.lock().unwrap())
    }

    /// The bodies of what was taken since this was asked last.
    pub(crate) fn take(&self) -> Vec<Value> {
        self.take_whole().into_iter().map(|taken| taken.body).collect()
    }
}

async fn read(socket: &mut TcpStream) -> Taken {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = socket.read(&mut piece).await.unwrap();
        assert!(read > 0, "the request was cut");
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if bytes.len() - end - 4 == length.parse::<usize>().unwrap() {
            return Taken { head, body: serde_json::from_slice(&bytes[end + 4..]).unwrap() };
        }
    }
}
