//! States as they lie in the lake: numbered objects below `_xiangyun/alerts/NAME`, of which the last counts.
//!
//! A state is written by creating the next number, which a store lets one writer do only: who was taken for dead while it
//! worked finds its number taken, and changes nothing.

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::state::AlertState;
use crate::error::Result;
use crate::policy::{self, Principal};
use crate::storage::{Storage, StorageError};

/// A state and the number under which it lies; 0 where there is none yet.
#[derive(Debug, Clone, Default)]
pub struct StoredAlert {
    /// Its number.
    pub number: u64,
    /// The numbers that are there, oldest first.
    pub numbers: Vec<u64>,
    /// What is known.
    pub state: AlertState,
}

impl StoredAlert {
    /// The state of the alert called `name`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn load(storage: &Storage, name: &str) -> Result<Self> {
        let folder = Self::folder(storage, name);
        let failed = |error| StorageError::explain("reading the state of an alert", &storage.url, error);
        let objects: Vec<_> = storage.store.list(Some(&folder)).try_collect().await.map_err(failed)?;
        let number = |name: &str| name.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = objects.iter().filter_map(|object| number(object.location.filename()?)).collect();
        numbers.sort_unstable();
        let last = numbers.last().copied().unwrap_or_default();
        // One that cannot be read is passed over for the one before: an alert that is told of twice is better than none.
        for number in numbers.iter().rev() {
            let bytes = match storage.store.get(&Self::object(&folder, *number)).await {
                Ok(found) => found.bytes().await.map_err(failed)?,
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(failed(error).into()),
            };
            match serde_json::from_slice(&bytes) {
                Ok(state) => return Ok(Self { number: last, numbers, state }),
                Err(error) => tracing::warn!(alert = name, number, %error, "a state of an alert cannot be read"),
            }
        }
        Ok(Self { number: last, numbers, state: AlertState::default() })
    }

    /// What `principal` is told; none where the alert was never evaluated. The figures were asked by the platform itself:
    /// who sees other rows than it does is told of none of them.
    pub(crate) fn told_to(self, principal: &Principal) -> Option<AlertState> {
        let mut state = self.state;
        if policy::scope(principal) != policy::scope(&Principal::system()) {
            state.groups.clear();
            state.history.iter_mut().for_each(|event| (event.group, event.finding) = (None, None));
        }
        state.evaluated_at.is_some().then_some(state)
    }

    /// The folder of the states of the alert called `name`.
    pub fn folder(storage: &Storage, name: &str) -> Path {
        storage.root.clone().join("_xiangyun").join("alerts").join(name)
    }

    /// The object of a number.
    pub fn object(folder: &Path, number: u64) -> Path {
        folder.clone().join(format!("{number:012}.json"))
    }
}
