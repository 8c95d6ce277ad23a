//! Writing down what is known of an alert.

use object_store::{ObjectStoreExt, PutMode, PutPayload};
use xiangyun_engine::alert::StoredAlert;
use xiangyun_engine::storage::{Storage, StorageError};
use xiangyun_engine::{Error, ErrorKind, Result};

/// States of one alert that are kept: the last, and the one before it in case the last cannot be read.
const KEPT: usize = 2;

/// Writes `stored` under the next number. False where another process has written since it was read: this one was taken
/// for dead, and nothing of it counts.
pub(super) async fn write(storage: &Storage, name: &str, stored: &mut StoredAlert) -> Result<bool> {
    let text = serde_json::to_vec(&stored.state).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("the state of alert `{name}` cannot be written down"))
            .with_source(error)
    })?;
    let (folder, number) = (StoredAlert::folder(storage, name), stored.number + 1);
    let path = StoredAlert::object(&folder, number);
    match storage.store.put_opts(&path, PutPayload::from(text), PutMode::Create.into()).await {
        Ok(_) => {}
        Err(object_store::Error::AlreadyExists { .. }) => return Ok(false),
        Err(error) => {
            return Err(StorageError::explain("writing the state of an alert", &storage.url, error).into());
        }
    }
    stored.number = number;
    stored.numbers.push(number);
    while stored.numbers.len() > KEPT {
        // One that is left behind means nothing to anybody, and goes with a later one.
        let _ = storage.store.delete(&StoredAlert::object(&folder, stored.numbers[0])).await;
        stored.numbers.remove(0);
    }
    Ok(true)
}
