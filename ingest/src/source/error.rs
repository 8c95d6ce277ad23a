//! What goes wrong while rows are read.

use xiangyun_engine::error::{Classify, ErrorKind};

use super::database::DatabaseError;
use crate::connection::ConnectionError;

/// A source that cannot be opened or read to its end. Nothing of it is loaded.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such file.
    #[error("source file `{path}` does not exist")]
    Missing {
        /// As declared.
        path: String,
    },
    /// A pipeline whose rows come when callers send them.
    #[error("the pipeline takes what callers push to its table, and is not run")]
    NotRun,
    /// A pattern that matches nothing.
    #[error("no file matches `{pattern}`")]
    NoMatch {
        /// As declared.
        pattern: String,
    },
    /// A pattern or path that cannot be used.
    #[error("source path `{path}` cannot be used: {reason}")]
    BadPath {
        /// As declared.
        path: String,
        /// Why.
        reason: String,
    },
    /// A folder without files.
    #[error("no file lies in the folder `{path}`")]
    Folder {
        /// As declared.
        path: String,
    },
    /// A file without a single byte.
    #[error("source file `{path}` is empty: not even a header line")]
    Empty {
        /// The file.
        path: String,
    },
    /// A file with a header and nothing below it.
    #[error("source file `{path}` has a header and no rows")]
    NoRows {
        /// The file.
        path: String,
    },
    /// The operating system refused.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A compressed file that ends in its middle, or whose bytes are damaged.
    #[error("`{path}` is not a complete {format} file: it ends or breaks after {position} bytes of content")]
    BrokenCompression {
        /// The file.
        path: String,
        /// `gzip`, `zstd`, `bzip2` or `xz`.
        format: &'static str,
        /// Decompressed bytes that could be read.
        position: u64,
        /// Why.
        source: std::io::Error,
    },
    /// An archive that cannot be read as a whole, or holds what cannot be read.
    #[error("archive `{path}` cannot be read: {reason}")]
    BadArchive {
        /// The archive.
        path: String,
        /// Why, with the entry.
        reason: String,
    },
    /// An entry that is damaged.
    #[error("`{path}` is damaged in its archive")]
    BrokenEntry {
        /// The archive with the entry.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An archive in an archive.
    #[error("`{path}` is an archive within an archive")]
    NestedArchive {
        /// The archive with the entry.
        path: String,
    },
    /// A file that becomes too large when it is decompressed.
    #[error("`{path}` is too large: {stored_bytes} bytes become more than {expanded_bytes}")]
    TooLarge {
        /// The file.
        path: String,
        /// Bytes as stored.
        stored_bytes: u64,
        /// Bytes of content that were seen.
        expanded_bytes: u64,
    },
    /// A copy on disk that cannot be written.
    #[error("cannot keep a temporary copy of `{path}`")]
    Spool {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A place that is not read without a connection.
    #[error("`{path}` needs a connection")]
    NeedsConnection {
        /// The URL.
        path: String,
    },
    /// A connection that cannot be used.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Rows of a database that cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A server that does not let us in.
    #[error("the server of `{path}` refuses access ({status})")]
    Refused {
        /// The URL.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// A file that cannot be fetched.
    #[error("cannot fetch `{path}`")]
    Remote {
        /// The URL.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Bytes that are no text of the file's encoding.
    #[error("`{path}` is not {encoding} text: byte {position} cannot be decoded{}", line_suffix(.line))]
    Undecodable {
        /// The file.
        path: String,
        /// The encoding that was declared or detected.
        encoding: String,
        /// Position of the byte in the decompressed content, from 0.
        position: u64,
        /// The line it stands on, from 1.
        line: Option<u64>,
    },
    /// A file of which most rows hold bytes that are no text of its encoding: a single such row would be rejected.
    #[error("`{path}` is not {encoding} text: {undecodable} of {rows} rows cannot be decoded; {first}")]
    MostlyUndecodable {
        /// The file.
        path: String,
        /// The encoding that was declared or detected.
        encoding: String,
        /// Rows of the file.
        rows: u64,
        /// Rows that cannot be decoded, more than half of them.
        undecodable: u64,
        /// The line on which the first such row begins, from 1.
        line: u64,
        /// What is wrong with it.
        first: String,
    },
    /// A header that cannot name columns.
    #[error("the header of `{path}` cannot be used: {reason}")]
    BadHeader {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Files of one source with different columns.
    #[error("`{path}` has other columns than `{first}`: {difference}")]
    HeaderDiffers {
        /// The file.
        path: String,
        /// The first file of the source.
        first: String,
        /// Which.
        difference: String,
    },
    /// A field or row beyond the limit: most likely a quote that is never closed.
    #[error("line {line} of `{path}` holds a row of more than {limit_bytes} bytes")]
    RowTooLong {
        /// The file.
        path: String,
        /// The line on which the row begins.
        line: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// A document that is not what its kind says.
    #[error("`{path}` is not a GeoJSON FeatureCollection: {reason}")]
    BadGeoJson {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file that changed while it was read.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// The file.
        path: String,
    },
    /// A setting of the source that means nothing.
    #[error("`{key}` of the source cannot be `{value}`")]
    BadSetting {
        /// The key in the pipeline's file.
        key: &'static str,
        /// Its value.
        value: String,
        /// What may stand there.
        hint: String,
    },
    /// Somebody else than the server may have answered.
    #[error("the certificate of `{server}` is not trusted")]
    Distrusted {
        /// Scheme, host and port.
        server: String,
        /// Why not.
        source: rustls::Error,
    },
    /// A connection that cannot be used, or not for this kind of source.
    #[error("connection `{connection}` cannot be used: {reason}")]
    UnfitConnection {
        /// The connection.
        connection: String,
        /// Why.
        reason: String,
    },
    /// A file that is not what its kind says.
    #[error("`{path}` cannot be read as {kind}: {reason}")]
    BadFile {
        /// The file.
        path: String,
        /// The kind, as in `JSON`.
        kind: &'static str,
        /// Why.
        reason: String,
    },
    /// A source that has not given a single record yet.
    #[error("the source of pipeline `{pipeline}` has no records")]
    NoRecords {
        /// The pipeline.
        pipeline: String,
    },
    /// An API that did not answer as it should.
    #[error("`{path}` of connection `{connection}` cannot be loaded: {reason}")]
    Api {
        /// The connection.
        connection: String,
        /// The path that was asked for.
        path: String,
        /// What it answered instead.
        reason: String,
        /// Whether the same request may be answered later.
        may_pass: bool,
    },
    /// The generator cannot make a data set.
    #[error("cannot generate `{dataset}`: {reason}")]
    Generate {
        /// The data set.
        dataset: String,
        /// Why.
        reason: String,
    },
}

fn line_suffix(line: &Option<u64>) -> String {
    line.map(|line| format!(", on line {line}")).unwrap_or_default()
}

impl Classify for SourceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } | Self::NoMatch { .. } | Self::Folder { .. } => ErrorKind::NotFound,
            Self::Read { .. } | Self::Changed { .. } | Self::Spool { .. } | Self::Remote { .. } => {
                ErrorKind::Unavailable
            }
            Self::Connection(error) => error.kind(),
            Self::Database(error) => error.kind(),
            Self::Api { may_pass: true, .. } => ErrorKind::Unavailable,
            Self::Api { may_pass: false, .. } | Self::BadFile { .. } | Self::NoRecords { .. } => ErrorKind::DataQuality,
            Self::UnfitConnection { .. } | Self::Distrusted { .. } | Self::NotRun => ErrorKind::InvalidInput,
            Self::NeedsConnection { .. } | Self::Refused { .. } => ErrorKind::InvalidInput,
            Self::BadPath { .. } | Self::BadSetting { .. } | Self::Generate { .. } => ErrorKind::InvalidInput,
            Self::Empty { .. }
            | Self::NoRows { .. }
            | Self::BrokenCompression { .. }
            | Self::BadArchive { .. }
            | Self::BrokenEntry { .. }
            | Self::NestedArchive { .. }
            | Self::TooLarge { .. }
            | Self::Undecodable { .. }
            | Self::MostlyUndecodable { .. }
            | Self::BadHeader { .. }
            | Self::HeaderDiffers { .. }
            | Self::RowTooLong { .. }
            | Self::BadGeoJson { .. } => ErrorKind::DataQuality,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } | Self::NoMatch { .. } => {
                "relative paths start at the project's folder; check `source.path` of the pipeline".into()
            }
            Self::NotRun => "send rows to `POST /v1/tables/{schema}/{table}/rows` of a server".into(),
            Self::Folder { .. } => "files whose names begin with a dot are left out".into(),
            Self::BadArchive { .. } => {
                "ask the agency for an archive of plain, readable files, or unpack it yourself".into()
            }
            Self::BrokenEntry { .. } => "copy the archive again: the transfer was probably cut off".into(),
            Self::NestedArchive { .. } => "unpack the outer archive and name what was in it".into(),
            Self::TooLarge { .. } => {
                "if the file is honest, set `source.expanded_limit_gib` to what its content may have".into()
            }
            Self::Spool { .. } => {
                "free some space in the folder for temporary files, or name another one by TMPDIR".into()
            }
            Self::NeedsConnection { .. } => {
                "declare its URL in connections/*.toml and name that as `source.connection`".into()
            }
            Self::Refused { .. } => "check the secret of the connection, or name one as `source.connection`".into(),
            Self::Connection(error) => return error.hint(),
            Self::Database(error) => return error.hint(),
            Self::Remote { .. } => "it may come back: load again; else check the URL and the connection".into(),
            Self::Empty { .. } | Self::NoRows { .. } => "ask the agency to send the file again".into(),
            Self::BrokenCompression { .. } => "copy the file again: the transfer was probably cut off".into(),
            Self::Undecodable { .. } => {
                "set `source.encoding` if the file has another one; otherwise the file is damaged at that place".into()
            }
            Self::MostlyUndecodable { .. } => {
                "set `source.encoding` to the encoding that the file has; up to half of the rows may be undecodable, and \
                 go to quarantine"
                    .into()
            }
            Self::RowTooLong { .. } => "look for a quote that is opened and never closed on that line".into(),
            Self::Changed { .. } => "load it again once nobody writes to it".into(),
            Self::BadSetting { hint, .. } => hint.clone(),
            Self::Distrusted { .. } => {
                "name the authority that signed it by `ca_file` of the connection, and the server as the certificate does"
                    .into()
            }
            Self::UnfitConnection { connection, .. } => format!("look into connections/{connection}.toml"),
            Self::Api { may_pass: true, .. } => "run the load again later: nothing was committed".into(),
            Self::Api { .. } => "compare the pipeline's source with what the API's documentation says".into(),
            _ => return None,
        })
    }
}
