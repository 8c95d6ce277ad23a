//! Objects of an S3-compatible store.

use std::io::Write;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use glob::Pattern;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::{MATCHING, Place, SourceFile, bad_path, is_hidden, shown};
use crate::connection::Tls;
use crate::source::file::content::Spool;
use crate::source::{SourceContext, SourceError};

/// Objects that are fetched at the same time.
const FETCHES: usize = 8;

/// Fetches the objects that `place` means, in the order of their names: one object, those that match a pattern, or all
/// below a prefix. The store's client retries what can be retried and goes on where a transfer broke.
pub(super) async fn fetch(context: &SourceContext, place: &Place<'_>) -> Result<Vec<SourceFile>, SourceError> {
    let (store, objects) = find(context, place).await?;
    let failed = |source| SourceError::Spool { path: shown(&place.url), source };
    let spool = Spool::new().map_err(failed)?;
    let bucket = place.url.host_str().unwrap_or_default();
    let fetches = objects.into_iter().map(|object| fetch_one(&store, bucket, object, &spool));
    futures::stream::iter(fetches).buffered(FETCHES).try_collect().await
}

/// What tells whether the objects have changed; none where there are none.
pub(super) async fn fingerprint(context: &SourceContext, place: &Place<'_>) -> Result<Option<String>, SourceError> {
    match find(context, place).await {
        Ok((_, objects)) => {
            let line = |object: &ObjectMeta| {
                let tag = object.e_tag.as_deref().unwrap_or_default();
                format!("{}\n{}\n{}\n{tag}\n", object.location, object.size, object.last_modified)
            };
            Ok(Some(objects.iter().map(line).collect()))
        }
        Err(SourceError::NoMatch { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find(context: &SourceContext, place: &Place<'_>) -> Result<(AmazonS3, Vec<ObjectMeta>), SourceError> {
    let name = shown(&place.url);
    let store = open(context, place)?;
    if place.url.query().is_some() || place.url.fragment().is_some() {
        return Err(bad_path(&name, "`?` and `#` mean nothing in the name of an object; use `*`"));
    }
    let key = place.url.path().trim_matches('/');
    let key = Path::from_url_path(key).map_err(|error| bad_path(&name, &error.to_string()))?;
    let key = key.as_ref().to_owned();
    let pattern = key.contains(['*', '?', '[']).then(|| Pattern::new(&key)).transpose();
    let pattern = pattern.map_err(|error| bad_path(&name, error.msg))?;
    let fixed = |part: &&str| !part.contains(['*', '?', '[']);
    let folder = key.split('/').take_while(fixed).collect::<Vec<_>>().join("/");
    let folder = Path::parse(folder).map_err(|error| bad_path(&name, &error.to_string()))?;
    let explain = |source: object_store::Error| SourceError::Remote { path: name.clone(), source: source.into() };
    if pattern.is_none() {
        match store.head(&folder).await {
            Ok(object) => return Ok((store, vec![object])),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(explain(error)),
        }
    }
    let prefix = (!folder.as_ref().is_empty()).then_some(&folder);
    let mut objects: Vec<_> = store.list(prefix).try_collect().await.map_err(explain)?;
    objects.retain(|object| match &pattern {
        Some(pattern) => pattern.matches_with(object.location.as_ref(), MATCHING),
        None => !is_hidden(object.location.as_ref().strip_prefix(key.as_str()).unwrap_or_default()),
    });
    objects.sort_by(|one, other| one.location.cmp(&other.location));
    if objects.is_empty() {
        return Err(SourceError::NoMatch { pattern: name });
    }
    Ok((store, objects))
}

fn open(context: &SourceContext, place: &Place<'_>) -> Result<AmazonS3, SourceError> {
    let name = shown(&place.url);
    let Some(connection) = place.connection else { return Err(SourceError::NeedsConnection { path: name }) };
    let bucket = place.url.host_str().unwrap_or_default();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(connection.region.as_deref().unwrap_or("us-east-1"))
        .with_allow_http(connection.tls == Tls::Off);
    if let Some(endpoint) = &connection.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = match (&connection.user, context.connections.secret_of(connection)?) {
        (Some(user), Some(secret)) => builder.with_access_key_id(user).with_secret_access_key(secret.expose()),
        // A public bucket.
        _ => builder.with_skip_signature(true),
    };
    builder.build().map_err(|source| SourceError::Remote { path: name, source: source.into() })
}

async fn fetch_one(
    store: &AmazonS3,
    bucket: &str,
    object: ObjectMeta,
    spool: &Arc<Spool>,
) -> Result<SourceFile, SourceError> {
    let name = format!("s3://{bucket}/{}", object.location);
    let explain = |source: object_store::Error| SourceError::Remote { path: name.clone(), source: source.into() };
    let failed = |source| SourceError::Spool { path: name.clone(), source };
    let (mut file, path) = spool.create().map_err(failed)?;
    let mut stream = store.get(&object.location).await.map_err(explain)?.into_stream();
    let mut bytes = 0;
    while let Some(piece) = stream.try_next().await.map_err(explain)? {
        file.write_all(&piece).map_err(failed)?;
        bytes += piece.len() as u64;
    }
    if bytes != object.size {
        return Err(SourceError::Changed { path: name });
    }
    Ok(SourceFile::fetched(path, name, spool))
}
