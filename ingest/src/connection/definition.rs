//! `connections/*.toml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use xiangyun_engine::project::{Diagnostic, Document, Resource};

use super::secret::SECRET_PREFIX;

/// `connections/*.toml`: a system outside the lake. Passwords and tokens are named here and never written here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Name, unique in the project; pipelines use it in `source.connection`.
    pub name: String,
    /// `postgresql://host:port/database`, `mysql://host:port/database`, `s3://bucket/prefix` or
    /// `https://host/path`, without user and password.
    pub url: String,
    /// User name; for `s3` the access key id.
    pub user: Option<String>,
    /// Where the password is found; for `s3` the secret access key, for `https` the token.
    pub secret: Option<SecretDef>,
    /// `s3` only: the endpoint of a store that is not the provider's own.
    pub endpoint: Option<String>,
    /// `s3` only: the region.
    pub region: Option<String>,
    /// `http` only: the header that carries the token. Unless said it is `Authorization: Bearer TOKEN`.
    pub header: Option<String>,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// File with the certificates that are trusted beside the system's; relative to the project.
    pub ca_file: Option<String>,
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretDef {
    /// In this environment variable, whose name begins with `XIANGYUN_SECRET_`.
    Env(String),
    /// In this file, relative to the project; white space at its end does not count.
    File(String),
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Encrypted and the server's certificate verified, or refused. The default.
    #[default]
    Require,
    /// Not encrypted: for servers on this machine or within a closed network.
    Off,
}

impl Resource for ConnectionDef {
    const FOLDER: &'static str = "connections";
    const KIND: &'static str = "connection";
    const VERSION: u32 = 1;
}

/// Schemes that a connection may have.
const SCHEMES: [&str; 5] = ["postgresql", "mysql", "s3", "https", "http"];

/// Without both halves a bucket is asked for what everybody may read: that half was written means something else.
fn half_of_the_credentials(document: &Document<ConnectionDef>) -> Option<Diagnostic> {
    let (set, missing, what) = match (&document.def.user, &document.def.secret) {
        (Some(_), None) => ("user", "secret", "where the secret access key is"),
        (None, Some(_)) => ("secret", "user", "the access key id"),
        _ => return None,
    };
    let fault = document.fault(&[set], format!("`{set}` is set and `{missing}` is not"));
    Some(fault.with_hint(format!("say by `{missing}` {what}, or set neither for a public bucket")))
}

/// Everything that is wrong with one connection, offline.
pub(super) fn faults(document: &Document<ConnectionDef>) -> Vec<Diagnostic> {
    let def = &*document.def;
    let mut faults = Vec::new();
    match Url::parse(&def.url) {
        Ok(url) if !SCHEMES.contains(&url.scheme()) => {
            let fault = document.fault(&["url"], format!("`{}` is no kind of connection", url.scheme()));
            faults.push(
                fault.with_hint(format!("use one of {}", SCHEMES.map(|scheme| format!("{scheme}://")).join(", "))),
            );
        }
        Ok(url) => {
            if !url.username().is_empty() || url.password().is_some() {
                let fault = document.fault(&["url"], "the URL holds a user or a password");
                faults.push(fault.with_hint("write the user as `user`, and say by `secret` where the password is"));
            }
            if url.host_str().is_none_or(str::is_empty) {
                faults.push(document.fault(&["url"], "the URL names no host"));
            }
            if url.scheme() == "http" && def.tls == Tls::Require {
                let fault = document.fault(&["url"], "`http` is not encrypted");
                faults.push(fault.with_hint("use `https`, or say `tls = \"off\"` within a closed network"));
            }
            if url.scheme() == "s3" {
                faults.extend(half_of_the_credentials(document));
            }
            let is_http = url.scheme().starts_with("http");
            for (key, is_set, belongs) in [
                ("endpoint", def.endpoint.is_some(), url.scheme() == "s3"),
                ("region", def.region.is_some(), url.scheme() == "s3"),
                ("header", def.header.is_some(), is_http),
            ] {
                if is_set && !belongs {
                    faults.push(document.fault(&[key], format!("`{key}` means nothing for `{}`", url.scheme())));
                }
            }
        }
        Err(error) => faults.push(document.fault(&["url"], format!("`{}` is no URL: {error}", def.url))),
    }
    if let Some(SecretDef::Env(name)) = &def.secret
        && name.strip_prefix(SECRET_PREFIX).is_none_or(str::is_empty)
    {
        let fault = document.fault(&["secret", "env"], format!("the variable `{name}` may not be read"));
        faults.push(fault.with_hint(format!("name it {SECRET_PREFIX}…: no other variable is handed to a connection")));
    }
    faults
}
