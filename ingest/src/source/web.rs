//! What every call to a web server needs, whether it fetches a file or asks an API.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, StatusCode, Url};

use super::{SourceContext, SourceError};
use crate::connection::{ConnectionDef, Tls};

/// A header that carries a secret.
pub(crate) type SecretHeader = (HeaderName, HeaderValue);

/// The header that carries the connection's secret; none where it has no secret. `unfit` makes the error for one that
/// cannot stand in a header.
pub(super) fn secret_header(
    context: &SourceContext,
    connection: &ConnectionDef,
    unfit: impl Fn(&str) -> SourceError,
) -> Result<Option<SecretHeader>, SourceError> {
    let Some(secret) = context.connections.secret_of(connection)? else { return Ok(None) };
    let (name, text) = match &connection.header {
        None => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
        Some(name) => {
            let name = HeaderName::try_from(name).map_err(|_| unfit("its `header` is no header's name"))?;
            (name, secret.expose().to_owned())
        }
    };
    let mut value =
        HeaderValue::try_from(text).map_err(|_| unfit("its secret holds a character that no header may"))?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// A client that posts to the address of the connection called `name`, and the header that carries its secret. It follows
/// no redirect: a message and its secret go where they were meant to.
///
/// # Errors
/// For a connection that there is not or that is no web server, a secret that is not there, or a certificate that cannot
/// be read.
pub(crate) fn endpoint(
    context: &SourceContext,
    name: &str,
    timeout: Duration,
) -> Result<(Client, Url, Option<SecretHeader>), SourceError> {
    let connection = context.connections.get(name)?;
    let unfit = |reason: &str| SourceError::UnfitConnection { connection: name.into(), reason: reason.into() };
    let url = Url::parse(&connection.url).map_err(|error| unfit(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unfit(&format!("messages need `https`, and it is `{}`", url.scheme())));
    }
    let mut builder = Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .https_only(connection.tls == Tls::Require);
    for certificate in trusted(context, connection, unfit)? {
        builder = builder.add_root_certificate(certificate);
    }
    let client = builder.build().map_err(|error| unfit(&error.to_string()))?;
    Ok((client, url, secret_header(context, connection, unfit)?))
}

/// The certificates that the connection trusts beside the system's. `unfit` makes the error for a file that holds none.
pub(super) fn trusted(
    context: &SourceContext,
    connection: &ConnectionDef,
    unfit: impl Fn(&str) -> SourceError,
) -> Result<Vec<Certificate>, SourceError> {
    let Some(path) = &connection.ca_file else { return Ok(Vec::new()) };
    let bytes =
        std::fs::read(context.root.join(path)).map_err(|source| SourceError::Read { path: path.clone(), source })?;
    let found = Certificate::from_pem_bundle(&bytes);
    let found = found.map_err(|error| unfit(&format!("`{path}` holds no certificate: {error}")))?;
    match found.is_empty() {
        true => Err(unfit(&format!("`{path}` holds no certificate"))),
        false => Ok(found),
    }
}

/// The error for a call that failed because the server's certificate is not trusted: asking again is no use. None for other
/// failures.
pub(super) fn distrust(url: &Url, error: &reqwest::Error) -> Option<SourceError> {
    let mut cause = error.source();
    while let Some(mut next) = cause {
        // What an I/O error wraps is not its source, and it may be an I/O error itself.
        while let Some(wrapped) = next.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            next = wrapped;
        }
        if let Some(source @ rustls::Error::InvalidCertificate(_)) = next.downcast_ref() {
            let server = url.origin().ascii_serialization();
            return Some(SourceError::Distrusted { server, source: source.clone() });
        }
        cause = next.source();
    }
    None
}

/// Whether both are at the same server, so that a secret may go to either.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether the same request may be answered later.
pub(super) fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The pause that a server asks for: seconds, or the time until a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_to_come_again() {
        let pause = |text: &'static str, now: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, DateTime::parse_from_rfc3339(now).unwrap().to_utc()).map(|pause| pause.as_secs())
        };
        let now = "2015-10-21T07:27:50Z";
        assert_eq!(pause("120", now), Some(120));
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(10));
        assert_eq!(pause("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(0));
        assert_eq!(pause("soon", now), None);
        let now = "1999-12-31T23:58:59Z";
        assert_eq!(pause("Fri, 31 Dec 1999 23:59:59 GMT", now), Some(60));
        assert_eq!(pause("Thu, 31 Dec 1998 23:59:59 GMT", now), Some(0));
    }
}
