//! The right to do something alone, kept on the object store.
//!
//! A lease is a row of numbered objects, of which the last counts. Taking a lease means creating the next number, which
//! a store lets one writer do only (it is the same conditional put that commits rest on, so every store that can hold
//! a lake can hold leases). The holder rewrites its own number to say that it still lives; one who finds the last number
//! expired or given back may create the next. The number is what tells an old holder that it was taken for dead.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use xiangyun_engine::Result;
use xiangyun_engine::clock::Clock;
use xiangyun_engine::storage::{Storage, StorageError};

/// Leases of one lake, taken in the name of one process.
#[derive(Debug, Clone)]
pub struct Leases {
    storage: Storage,
    clock: Arc<dyn Clock>,
    holder: String,
    /// How long a lease holds without a sign of life.
    holds: Duration,
}

/// A lease that is held.
#[derive(Debug)]
pub struct Lease {
    leases: Leases,
    folder: Path,
    number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    /// Who holds it, for people.
    holder: String,
    /// Until when, unless it is renewed; in the past once it was given back.
    until: DateTime<Utc>,
}

impl Leases {
    /// Leases that hold for `holds` without a sign of life. `holder` names the process to people.
    pub fn new(storage: Storage, clock: Arc<dyn Clock>, holder: String, holds: Duration) -> Self {
        Self { storage, clock, holder, holds }
    }

    /// How long a lease holds without being renewed.
    pub fn holds(&self) -> Duration {
        self.holds
    }

    /// Takes the lease called `name`, unless somebody else holds it.
    pub async fn try_take(&self, name: &str) -> Result<Option<Lease>> {
        let folder = self.storage.root.clone().join("_xiangyun").join("leases").join(name);
        let numbers = self.numbers(&folder).await?;
        if let Some(last) = numbers.last() {
            match self.read(&object(&folder, *last)).await? {
                Some(held) if held.until > self.clock.now() => return Ok(None),
                _ => {}
            }
        }
        let number = numbers.last().map_or(1, |last| last + 1);
        let path = object(&folder, number);
        match self.storage.store.put_opts(&path, self.held()?, PutMode::Create.into()).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return Ok(None),
            Err(error) => return Err(self.failed("taking", error)),
        }
        // Numbers before the one that was just passed mean nothing to anybody.
        for old in numbers.iter().rev().skip(1) {
            let _ = self.storage.store.delete(&object(&folder, *old)).await;
        }
        Ok(Some(Lease { leases: self.clone(), folder, number }))
    }

    /// A pipeline's lease that somebody holds now, with who it is. Those of what only looks, whose names begin with `_`, hold
    /// no files of tables.
    pub(crate) async fn any_held(&self) -> Result<Option<(String, String)>> {
        let folder = self.storage.root.clone().join("_xiangyun").join("leases");
        let found = self.storage.store.list_with_delimiter(Some(&folder)).await;
        let found = found.map_err(|error| self.failed("looking for", error))?;
        let of_pipeline = |lease: &Path| lease.filename().is_some_and(|name| !name.starts_with('_'));
        for lease in found.common_prefixes.into_iter().filter(of_pipeline) {
            let Some(last) = self.numbers(&lease).await?.last().copied() else { continue };
            if let Some(held) = self.read(&object(&lease, last)).await?
                && held.until > self.clock.now()
            {
                return Ok(Some((lease.filename().unwrap_or_default().to_owned(), held.holder)));
            }
        }
        Ok(None)
    }

    async fn numbers(&self, folder: &Path) -> Result<Vec<u64>> {
        let objects: Vec<_> = self
            .storage
            .store
            .list(Some(folder))
            .try_collect()
            .await
            .map_err(|error| self.failed("looking for", error))?;
        let number = |name: &str| name.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = objects.iter().filter_map(|object| number(object.location.filename()?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Who holds the lease; none where the object is gone or was cut off while it was written.
    async fn read(&self, path: &Path) -> Result<Option<Held>> {
        match self.storage.store.get(path).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(|error| self.failed("reading", error))?;
                Ok(serde_json::from_slice(&bytes).ok())
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("reading", error)),
        }
    }

    fn held(&self) -> Result<PutPayload> {
        let holds = TimeDelta::from_std(self.holds).unwrap_or(TimeDelta::MAX);
        self.payload(self.clock.now() + holds)
    }

    fn payload(&self, until: DateTime<Utc>) -> Result<PutPayload> {
        let held = Held { holder: self.holder.clone(), until };
        let text = serde_json::to_vec(&held).map_err(|error| {
            xiangyun_engine::Error::new(xiangyun_engine::ErrorKind::Internal, "a lease cannot be written down")
                .with_source(error)
        })?;
        Ok(PutPayload::from(text))
    }

    fn failed(&self, verb: &str, error: object_store::Error) -> xiangyun_engine::Error {
        StorageError::explain(format!("{verb} a lease"), &self.storage.url, error).into()
    }
}

impl Lease {
    /// Says that the holder still lives. False where somebody else has taken the lease since.
    pub async fn renew(&self) -> Result<bool> {
        if !self.is_last().await? {
            return Ok(false);
        }
        self.put(self.leases.held()?).await?;
        // Somebody who found it expired a moment before it was renewed holds the next number now.
        self.is_last().await
    }

    /// Does `work` and renews the lease meanwhile. None where somebody else has taken it; then the work is dropped.
    pub async fn while_held<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let every = self.leases.holds() / 3;
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                () = tokio::time::sleep(every) => match self.renew().await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    // The store is out of reach; as long as the lease holds, nobody else is at it.
                    Err(error) => {
                        tracing::warn!(lease = %self.folder, error = %error.chain(), "the lease was not renewed");
                    }
                },
            }
        }
    }

    /// Gives the lease back.
    pub async fn give_back(self) -> Result<()> {
        self.put(self.leases.payload(DateTime::<Utc>::UNIX_EPOCH)?).await
    }

    async fn is_last(&self) -> Result<bool> {
        Ok(self.leases.numbers(&self.folder).await?.last() == Some(&self.number))
    }

    async fn put(&self, payload: PutPayload) -> Result<()> {
        let put = self.leases.storage.store.put(&object(&self.folder, self.number), payload).await;
        put.map(|_| ()).map_err(|error| self.leases.failed("renewing", error))
    }
}

fn object(folder: &Path, number: u64) -> Path {
    folder.clone().join(format!("{number:012}.json"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::sync::Mutex;

    use xiangyun_engine::storage::StorageOptions;

    use super::*;

    #[derive(Debug)]
    struct SetClock(Mutex<DateTime<Utc>>);

    impl Clock for SetClock {
        fn now(&self) -> DateTime<Utc> {
            *self.0.lock().unwrap()
        }
    }

    async fn two() -> (tempfile::TempDir, Arc<SetClock>, Leases, Leases) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let storage = Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap();
        let clock = Arc::new(SetClock(Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000))));
        let leases = |name: &str| Leases::new(storage.clone(), clock.clone(), name.into(), Duration::from_secs(60));
        let (a, b) = (leases("a"), leases("b"));
        (folder, clock, a, b)
    }

    #[tokio::test]
    async fn one_holds_it_until_it_is_given_back_or_expires() {
        let (_folder, clock, a, b) = two().await;
        let first = a.try_take("job").await.unwrap().unwrap();
        assert!(b.try_take("job").await.unwrap().is_none());
        assert!(b.try_take("other").await.unwrap().is_some());
        assert!(first.renew().await.unwrap());
        first.give_back().await.unwrap();
        let second = b.try_take("job").await.unwrap().unwrap();
        *clock.0.lock().unwrap() += TimeDelta::seconds(59);
        assert!(a.try_take("job").await.unwrap().is_none());
        assert!(second.renew().await.unwrap());
        *clock.0.lock().unwrap() += TimeDelta::seconds(61);
        let third = a.try_take("job").await.unwrap().unwrap();
        assert!(!second.renew().await.unwrap(), "it was taken for dead");
        assert!(third.renew().await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_one_gets_it() {
        let (_folder, _clock, a, _) = two().await;
        for round in 0..20 {
            let name = format!("job-{round}");
            let tries: Vec<_> = (0..8)
                .map(|_| {
                    let (leases, name) = (a.clone(), name.clone());
                    tokio::spawn(async move { leases.try_take(&name).await.unwrap() })
                })
                .collect();
            let mut taken = 0;
            for attempt in tries {
                taken += usize::from(attempt.await.unwrap().is_some());
            }
            assert_eq!(taken, 1);
        }
    }
}
