//! Which pushed requests a table has, by 16 bytes for each and for a time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Days for which a pushed request is known again, counted back from the table's newest commit. Callers repeat what got
/// no answer: within seconds, or when somebody has come back from a weekend.
pub const KEYS_FOR: i64 = 7;

const MILLIS: i64 = KEYS_FOR * 24 * 3600 * 1000;
/// How many commits apart it is noted when they were made.
const SAMPLED: u64 = 100;

/// The pushed requests of a table.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PushedKeys {
    /// The version that has the rows of each.
    versions: HashMap<Key, u64>,
    /// Some versions and when they were made, in milliseconds since 1970; oldest first.
    made: Vec<(u64, i64)>,
    newest: i64,
}

/// The beginning of a SHA-256 of pipeline and name: two that are alike are not to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u128);

impl Key {
    fn of(pipeline: &str, name: &str) -> Self {
        let hash: [u8; 32] =
            Sha256::new().chain_update(pipeline).chain_update("\n").chain_update(name).finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(first))
    }
}

// As text: JSON has neither maps of numbers nor numbers of this size.
impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

impl PushedKeys {
    /// A commit is passed, whatever it holds.
    pub(super) fn pass(&mut self, version: u64, made_at: Option<i64>) {
        let Some(made_at) = made_at else { return };
        // Clocks of writers differ: time does not run backwards for it.
        self.newest = self.newest.max(made_at);
        if self.made.last().is_none_or(|(last, _)| version >= last + SAMPLED) {
            self.made.push((version, self.newest));
        }
    }

    /// The requests called `names` were committed as `version`.
    pub(super) fn insert<'n>(&mut self, pipeline: &str, names: impl Iterator<Item = &'n str>, version: u64) {
        self.versions.extend(names.map(|name| (Key::of(pipeline, name), version)));
    }

    /// The version that has the rows of a request.
    pub(super) fn get(&self, pipeline: &str, name: &str) -> Option<u64> {
        self.versions.get(&Key::of(pipeline, name)).copied()
    }

    /// Forgets requests that are older than [`KEYS_FOR`]. A look costs the number of all; it is taken where something goes.
    pub(super) fn forget(&mut self) {
        let old = self.made.partition_point(|(_, made_at)| *made_at < self.newest - MILLIS);
        // The last of the old ones remains, to tell where the young ones begin.
        let Some(last) = old.checked_sub(1).filter(|last| *last > 0) else { return };
        let (until, _) = self.made[last];
        self.made.drain(..last);
        self.versions.retain(|_, version| *version > until);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_for_a_week_and_memory_does_not_grow_beyond() {
        let hour = 3600 * 1000;
        let (mut keys, mut most) = (PushedKeys::default(), 0);
        // A push a minute for a hundred days.
        for version in 0..144_000_u64 {
            let made_at = version as i64 * hour / 60;
            keys.pass(version, Some(made_at));
            keys.insert("p", [format!("push:a/{version}").as_str()].into_iter(), version);
            keys.forget();
            most = most.max(keys.versions.len() + keys.made.len());
        }
        let week = 7 * 24 * 60;
        assert!(most < week + 3 * SAMPLED as usize, "{most} are kept");
        for back in 0..=week as u64 {
            let version = 143_999 - back;
            assert_eq!(keys.get("p", &format!("push:a/{version}")), Some(version));
        }
        assert_eq!(keys.get("p", "push:a/100"), None);
        assert_eq!(keys.get("q", "push:a/143999"), None, "another pipeline's request is another one");
        let text = serde_json::to_vec(&keys).unwrap();
        assert_eq!(serde_json::from_slice::<PushedKeys>(&text).unwrap(), keys);
    }
}
