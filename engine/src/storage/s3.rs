//! S3 and what speaks like it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::{StorageError, StorageOptions};

/// How long one request is tried again: long enough for a restart of the service, short enough to still be waited for.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RETRIES: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the bucket of `url`. Without a key the machine's own role is asked for, as on a cloud's virtual machine.
pub(super) fn open(url: &Url, options: &StorageOptions) -> Result<Arc<dyn ObjectStore>, StorageError> {
    let client = ClientOptions::new().with_allow_http(options.allow_http).with_connect_timeout(CONNECT_TIMEOUT);
    let retry =
        RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, backoff: BackoffConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &options.endpoint {
        if endpoint.starts_with("http://") && !options.allow_http {
            return Err(StorageError::InvalidUrl {
                url: endpoint.clone(),
                reason: "plain HTTP is off; set `storage.allow_http = true` for an endpoint in a closed network".into(),
            });
        }
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &options.access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    let store = builder.build().map_err(|error| StorageError::explain("opening the lake", url, error))?;
    Ok(Arc::new(store))
}
