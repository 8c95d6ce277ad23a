//! What servers have in common: where they are, whom they let in, and that a bad moment passes.

use std::time::Duration;

use rustls::pki_types::CertificateDer;

use super::error::DatabaseError;
use super::tls;
use crate::connection::{ConnectionDef, SecretText, Tls};
use crate::source::{SourceContext, SourceError};

/// Attempts to get at the first row.
const ATTEMPTS: u32 = 4;
/// The pause after the first failed attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How long a server may take to answer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be silent before the network is asked whether it still stands.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);

/// A server that a connection leads to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) connection: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) secret: Option<SecretText>,
    /// Whom an encrypted connection trusts; none for a plain one.
    pub(super) trusted: Option<Vec<CertificateDer<'static>>>,
}

impl Server {
    /// The server of the connection called `name`, which must be `scheme://`.
    pub(super) fn of(
        context: &SourceContext,
        name: &str,
        scheme: &'static str,
        port: u16,
    ) -> Result<Self, SourceError> {
        let def: &ConnectionDef = context.connections.get(name)?;
        let wrong =
            |found: &str| DatabaseError::WrongKind { connection: name.into(), found: found.into(), wanted: scheme };
        let url = url::Url::parse(&def.url).map_err(|_| wrong(&def.url))?;
        if url.scheme() != scheme {
            return Err(wrong(url.scheme()).into());
        }
        // Addresses of version 6 stand in brackets in a URL, and nowhere else.
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let trusted = match def.tls {
            Tls::Require => Some(tls::trusted(&context.root, def)?),
            Tls::Off => None,
        };
        Ok(Self {
            connection: name.into(),
            host,
            port: url.port().unwrap_or(port),
            database: decoded(url.path().trim_matches('/')),
            user: def.user.clone().unwrap_or_default(),
            secret: context.connections.secret_of(def)?,
            trusted,
        })
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Lets a connection work until its client is dropped; what breaks it is told to whoever waits for the client.
pub(super) fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a database ended");
        }
    });
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> String {
    let query = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Makes `attempt` again after a pause while it fails in a way that may pass.
pub(super) async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, SourceError>
where
    F: Future<Output = Result<T, DatabaseError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.may_pass() => {
                tracing::info!(%error, "trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            other => return Ok(other?),
        }
    }
    Ok(attempt().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_databases_are_decoded() {
        assert_eq!(decoded("hr%20%E4%BA%BA%E4%BA%8B+1"), "hr 人事+1");
        assert_eq!(decoded(""), "");
    }
}
