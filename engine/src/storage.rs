//! The object store that holds the lake: opened from one URL.

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

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
}

impl Storage {
    /// Opens the store and checks that it can be reached; local files are written durably.
    pub async fn open(options: &StorageOptions) -> Result<Self> {
        let _ = options;
        unimplemented!()
    }

    /// Folder of a table: `<root>/<schema>/<table>`.
    pub fn table_path(&self, name: &TableName) -> Path {
        self.root.clone().join(name.schema()).join(name.table())
    }
}
