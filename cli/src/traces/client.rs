//! The HTTP client of the export: the one that the workspace has, on the runtime that it has.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// Time that one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a collector's answer that are read: a good one says nothing.
const ANSWER_BYTES: usize = 64 << 10;

/// Sends from a thread that is none of the runtime's.
#[derive(Debug)]
pub(super) struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    pub(super) fn new(runtime: Handle) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Whoever is named beside the collector gets neither spans nor its headers.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("an HTTP client for traces cannot be made")?;
        Ok(Self { client, runtime })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let sent = self.runtime.spawn(async move {
            let mut answer = client.execute(request).await?;
            let mut body = Vec::new();
            while let Some(part) = answer.chunk().await? {
                body.extend_from_slice(&part);
                if body.len() > ANSWER_BYTES {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((answer.status(), answer.headers().clone(), body))
        });
        let (status, headers, body) = sent.await?.map_err(reqwest::Error::without_url)?;
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
