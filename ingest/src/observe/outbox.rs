//! Messages to one HTTP endpoint: sent in their order by a task of its own, tried again, and never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use xiangyun_engine::{Error, ErrorKind, Result};

use crate::connection::SecretText;

/// Messages that wait; further ones are dropped and counted.
const WAITING: usize = 1024;
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Messages to one HTTP endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::Sender<serde_json::Value>,
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
        let (sender, receiver) = mpsc::channel(WAITING);
        let (stop, stopped) = mpsc::channel(1);
        let task = tokio::spawn(deliver(Endpoint { client, url, authorization }, receiver, stopped));
        Ok(Self { sender, dropped: Arc::default(), task: Arc::new(Mutex::new(Some(task))), stop })
    }

    /// Hands a message over. Where too many wait already, it is dropped and counted.
    pub fn post(&self, message: serde_json::Value) {
        if self.sender.try_send(message).is_err() {
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

struct Endpoint {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
}

async fn deliver(endpoint: Endpoint, mut messages: mpsc::Receiver<serde_json::Value>, mut stopped: mpsc::Receiver<()>) {
    loop {
        tokio::select! {
            biased;
            message = messages.recv() => match message {
                Some(message) => endpoint.deliver(&message).await,
                None => return,
            },
            _ = stopped.recv() => {
                messages.close();
            }
        }
    }
}

impl Endpoint {
    async fn deliver(&self, message: &serde_json::Value) {
        let (body, mut wait) = (message.to_string(), FIRST_WAIT);
        for attempt in 1..=ATTEMPTS {
            let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            let problem = match request.body(body.clone()).send().await {
                Ok(response) if response.status().is_success() => return,
                Ok(response) if may_pass(response.status()) => format!("it answered {}", response.status()),
                Ok(response) => {
                    tracing::warn!(host = self.url.host_str(), status = %response.status(), "a message was refused");
                    return;
                }
                Err(error) => error.without_url().to_string(),
            };
            if attempt == ATTEMPTS {
                tracing::warn!(host = self.url.host_str(), problem, "a message was given up");
                return;
            }
            tokio::time::sleep(wait).await;
            wait *= 4;
        }
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT
}
