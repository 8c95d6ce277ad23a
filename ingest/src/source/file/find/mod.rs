//! Where files are declared to be → the files, on this machine: remote ones are fetched, archives listed.

mod http;
mod local;
mod s3;

#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use glob::{MatchOptions, Pattern};
use url::Url;

use super::archive;
use super::content::{Entry, Limits, Spool};
use crate::connection::ConnectionDef;
use crate::pipeline::FileLocation;
use crate::source::{SourceContext, SourceError};

/// A file of a source.
#[derive(Debug, Clone)]
pub(in crate::source) struct SourceFile {
    /// The file on this machine that holds its bytes; of an archive's entry, the archive.
    pub(in crate::source) path: PathBuf,
    /// How it is named in reports: relative to the project, `/`-separated, or absolute where it was declared so; a
    /// remote file by its URL without credentials; an archive's entry behind the archive's name.
    pub(in crate::source) name: String,
    /// Where in `path` it stands, for an archive's entry.
    pub(in crate::source) entry: Option<Entry>,
    /// What it may become when it is decompressed.
    pub(in crate::source) limits: Limits,
    /// Keeps `path` where it is a temporary file.
    pub(in crate::source) spool: Option<Arc<Spool>>,
}

impl SourceFile {
    /// A file that lies on this machine.
    pub(in crate::source) fn local(path: PathBuf, name: String) -> Self {
        Self { path, name, entry: None, limits: Limits::new(None), spool: None }
    }

    /// A file that was fetched.
    pub(in crate::source) fn fetched(path: PathBuf, name: String, spool: &Arc<Spool>) -> Self {
        Self { spool: Some(Arc::clone(spool)), ..Self::local(path, name) }
    }
}

/// `*` and `?` stay within one folder; `**` crosses folders. Dot files are matched only by name.
pub(super) const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that `location` means, in the order of their names. Blocks while remote ones are fetched.
pub(in crate::source) fn locate(
    context: &SourceContext,
    location: &FileLocation<'_>,
) -> Result<Vec<SourceFile>, SourceError> {
    let found = match remote(context, location)? {
        None => local::find(&context.root, location.path)?,
        Some(place) if place.url.scheme() == "s3" => context.runtime.block_on(s3::fetch(context, &place))?,
        Some(place) => vec![context.runtime.block_on(http::fetch(context, &place))?],
    };
    expand(found, location)
}

/// The files that a path of this machine means.
#[cfg(test)]
pub(in crate::source) fn find(root: &Path, declared: &str) -> Result<Vec<SourceFile>, SourceError> {
    expand(local::find(root, declared)?, &FileLocation::of_path(declared))
}

/// What a location means, without reading it.
pub(super) enum Unlisted {
    Local(Vec<SourceFile>),
    /// Text that changes with the objects; none where there are none, or where the server does not tell.
    Remote(Option<String>),
}

/// The files that a location means, archives unlisted and nothing fetched.
pub(super) fn unlisted(context: &SourceContext, location: &FileLocation<'_>) -> Result<Unlisted, SourceError> {
    Ok(match remote(context, location)? {
        None => Unlisted::Local(local::find(&context.root, location.path)?),
        Some(place) if place.url.scheme() == "s3" => {
            Unlisted::Remote(context.runtime.block_on(s3::fingerprint(context, &place))?)
        }
        Some(_) => Unlisted::Remote(None),
    })
}

fn expand(found: Vec<SourceFile>, location: &FileLocation<'_>) -> Result<Vec<SourceFile>, SourceError> {
    let limits = Limits::new(location.expanded_limit_gib);
    let entries = match location.entries {
        Some(pattern) => Some(Pattern::new(pattern).map_err(|error| SourceError::BadSetting {
            key: "entries",
            value: pattern.into(),
            hint: format!("use a pattern as in `*.csv`: {}", error.msg),
        })?),
        None => None,
    };
    let mut files = Vec::with_capacity(found.len());
    for file in found {
        files.extend(archive::expand(SourceFile { limits, ..file }, entries.as_ref())?);
    }
    Ok(files)
}

/// A place outside this machine.
struct Place<'a> {
    /// Without credentials.
    url: Url,
    connection: Option<&'a ConnectionDef>,
}

/// The place that `location` names, checked against its connection; none where it is a path of this machine.
fn remote<'a>(context: &'a SourceContext, location: &FileLocation<'_>) -> Result<Option<Place<'a>>, SourceError> {
    let declared = location.path;
    let connection = location.connection.map(|name| context.connections.get(name)).transpose()?;
    let text = match connection {
        _ if declared.contains("://") => declared.to_owned(),
        Some(connection) => format!("{}/{}", connection.url.trim_end_matches('/'), declared.trim_start_matches('/')),
        None => return Ok(None),
    };
    let url = Url::parse(&text).map_err(|error| bad_path(&without_credentials(&text), &error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad_path(&shown(&url), "it holds a user or a password; name a connection instead"));
    }
    match (url.scheme(), connection) {
        ("s3" | "http", None) => Err(SourceError::NeedsConnection { path: shown(&url) }),
        ("s3" | "https" | "http", Some(connection)) if !lies_below(&url, &connection.url) => {
            let name = &connection.name;
            Err(bad_path(&shown(&url), &format!("it does not lie below the URL of connection `{name}`")))
        }
        ("s3" | "https" | "http", _) => Ok(Some(Place { url, connection })),
        _ => Err(bad_path(&shown(&url), "files are read from this machine, `s3://`, `https://` and `http://`")),
    }
}

/// A secret goes nowhere but where its connection leads.
fn lies_below(url: &Url, base: &str) -> bool {
    let Ok(base) = Url::parse(base) else { return false };
    let same = (url.scheme(), url.host_str(), url.port_or_known_default())
        == (base.scheme(), base.host_str(), base.port_or_known_default());
    let folder = base.path().trim_end_matches('/');
    same && url.path().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A URL as it may be shown: what stands behind `?` is often a key.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // A URL without a host cannot hold either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn without_credentials(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    }
}

/// Whether a part of a `/`-separated name begins with a dot.
pub(super) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.'))
}

fn bad_path(path: &str, reason: &str) -> SourceError {
    SourceError::BadPath { path: path.into(), reason: reason.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_nowhere_but_where_its_connection_leads() {
        for (url, base, expected) in [
            ("https://a.cn/data/x.csv", "https://a.cn/data", true),
            ("https://a.cn/data/x.csv", "https://a.cn/data/", true),
            ("https://a.cn/database/x.csv", "https://a.cn/data", false),
            ("https://a.cn:444/data/x.csv", "https://a.cn/data", false),
            ("http://a.cn/data/x.csv", "https://a.cn/data", false),
            ("https://a.cn/data/../x.csv", "https://a.cn/data", false),
            ("https://a.cn.evil/data/x.csv", "https://a.cn/data", false),
            ("s3://bucket/in/x.csv", "s3://bucket/in", true),
            ("s3://bucket2/in/x.csv", "s3://bucket/in", false),
        ] {
            assert_eq!(lies_below(&Url::parse(url).unwrap(), base), expected, "{url} below {base}");
        }
        let url = Url::parse("https://me:geheim@a.cn/x.csv?sig=geheim#geheim").unwrap();
        assert_eq!(shown(&url), "https://a.cn/x.csv");
        assert_eq!(without_credentials("https://me:geheim@:x/y?sig=geheim"), "https://:x/y");
    }
}
