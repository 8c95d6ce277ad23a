//! Requests that survive a busy or failing server.

use std::time::Duration;

use chrono::Utc;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use crate::connection::{ConnectionDef, Tls};
use crate::source::{SourceContext, SourceError, web};

/// Requests in all for one answer.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A server that wants a longer pause is not waited for: a later run does better.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of one answer, which is held in memory until its records are spooled.
const ANSWER_LIMIT_BYTES: usize = 128 << 20;

/// One API as a connection declares it.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    base: Url,
    connection: String,
}

/// An answer with what its headers say about the next page.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) next: Option<Url>,
}

impl Api {
    /// # Errors
    /// For a connection that is not HTTP, a secret that is not there, or a certificate that cannot be read.
    pub(super) fn open(context: &SourceContext, name: &str) -> Result<Self, SourceError> {
        let connection = context.connections.get(name)?;
        let unfit = |reason: String| SourceError::UnfitConnection { connection: name.into(), reason };
        let mut base = Url::parse(&connection.url).map_err(|error| unfit(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(unfit(format!("an HTTP source needs `https`, and it is `{}`", base.scheme())));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .default_headers(headers(context, connection)?)
            // A redirect to another host would carry the token away.
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                let same = attempt.previous().first().is_some_and(|first| web::same_origin(first, attempt.url()));
                if same && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
            }))
            .https_only(connection.tls == Tls::Require);
        for certificate in web::trusted(context, connection, |reason| unfit(reason.into()))? {
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder.build().map_err(|error| unfit(error.to_string()))?;
        Ok(Self { client, base, connection: name.into() })
    }

    /// The connection's name.
    pub(super) fn connection(&self) -> &str {
        &self.connection
    }

    /// The address of `path` below the base, with `params`.
    pub(super) fn address(&self, path: &str, params: &[(String, String)]) -> Result<Url, SourceError> {
        let url = self.base.join(path.trim_start_matches('/'));
        let mut url = url.map_err(|error| self.failed(path, error.to_string(), false))?;
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        Ok(url)
    }

    /// Asks for `url`; again where the server is busy or out of reach.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, SourceError> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let (problem, pause) = match self.try_get(url).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { problem, pause }) => (problem, pause),
            };
            let pause = pause.unwrap_or(wait);
            if attempt == ATTEMPTS || pause > LONGEST_WAIT {
                return Err(self.failed(url.path(), problem, true));
            }
            tracing::info!(connection = self.connection, attempt, problem, "asked again");
            tokio::time::sleep(pause).await;
            wait = (wait * 3).min(LONGEST_WAIT);
        }
        Err(self.failed(url.path(), "it was not asked".into(), true))
    }

    async fn try_get(&self, url: &Url) -> Result<Answer, Failure> {
        if !web::same_origin(url, &self.base) {
            let reason = format!("the next page is at another host, `{}`", url.host_str().unwrap_or_default());
            return Err(Failure::Final(self.failed(url.path(), reason, false)));
        }
        let passing = |error: reqwest::Error| Failure::Passing { problem: chain(&error.without_url()), pause: None };
        let unsent = |error: reqwest::Error| match web::distrust(url, &error) {
            Some(error) => Failure::Final(error),
            None => passing(error),
        };
        let mut response = self.client.get(url.clone()).send().await.map_err(unsent)?;
        let status = response.status();
        if web::may_pass(status) {
            let pause = web::retry_after(response.headers(), Utc::now());
            return Err(Failure::Passing { problem: format!("it answered {status}"), pause });
        }
        if !status.is_success() {
            let reason = refusal(status, &body_start(response).await);
            return Err(Failure::Final(self.failed(url.path(), reason, false)));
        }
        let next = next_link(response.headers(), url);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(passing)? {
            if body.len() + piece.len() > ANSWER_LIMIT_BYTES {
                let reason = format!("an answer has more than {ANSWER_LIMIT_BYTES} bytes: ask for smaller pages");
                return Err(Failure::Final(self.failed(url.path(), reason, false)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { body, next })
    }

    pub(super) fn failed(&self, path: &str, reason: String, may_pass: bool) -> SourceError {
        SourceError::Api { connection: self.connection.clone(), path: path.into(), reason, may_pass }
    }
}

enum Failure {
    Final(SourceError),
    Passing { problem: String, pause: Option<Duration> },
}

fn headers(context: &SourceContext, connection: &ConnectionDef) -> Result<HeaderMap, SourceError> {
    let unfit =
        |reason: &str| SourceError::UnfitConnection { connection: connection.name.clone(), reason: reason.into() };
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    headers.extend(web::secret_header(context, connection, unfit)?);
    Ok(headers)
}

/// The target of `rel="next"` in the `Link` headers (RFC 8288).
fn next_link(headers: &HeaderMap, base: &Url) -> Option<Url> {
    let links = headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    for link in links.flat_map(split_links) {
        let Some((target, attributes)) = link.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            continue;
        };
        let is_next = attributes.split(';').any(|attribute| {
            let Some((name, value)) = attribute.split_once('=') else { return false };
            let relations = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && relations.split_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return base.join(target).ok();
        }
    }
    None
}

/// Links are separated by commas, and a target may hold some.
fn split_links(header: &str) -> Vec<&str> {
    let (mut links, mut start, mut within) = (Vec::new(), 0, false);
    for (at, c) in header.char_indices() {
        match c {
            '<' => within = true,
            '>' => within = false,
            ',' if !within => {
                links.push(&header[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    links.push(&header[start..]);
    links
}

async fn body_start(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() > 300 {
            break;
        }
    }
    bytes.truncate(300);
    String::from_utf8_lossy(&bytes).trim().replace(['\n', '\r'], " ")
}

fn refusal(status: StatusCode, body: &str) -> String {
    let what = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "it does not accept the secret",
        StatusCode::NOT_FOUND => "it has no such path",
        _ => "it refused",
    };
    match body {
        "" => format!("{what} ({status})"),
        body => format!("{what} ({status}): {body}"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn the_next_page_is_the_link_that_says_so() {
        let base = Url::parse("https://api.example/records?page=2").unwrap();
        let next = |text: &'static str| {
            let headers = HeaderMap::from_iter([(HeaderName::from_static("link"), HeaderValue::from_static(text))]);
            next_link(&headers, &base).map(String::from)
        };
        // The example of RFC 8288, section 3.5, and one with a comma in its target.
        assert_eq!(
            next("</TheBook/chapter4>; rel=\"start next\"; title=\"x\"").unwrap(),
            "https://api.example/TheBook/chapter4"
        );
        assert_eq!(
            next("<?page=1>; rel=prev, <?page=3&ids=1,2>; rel=next").unwrap(),
            "https://api.example/records?page=3&ids=1,2"
        );
        assert_eq!(next("<?page=1>; rel=\"prev\""), None);
    }
}
