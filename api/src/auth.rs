//! Credentials → [`Principal`]: nothing else reads headers for identity.
//!
//! Callers are named by a file of hashed static tokens:
//!
//! ```toml
//! version = 1
//!
//! [[tokens]]
//! name = "governor's screen"
//! agency = "*"
//! class = "dashboard"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! ```
//!
//! Tokens should be long and random (`openssl rand -hex 32`), since a single hash is all that protects them in the file.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use xiangyun_engine::error::Classify;
use xiangyun_engine::{Error, ErrorKind, Principal, PrincipalClass};

use crate::error::ApiError;
use crate::layer::Known;
use crate::state::Shared;

/// Who may ask.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Without a token file: callers on this machine, who already may read what the operating system lets them.
    Loopback,
    /// Callers with a token of the file.
    Tokens(Arc<[Token]>),
}

/// A caller, known by the hash of its token.
#[derive(Clone)]
pub struct Token {
    hash: [u8; 32],
    principal: Principal,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Why callers cannot be told apart.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token file cannot be read.
    #[error("cannot read the token file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The token file is malformed.
    #[error("the token file {path} is not valid: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong; never holds a hash.
        reason: String,
    },
    /// A server without tokens would answer the whole network.
    #[error("refusing to listen on {address}: without a token file only loopback addresses are served")]
    OpenToTheNetwork {
        /// The address.
        address: SocketAddr,
    },
}

impl Classify for AuthError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "check the setting `server.tokens`".into(),
            Self::Invalid { .. } => {
                "each [[tokens]] needs `name`, `agency`, `class` and `sha256` (64 hexadecimal digits)".into()
            }
            Self::OpenToTheNetwork { .. } => {
                "set `server.tokens` to a file of hashed tokens, or listen on 127.0.0.1".into()
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    version: u32,
    tokens: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    agency: String,
    class: PrincipalClass,
    sha256: String,
}

impl Auth {
    /// Reads a token file.
    pub fn load(path: &Path) -> Result<Self, AuthError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AuthError::Unreadable { path: path.to_path_buf(), source })?;
        Self::parse(&text).map_err(|reason| AuthError::Invalid { path: path.to_path_buf(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: TokenFile = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if file.version != 1 {
            return Err(format!("version {} is not known, this build reads version 1", file.version));
        }
        if file.tokens.is_empty() {
            return Err("it names no token".into());
        }
        let mut seen = HashSet::new();
        let tokens = file.tokens.into_iter().map(|entry| {
            let hash = decode_hash(&entry.sha256)
                .ok_or_else(|| format!("`sha256` of `{}` is not 64 hexadecimal digits", entry.name))?;
            if !seen.insert(hash) {
                return Err(format!("`{}` has the token of another caller", entry.name));
            }
            Ok(Token { hash, principal: Principal::new(entry.name, entry.agency, entry.class) })
        });
        Ok(Self::Tokens(tokens.collect::<Result<_, _>>()?))
    }

    /// Refuses an address that the network can reach while nobody is asked who they are.
    pub fn check_listen(&self, address: SocketAddr) -> Result<(), AuthError> {
        match self {
            Self::Loopback if !address.ip().is_loopback() => Err(AuthError::OpenToTheNetwork { address }),
            _ => Ok(()),
        }
    }

    /// Who sent these headers.
    pub fn principal(&self, headers: &HeaderMap) -> Result<Principal, Error> {
        match self {
            Self::Loopback => check_host(headers).map(|()| Principal::local()),
            Self::Tokens(tokens) => by_token(tokens, bearer(headers)?),
        }
    }
}

/// A page of another site could reach a loopback server through a name that it lets point here. Such a request carries
/// that name.
fn check_host(headers: &HeaderMap) -> Result<(), Error> {
    let Some(host) = headers.get(HOST) else { return Ok(()) };
    let uri = host.to_str().ok().and_then(|host| host.parse::<Uri>().ok());
    let name = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    if name == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Forbidden, "without a token file only requests to a loopback address are served")
        .with_hint("use http://127.0.0.1 or http://localhost, or set `server.tokens`"))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let missing = || {
        Error::new(ErrorKind::Unauthenticated, "this server wants a token")
            .with_hint("send it in the header `Authorization: Bearer TOKEN`")
    };
    let value = headers.get(AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

/// Compares with every token, each in constant time, so that the time tells nothing about any of them.
fn by_token(tokens: &[Token], given: &str) -> Result<Principal, Error> {
    let hash: [u8; 32] = Sha256::digest(given.as_bytes()).into();
    let mut found = None;
    for token in tokens {
        if bool::from(token.hash.ct_eq(&hash)) {
            found = Some(&token.principal);
        }
    }
    found.cloned().ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "the token is not known to this server"))
}

fn decode_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// The caller of a request.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        match parts.extensions.get::<Known>() {
            Some(Known(principal)) => Ok(Self(principal.clone())),
            None => Ok(Self(state.auth.principal(&parts.headers)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::http::HeaderValue;

    use super::*;

    // sha256("test"), as `printf test | sha256sum` prints it
    const FILE: &str = "version = 1\n[[tokens]]\nname = \"screen\"\nagency = \"approvals\"\nclass = \"dashboard\"\n\
        sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_token_names_its_caller_and_nothing_else_does() {
        let auth = Auth::parse(FILE).unwrap();
        let principal = auth.principal(&headers(AUTHORIZATION, "bearer test")).unwrap();
        assert_eq!((principal.name(), principal.agency()), ("screen", "approvals"));
        for wrong in ["Bearer tes", "Bearer test2", "Basic test", "test", "Bearer "] {
            let error = auth.principal(&headers(AUTHORIZATION, wrong)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{wrong}");
        }
        assert_eq!(auth.principal(&HeaderMap::new()).unwrap_err().kind(), ErrorKind::Unauthenticated);
        assert!(!format!("{auth:?}").contains("9f86"), "a hash must not reach a log");
    }

    #[test]
    fn a_malformed_token_file_is_refused_with_what_is_wrong() {
        let cases = [
            (FILE.replace("9f86", "zz86"), "`sha256` of `screen` is not 64 hexadecimal digits"),
            (FILE.replace("9f86", ""), "`sha256` of `screen` is not 64 hexadecimal digits"),
            (FILE.replace("version = 1", "version = 2"), "version 2 is not known"),
            ("version = 1\ntokens = []".into(), "it names no token"),
            (format!("{FILE}{}", FILE.replace("version = 1", "")), "has the token of another caller"),
            (FILE.replace("dashboard", "king"), "unknown variant `king`"),
            (FILE.replace("agency", "agencee"), "unknown field `agencee`"),
        ];
        for (text, expected) in cases {
            let reason = Auth::parse(&text).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn only_loopback_is_served_without_tokens() {
        assert!(Auth::Loopback.check_listen("127.0.0.1:8080".parse().unwrap()).is_ok());
        assert!(Auth::Loopback.check_listen("[::1]:8080".parse().unwrap()).is_ok());
        let error = Auth::Loopback.check_listen("0.0.0.0:8080".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "refusing to listen on 0.0.0.0:8080: without a token file only loopback addresses are served"
        );
        assert!(error.hint().unwrap().contains("server.tokens"));
        assert!(Auth::parse(FILE).unwrap().check_listen("0.0.0.0:8080".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_foreign_host_name_does_not_reach_a_loopback_server() {
        for good in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"] {
            assert!(Auth::Loopback.principal(&headers(HOST, good)).is_ok(), "{good}");
        }
        for bad in ["evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1:8080"] {
            assert_eq!(Auth::Loopback.principal(&headers(HOST, bad)).unwrap_err().kind(), ErrorKind::Forbidden);
        }
    }
}
