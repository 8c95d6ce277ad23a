//! Messages to one HTTP endpoint: sent in their order by a task of its own, tried again, and never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use xiangyun_engine::{Error, ErrorKind, Result};

use crate::connection::SecretText;
use crate::source::{SourceContext, web};

/// Messages that wait; further ones are dropped and counted.
const WAITING: usize = 1024;
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Messages to one HTTP endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    stop: mpsc::Sender<()>,
}

impl Outbox {
    /// Posts JSON to `url`, with `token` as bearer where there is one. Must be called within a runtime.
    ///
    /// # Errors
    /// For an address that is no `http` or `https` URL.
    pub fn open(url: &str, token: Option<&SecretText>) -> Result<Self> {
        let bad =
            |message: String| Error::new(ErrorKind::InvalidInput, message).with_hint("write it as https://host/path");
        let url = Url::parse(url).map_err(|error| bad(format!("`{url}` is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(format!("`{url}` is no address of an HTTP server")));
        }
        let authorization = token.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose())));
        let mut authorization =
            authorization.transpose().map_err(|_| bad("the token holds a character that no header may hold".into()))?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "an HTTP client cannot be made").with_source(error))?;
        let secret = authorization.map(|value| (AUTHORIZATION, value));
        Ok(Self::start(Endpoint { client, url, secret }))
    }

    /// Posts JSON to the address of a connection, with its secret, as the connection is declared. Must be called within a
    /// runtime.
    ///
    /// # Errors
    /// For a connection that there is not or that is no web server, a secret that is not there, or a certificate that
    /// cannot be read.
    pub(crate) fn to_connection(context: &SourceContext, name: &str) -> Result<Self> {
        let (client, url, secret) = web::endpoint(context, name, TIMEOUT)?;
        Ok(Self::start(Endpoint { client, url, secret }))
    }

    fn start(endpoint: Endpoint) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (stop, stopped) = mpsc::channel(1);
        let task = tokio::spawn(deliver(endpoint, receiver, stopped));
        Self { sender, dropped: Arc::default(), task: Arc::new(Mutex::new(Some(task))), stop }
    }

    /// Hands a message over and waits until the endpoint has taken it. False where it was given up or refused.
    pub async fn send(&self, message: serde_json::Value) -> bool {
        let (delivered, taken) = oneshot::channel();
        let message = Message { body: message, delivered: Some(delivered) };
        self.sender.send(message).await.is_ok() && taken.await.unwrap_or(false)
    }

    /// Hands a message over. Where too many wait already, it is dropped and counted.
    pub fn post(&self, message: serde_json::Value) {
        if self.sender.try_send(Message { body: message, delivered: None }).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(dropped, "a message was dropped: the endpoint takes them too slowly");
        }
    }

    /// Sends what waits, for `limit` at the most, and ends.
    pub async fn close(&self, limit: Duration) {
        let _ = self.stop.send(()).await;
        if let Some(task) = self.task.lock().await.take()
            && tokio::time::timeout(limit, task).await.is_err()
        {
            tracing::warn!("messages were left unsent: the endpoint did not answer in time");
        }
    }
}

struct Message {
    body: serde_json::Value,
    /// Who waits to hear whether it was taken.
    delivered: Option<oneshot::Sender<bool>>,
}

struct Endpoint {
    client: Client,
    url: Url,
    secret: Option<web::SecretHeader>,
}

async fn deliver(endpoint: Endpoint, mut messages: mpsc::Receiver<Message>, mut stopped: mpsc::Receiver<()>) {
    loop {
        tokio::select! {
            biased;
            message = messages.recv() => match message {
                Some(Message { body, delivered }) => {
                    let taken = endpoint.deliver(&body).await;
                    // Who waited may have gone.
                    let _ = delivered.map(|delivered| delivered.send(taken));
                }
                None => return,
            },
            _ = stopped.recv() => {
                messages.close();
            }
        }
    }
}

impl Endpoint {
    /// Sends a message, again where that may help. False where it was not taken.
    async fn deliver(&self, message: &serde_json::Value) -> bool {
        let (body, mut wait) = (message.to_string(), FIRST_WAIT);
        for attempt in 1..=ATTEMPTS {
            let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
            if let Some((name, value)) = &self.secret {
                request = request.header(name, value.clone());
            }
            let problem = match request.body(body.clone()).send().await {
                Ok(response) if response.status().is_success() => return true,
                Ok(response) if may_pass(response.status()) => format!("it answered {}", response.status()),
                Ok(response) => {
                    tracing::warn!(host = self.url.host_str(), status = %response.status(), "a message was refused");
                    return false;
                }
                Err(error) => error.without_url().to_string(),
            };
            if attempt == ATTEMPTS {
                tracing::warn!(host = self.url.host_str(), problem, "a message was given up");
                return false;
            }
            tokio::time::sleep(wait).await;
            wait *= 4;
        }
        false
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}
