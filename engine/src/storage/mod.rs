//! The object store that holds the lake: opened from one URL.

pub mod durable;
mod error;
pub mod file_layer;
mod s3;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use self::durable::DurableFileStore;
pub use self::error::StorageError;
use crate::catalog::TableName;
use crate::error::Result;

/// Where the lake is and how to reach it.
#[derive(Clone, Default)]
pub struct StorageOptions {
    /// `file:///folder` or `s3://bucket/prefix`.
    pub url: String,
    /// S3 endpoint, where it is not the provider's own.
    pub endpoint: Option<String>,
    /// S3 region.
    pub region: Option<String>,
    /// S3 access key id.
    pub access_key_id: Option<String>,
    /// S3 secret access key: never logged, never part of an error.
    pub secret_access_key: Option<String>,
    /// Allow plain HTTP, for an endpoint inside a closed network.
    pub allow_http: bool,
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageOptions")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// An opened lake root.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The store, its root at the bucket's or file system's root.
    pub store: Arc<dyn ObjectStore>,
    /// The lake's URL, without a trailing slash.
    pub url: Url,
    /// The lake's root within the store.
    pub root: Path,
    /// A folder where processes of this machine that use the lake find each other, to take turns at a table: in the lake
    /// where that is a folder, which containers and users may share, and among the temporary files where it is not. None
    /// for a store that no other process sees.
    pub turns: Option<PathBuf>,
}

impl Storage {
    /// Opens the store and checks that it can be reached; local files are written durably.
    pub async fn open(options: &StorageOptions) -> Result<Self> {
        let url = parse_url(&options.url)?;
        let storage = match url.scheme() {
            "file" => {
                let folder = folder_of(&url)?;
                Self::local(&folder, DurableFileStore::new(&folder))?
            }
            _ => {
                let turns = Some(turns_of(&url, options.endpoint.as_deref()));
                Self { store: s3::open(&url, options)?, root: root_of(&url)?, url, turns }
            }
        };
        // One entry is enough: it proves address, credentials and bucket.
        storage
            .store
            .list(Some(&storage.root))
            .try_next()
            .await
            .map_err(|error| StorageError::explain("opening the lake", &storage.url, error))?;
        Ok(storage)
    }

    /// A lake in `folder`, which must be absolute, over a store of local files.
    pub fn local(folder: &std::path::Path, store: DurableFileStore) -> Result<Self> {
        let invalid = |reason: String| StorageError::InvalidUrl { url: folder.display().to_string(), reason };
        let url = Url::from_file_path(folder).map_err(|()| invalid("the path is not absolute".into()))?;
        if folder.exists() && !folder.is_dir() {
            return Err(StorageError::NotAFolder { url: url.to_string() }.into());
        }
        let turns = Some(folder.join("_xiangyun").join("turns"));
        Ok(Self { store: Arc::new(store), root: root_of(&url)?, url, turns })
    }

    /// Folder of a table: `<root>/<schema>/<table>`.
    pub fn table_path(&self, name: &TableName) -> Path {
        self.root.clone().join(name.schema()).join(name.table())
    }

    /// The URL of `path`, which lies below the root.
    pub fn url_of(&self, path: &Path) -> Url {
        let mut url = self.url.clone();
        let below = path.prefix_match(&self.root).into_iter().flatten();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            for part in below {
                segments.push(part.as_ref());
            }
        }
        url
    }

    /// Proves that this process may write and that a write which must not replace anything does not: without that, two
    /// writers can take the same version of a table and one's rows are lost.
    ///
    /// # Errors
    /// [`StorageError::NoConditionalPut`], or why the probe cannot be written.
    pub async fn probe_conditional_put(&self) -> Result<()> {
        let path = self.root.clone().join("_xiangyun").join("probe").join(Uuid::new_v4().to_string());
        let explain = |error| StorageError::explain("writing a probe", &self.url, error);
        let put = || self.store.put_opts(&path, PutPayload::from_static(b"probe"), PutMode::Create.into());
        put().await.map_err(|error| match error {
            object_store::Error::NotImplemented { .. } => StorageError::NoConditionalPut { url: self.url.to_string() },
            other => explain(other),
        })?;
        let second = put().await;
        self.store.delete(&path).await.map_err(explain)?;
        match second {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(()),
            Ok(_) => Err(StorageError::NoConditionalPut { url: self.url.to_string() }.into()),
            Err(other) => Err(explain(other).into()),
        }
    }
}

fn parse_url(text: &str) -> Result<Url, StorageError> {
    let invalid = |reason: &str| StorageError::InvalidUrl { url: without_password(text), reason: reason.into() };
    let mut url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    match url.scheme() {
        "file" if url.host_str().is_some_and(|host| !host.is_empty()) => {
            return Err(invalid("a local folder has three slashes, as in `file:///data/lake`"));
        }
        "file" => {}
        "s3" if url.host_str().is_none_or(str::is_empty) => return Err(invalid("the bucket is missing")),
        "s3" if !url.username().is_empty() || url.password().is_some() => {
            return Err(invalid("credentials do not belong into the URL"));
        }
        "s3" => {}
        other => return Err(invalid(&format!("`{other}` is neither `file` nor `s3`"))),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a query or a fragment"));
    }
    let path = url.path().trim_end_matches('/').to_string();
    url.set_path(&path);
    Ok(url)
}

/// `text` without what stands between `//` and `@`.
fn without_password(text: &str) -> String {
    match (text.find("//"), text.rfind('@')) {
        (Some(start), Some(at)) if start + 2 < at => format!("{}{}", &text[..start + 2], &text[at + 1..]),
        _ => text.into(),
    }
}

fn turns_of(url: &Url, endpoint: Option<&str>) -> PathBuf {
    let digest = Sha256::digest(format!("{} {url}", endpoint.unwrap_or_default()));
    let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    std::env::temp_dir().join("xiangyun.turns").join(name)
}

fn folder_of(url: &Url) -> Result<PathBuf, StorageError> {
    url.to_file_path().map_err(|()| StorageError::InvalidUrl {
        url: url.to_string(),
        reason: "it names no folder on this machine".into(),
    })
}

fn root_of(url: &Url) -> Result<Path, StorageError> {
    Path::from_url_path(url.path())
        .map_err(|error| StorageError::InvalidUrl { url: url.to_string(), reason: error.to_string() })
}
