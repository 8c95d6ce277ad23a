//! Why the lake's storage cannot be used, in words that name the setting to look at.

use std::error::Error as StdError;
use std::io;

use crate::error::{BoxError, Classify, ErrorKind};

/// Why the lake's storage cannot be used. Secrets are in none of them.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL cannot be used.
    #[error("`{url}` cannot be the lake's storage: {reason}")]
    InvalidUrl {
        /// As written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The path is there and no folder.
    #[error("`{url}` is not a folder")]
    NotAFolder {
        /// The lake's URL.
        url: String,
    },
    /// The folder may not be written or read.
    #[error("no permission while {action} in `{url}`")]
    Denied {
        /// What was attempted.
        action: String,
        /// The lake's URL.
        url: String,
        /// The cause.
        source: BoxError,
    },
    /// The disk is full.
    #[error("no space left while {action} in `{url}`")]
    NoSpace {
        /// What was attempted.
        action: String,
        /// The lake's URL.
        url: String,
        /// The cause.
        source: BoxError,
    },
    /// The S3 service refused the key.
    #[error("the S3 service refused the credentials while {action} in `{url}`")]
    Credentials {
        /// What was attempted.
        action: String,
        /// The lake's URL.
        url: String,
        /// The cause.
        source: BoxError,
    },
    /// A key without its secret, or the other way round.
    #[error("`storage.{set}` is set and `storage.{missing}` is not")]
    HalfCredentials {
        /// The setting that is there.
        set: &'static str,
        /// The setting that is not.
        missing: &'static str,
    },
    /// The bucket is not there.
    #[error("bucket `{bucket}` was not found while {action}")]
    NoBucket {
        /// What was attempted.
        action: String,
        /// The bucket.
        bucket: String,
        /// The cause.
        source: BoxError,
    },
    /// The service cannot be reached, or answered with a failure.
    #[error("the storage at `{url}` failed while {action}")]
    Failed {
        /// What was attempted.
        action: String,
        /// The lake's URL.
        url: String,
        /// The cause.
        source: BoxError,
    },
    /// Writers could overwrite each other's commits.
    #[error("the storage at `{url}` does not honour conditional writes")]
    NoConditionalPut {
        /// The lake's URL.
        url: String,
    },
}

impl Classify for StorageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidUrl { .. }
            | Self::NotAFolder { .. }
            | Self::Credentials { .. }
            | Self::HalfCredentials { .. }
            | Self::NoBucket { .. } => ErrorKind::InvalidInput,
            Self::Denied { .. } | Self::NoSpace { .. } | Self::Failed { .. } => ErrorKind::Unavailable,
            Self::NoConditionalPut { .. } => ErrorKind::Unsupported,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidUrl { .. } => "set `storage.url` to `file:///absolute/folder` or `s3://bucket/prefix`".into(),
            Self::NotAFolder { .. } => "set `storage.url` to a folder, or to one that can be created".into(),
            Self::Denied { .. } => "give this user the right to read and write the folder".into(),
            Self::NoSpace { .. } => "free some space and run the command again: nothing was committed".into(),
            Self::Credentials { .. } => {
                "check `storage.access_key_id`, `storage.secret_access_key` and what the key may do".into()
            }
            Self::HalfCredentials { missing, .. } => {
                format!("set `storage.{missing}` too, or neither of them to use the machine's own role")
            }
            Self::NoBucket { .. } => "create the bucket, or correct `storage.url`".into(),
            Self::Failed { url, .. } if url.starts_with("s3:") => {
                "check `storage.endpoint`, `storage.region` and whether the service runs".into()
            }
            Self::Failed { .. } => return None,
            Self::NoConditionalPut { .. } => {
                "use an S3 service that answers `If-None-Match: *` on PUT with 412, or a `file://` folder".into()
            }
        })
    }
}

impl StorageError {
    /// Finds out why the storage at `url` failed during `action` (as in `listing tables`), from the whole chain of
    /// causes. Errors that are not about storage become [`StorageError::Failed`].
    pub fn explain(action: impl Into<String>, url: &url::Url, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let action = action.into();
        let is_s3 = url.scheme() == "s3";
        let bucket = url.host_str().unwrap_or_default().to_string();
        let url = url.to_string();
        match diagnose(source.as_ref()) {
            Cause::Denied if is_s3 => Self::Credentials { action, url, source },
            Cause::Denied => Self::Denied { action, url, source },
            Cause::NoSpace => Self::NoSpace { action, url, source },
            Cause::NoBucket => Self::NoBucket { action, bucket, source },
            Cause::Other => Self::Failed { action, url, source },
        }
    }

    /// Whether `error`, or a cause of it, says that the storage itself failed (and not that its content is wrong).
    pub fn is_cause_of(error: &(dyn StdError + 'static)) -> bool {
        causes(error).any(|cause| match cause.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. } | object_store::Error::InvalidPath { .. }) => false,
            Some(_) => true,
            None => cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| matches!(io_cause(error), Cause::Denied | Cause::NoSpace)),
        })
    }
}

enum Cause {
    Denied,
    NoSpace,
    NoBucket,
    Other,
}

fn io_cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Cause::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::NoSpace,
        _ => Cause::Other,
    }
}

/// What a service's answer means that the library gives as text only: a refused list is no variant of its own (other
/// refused requests are), nor can a missing bucket be told from a missing object but by the service's code.
fn answer_cause(text: &str) -> Cause {
    if text.contains("NoSuchBucket") {
        Cause::NoBucket
    } else if text.contains("status code: 401") || text.contains("status code: 403") {
        Cause::Denied
    } else {
        Cause::Other
    }
}

fn diagnose(error: &(dyn StdError + 'static)) -> Cause {
    for cause in causes(error) {
        let found = if let Some(error) = cause.downcast_ref::<io::Error>() {
            io_cause(error)
        } else if let Some(error) = cause.downcast_ref::<object_store::Error>() {
            match error {
                object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                    Cause::Denied
                }
                other => answer_cause(&other.to_string()),
            }
        } else {
            Cause::Other
        };
        if !matches!(found, Cause::Other) {
            return found;
        }
    }
    Cause::Other
}

/// `error` and its causes. An [`io::Error`] that carries another error shows only that one's cause, so it is opened.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
