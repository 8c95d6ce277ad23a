//! A file behind an `https://` or `http://` URL.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use chrono::Utc;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use super::{Place, SourceFile, bad_path, shown};
use crate::source::file::content::Spool;
use crate::source::{SourceContext, SourceError, web};

/// Times that a file is asked for without getting a byte further.
const ATTEMPTS: u32 = 5;

/// The pause before the second attempt; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause, also where a server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How long a server may take to answer the call, and how long a transfer may stand still.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Bytes that a file may have.
const SIZE_LIMIT_BYTES: u64 = 1 << 40;

/// Fetches the file, again where the transfer breaks, from there on where the server can.
pub(super) async fn fetch(context: &SourceContext, place: &Place<'_>) -> Result<SourceFile, SourceError> {
    let name = shown(&place.url);
    if place.url.path().contains(['*', '[']) {
        return Err(bad_path(&name, "a web server does not tell its files; name one of them"));
    }
    let client = client(context, place)?;
    let failed = |source| SourceError::Spool { path: name.clone(), source };
    let spool = Spool::new().map_err(failed)?;
    let (file, path) = spool.create().map_err(failed)?;
    let mut transfer = Transfer { name: name.clone(), url: place.url.clone(), file, bytes: 0, tag: None };
    let (mut attempts, mut got) = (0, 0);
    loop {
        let broken = match transfer.attempt(&client).await? {
            None => return Ok(SourceFile::fetched(path, name, &spool)),
            Some(broken) => broken,
        };
        // A transfer that gets on is not given up.
        attempts = if transfer.bytes > got { 1 } else { attempts + 1 };
        got = transfer.bytes.max(got);
        if attempts >= ATTEMPTS {
            return Err(SourceError::Remote { path: name, source: broken.error });
        }
        let pause = broken.pause.unwrap_or_else(|| FIRST_PAUSE * (1 << (attempts - 1)));
        tracing::warn!(file = %name, error = %broken.error, ?pause, "fetching is tried again");
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
    }
}

fn client(context: &SourceContext, place: &Place<'_>) -> Result<Client, SourceError> {
    let name = shown(&place.url);
    let mut builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(STALL_TIMEOUT);
    let mut keeps_host = false;
    if let Some(connection) = place.connection {
        let unfit = |reason: &str| bad_path(&name, &format!("of connection `{}`, {reason}", connection.name));
        if let Some(header) = web::secret_header(context, connection, unfit)? {
            builder = builder.default_headers(HeaderMap::from_iter([header]));
            keeps_host = true;
        }
        for certificate in web::trusted(context, connection, unfit)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let policy = Policy::custom(move |attempt| {
        let Some(first) = attempt.previous().first() else { return attempt.follow() };
        let same_host = web::same_origin(first, attempt.url());
        if attempt.previous().len() > REDIRECTS {
            attempt.error("it redirects too often")
        } else if keeps_host && !same_host {
            // The token would go along.
            attempt.error("it redirects to another server")
        } else if first.scheme() == "https" && attempt.url().scheme() != "https" {
            attempt.error("it redirects to a connection that is not encrypted")
        } else {
            attempt.follow()
        }
    });
    let client = builder.redirect(policy).build();
    client.map_err(|error| SourceError::Remote { path: name, source: error.without_url().into() })
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A try that may be repeated.
struct Broken {
    error: Cause,
    /// What the server asks for.
    pause: Option<Duration>,
}

struct Transfer {
    name: String,
    url: Url,
    file: File,
    /// Bytes that the file has so far.
    bytes: u64,
    /// The server's name for the version that they belong to; none where it gives none that can be relied on.
    tag: Option<HeaderValue>,
}

impl Transfer {
    /// Fetches what is missing; none where the file is complete.
    ///
    /// # Errors
    /// Where trying again is no use.
    async fn attempt(&mut self, client: &Client) -> Result<Option<Broken>, SourceError> {
        let mut request = client.get(self.url.clone());
        if let (Some(tag), true) = (&self.tag, self.bytes > 0) {
            request = request.header(RANGE, format!("bytes={}-", self.bytes)).header(IF_RANGE, tag.clone());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_redirect() || error.is_builder() => {
                return Err(SourceError::Remote { path: self.name.clone(), source: error.without_url().into() });
            }
            Err(error) => {
                return match web::distrust(&self.url, &error) {
                    Some(error) => Err(error),
                    None => Ok(Some(Broken { error: error.without_url().into(), pause: None })),
                };
            }
        };
        if let Some(broken) = self.refused(&response)? {
            return Ok(Some(broken));
        }
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT && starts_at(&response) == Some(self.bytes);
        if !goes_on {
            self.bytes = 0;
            self.file
                .set_len(0)
                .and_then(|()| self.file.seek(SeekFrom::Start(0)))
                .map_err(|error| self.failed(error))?;
            if response.status() == StatusCode::PARTIAL_CONTENT {
                self.tag = None;
                return Ok(Some(Broken {
                    error: "the server sent another part than was asked for".into(),
                    pause: None,
                }));
            }
        }
        // A weak tag does not promise the same bytes.
        let tag = response.headers().get(ETAG);
        self.tag = tag.filter(|tag| !tag.as_bytes().starts_with(b"W/")).cloned();
        self.receive(response).await
    }

    async fn receive(&mut self, mut response: Response) -> Result<Option<Broken>, SourceError> {
        let end = response.content_length().map(|length| self.bytes.saturating_add(length));
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    self.bytes += piece.len() as u64;
                    if self.bytes > SIZE_LIMIT_BYTES {
                        let (path, stored_bytes) = (self.name.clone(), self.bytes);
                        return Err(SourceError::TooLarge { path, stored_bytes, expanded_bytes: stored_bytes });
                    }
                    self.file.write_all(&piece).map_err(|error| self.failed(error))?;
                }
                Ok(None) if end.is_some_and(|end| end != self.bytes) => {
                    let error = format!("it ended after {} bytes", self.bytes).into();
                    return Ok(Some(Broken { error, pause: None }));
                }
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(Broken { error: error.without_url().into(), pause: None })),
            }
        }
    }

    fn refused(&self, response: &Response) -> Result<Option<Broken>, SourceError> {
        let status = response.status();
        if status.is_success() {
            return Ok(None);
        }
        let error: Cause = format!("the server answered {status}").into();
        if web::may_pass(status) {
            let pause = web::retry_after(response.headers(), Utc::now());
            return Ok(Some(Broken { error, pause }));
        }
        Err(match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::Missing { path: self.name.clone() },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                SourceError::Refused { path: self.name.clone(), status: status.as_u16() }
            }
            _ => SourceError::Remote { path: self.name.clone(), source: error },
        })
    }

    fn failed(&self, source: std::io::Error) -> SourceError {
        SourceError::Spool { path: self.name.clone(), source }
    }
}

/// The first byte of `Content-Range: bytes FIRST-LAST/SIZE`.
fn starts_at(response: &Response) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
