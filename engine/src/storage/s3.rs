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

/// Half a pair of credentials.
fn half(set: &'static str, missing: &'static str) -> StorageError {
    StorageError::HalfCredentials { set, missing }
}

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
    match (&options.access_key_id, &options.secret_access_key) {
        (Some(key), Some(secret)) => builder = builder.with_access_key_id(key).with_secret_access_key(secret),
        (None, None) => {}
        // The library would ask for the machine's role instead, and that may be another one's.
        (Some(_), None) => return Err(half("access_key_id", "secret_access_key")),
        (None, Some(_)) => return Err(half("secret_access_key", "access_key_id")),
    }
    let store = builder.build().map_err(|error| StorageError::explain("opening the lake", url, error))?;
    Ok(Arc::new(store))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::error::{Classify, ErrorKind};

    #[test]
    fn half_of_the_credentials_is_an_error_that_names_the_other_half() {
        let url = Url::parse("s3://lake/root").unwrap();
        let with = |key: Option<&str>, secret: Option<&str>| {
            let (access_key_id, secret_access_key) = (key.map(str::to_owned), secret.map(str::to_owned));
            let region = Some("cn-northeast-1".to_owned());
            open(&url, &StorageOptions { access_key_id, secret_access_key, region, ..StorageOptions::default() })
        };
        for (key, secret, message, missing) in [
            (
                Some("key"),
                None,
                "`storage.access_key_id` is set and `storage.secret_access_key` is not",
                "set `storage.secret_access_key` too",
            ),
            (
                None,
                Some("geheim"),
                "`storage.secret_access_key` is set and `storage.access_key_id` is not",
                "set `storage.access_key_id` too",
            ),
        ] {
            let error = with(key, secret).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, message));
            assert!(error.hint().unwrap().starts_with(missing), "{:?}", error.hint());
        }
        assert!(with(Some("key"), Some("geheim")).is_ok());
        assert!(with(None, None).is_ok());
    }
}
