//! A set of keys that goes to disk where it grows, so that memory does not grow with a load.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use parquet::bloom_filter::Sbbf;

use crate::source::Spool;

/// Bytes of a key.
const KEY_BYTES: usize = size_of::<u128>();

/// Keys in memory: just as many as fit in the shards before these would double, some 130 MB.
const ROOM: usize = 6_000_000;

/// Sets among which the keys in memory are spread by their highest bits: a set that grows is moved within the
/// processor's caches, and what is needed for that is a small part of the whole.
const SHARDS: usize = 256;

/// Slots of a shard's first table.
const LEAST_SLOTS: usize = 16;

/// A slot without a key.
const FREE: u128 = 0;

/// Keys that are read from disk together: four kibibytes.
const BLOCK_KEYS: usize = 256;

/// Share of the keys that were never there for which the disk is asked all the same.
const FALSE_POSITIVES: f64 = 0.01;

/// A level has room for twice the runs of the one before it, up to this many doublings: then a filter is as large as
/// they get.
const DOUBLINGS: usize = 3;

/// Keys of 128 bits that are hashes already. Of any number of them, memory holds the last [`ROOM`] and about two bytes
/// for each other one.
pub(super) struct Keys {
    recent: Vec<Shard>,
    recent_keys: usize,
    room: usize,
    levels: Vec<Level>,
    /// Where runs are written; none before the first.
    spool: Option<Arc<Spool>>,
}

/// Keys in memory, each in the first free slot from the one that its lowest bits name. A look-up touches one line of
/// the processor's cache, in which the key would be put, and nothing else.
#[derive(Default)]
struct Shard {
    /// A power of two of them, or none; [`FREE`] where there is no key.
    slots: Vec<u128>,
    keys: usize,
}

/// Runs that share a filter.
struct Level {
    filter: Sbbf,
    runs: Vec<SortedRun>,
    room: usize,
}

/// Sorted keys on disk.
struct SortedRun {
    file: File,
    keys: usize,
    /// The first key of each block.
    firsts: Vec<u128>,
}

impl std::fmt::Debug for Keys {
    /// Without the keys, which nobody should learn.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("in_memory", &self.recent_keys).finish_non_exhaustive()
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Keys {
    fn with_room(room: usize) -> Self {
        let recent = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { recent, recent_keys: 0, room, levels: Vec::new(), spool: None }
    }

    /// Takes a key in; false where it was there.
    ///
    /// # Errors
    /// Where the disk for temporary files fails, or is full.
    pub(super) fn insert(&mut self, key: u128) -> io::Result<bool> {
        let key = taken(key);
        if self.is_on_disk(key)? || !self.recent[shard_of(key)].insert(key) {
            return Ok(false);
        }
        self.recent_keys += 1;
        if self.recent_keys == self.room {
            self.spill()?;
        }
        Ok(true)
    }

    /// Brings what the next [`Self::insert`] of each of `keys` needs close to the processor. Nothing here depends on what
    /// is read, so that it waits for memory once for many keys.
    pub(super) fn expect(&self, keys: &[u128]) {
        let at_hand = keys.iter().fold(0, |at_hand, key| {
            let key = taken(*key);
            at_hand ^ self.recent[shard_of(key)].first(key)
        });
        std::hint::black_box(at_hand);
    }

    fn is_on_disk(&self, key: u128) -> io::Result<bool> {
        for level in self.levels.iter().filter(|level| level.filter.check(&key.to_ne_bytes()[..])) {
            for run in &level.runs {
                if run.contains(key)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.levels.last().is_none_or(|level| level.runs.len() == level.room) {
            let room = 1 << self.levels.len().min(DOUBLINGS);
            let filter =
                Sbbf::new_with_ndv_fpp((room * self.room) as u64, FALSE_POSITIVES).map_err(io::Error::other)?;
            self.levels.push(Level { filter, runs: Vec::with_capacity(room), room });
        }
        let spool = match &self.spool {
            Some(spool) => Arc::clone(spool),
            None => Arc::clone(self.spool.insert(Spool::new()?)),
        };
        let (file, _) = spool.create()?;
        let mut writer = BufWriter::new(file);
        let (mut firsts, mut keys, mut sorted) = (Vec::new(), 0, Vec::new());
        let level = self.levels.last_mut().expect("one was there, or was added");
        for shard in &mut self.recent {
            // Shards follow each other as their keys do. They keep their room.
            sorted.extend(shard.slots.iter().copied().filter(|key| *key != FREE));
            shard.clear();
            sorted.sort_unstable();
            for key in sorted.drain(..) {
                if keys % BLOCK_KEYS == 0 {
                    firsts.push(key);
                }
                keys += 1;
                level.filter.insert(&key.to_ne_bytes()[..]);
                writer.write_all(&key.to_ne_bytes())?;
            }
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        level.runs.push(SortedRun { file, keys, firsts });
        self.recent_keys = 0;
        Ok(())
    }
}

impl SortedRun {
    fn contains(&self, key: u128) -> io::Result<bool> {
        let Some(block) = self.firsts.partition_point(|first| *first <= key).checked_sub(1) else { return Ok(false) };
        let from = block * BLOCK_KEYS;
        let mut bytes = vec![0; (self.keys - from).min(BLOCK_KEYS) * KEY_BYTES];
        let mut file = &self.file;
        file.seek(SeekFrom::Start((from * KEY_BYTES) as u64))?;
        file.read_exact(&mut bytes)?;
        let (keys, _) = bytes.as_chunks::<KEY_BYTES>();
        Ok(keys.binary_search_by_key(&key, |bytes| u128::from_ne_bytes(*bytes)).is_ok())
    }
}

fn shard_of(key: u128) -> usize {
    (key >> (u128::BITS - SHARDS.ilog2())) as usize
}

/// What stands for a key: [`FREE`] is none. That two become one is as likely as that two texts have one hash.
fn taken(key: u128) -> u128 {
    if key == FREE { !FREE } else { key }
}

impl Shard {
    /// What is in the slot at which the search for a key begins.
    fn first(&self, key: u128) -> u128 {
        self.slots.get(key as usize & self.slots.len().wrapping_sub(1)).copied().unwrap_or(FREE)
    }

    /// Takes a key in; false where it was there.
    fn insert(&mut self, key: u128) -> bool {
        if self.keys * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let slot = self.slot(key);
        let is_new = self.slots[slot] == FREE;
        self.slots[slot] = key;
        self.keys += usize::from(is_new);
        is_new
    }

    /// Where a key is, or would be put. A quarter of the slots is free.
    fn slot(&self, key: u128) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = key as usize & mask;
        while self.slots[slot] != key && self.slots[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let room = (self.slots.len() * 2).max(LEAST_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![FREE; room]);
        for key in before.into_iter().filter(|key| *key != FREE) {
            let slot = self.slot(key);
            self.slots[slot] = key;
        }
    }

    /// Empties it and keeps its room.
    fn clear(&mut self) {
        self.slots.fill(FREE);
        self.keys = 0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use siphasher::sip128::SipHasher13;

    use super::*;

    #[test]
    fn keys_on_disk_count_as_those_in_memory() {
        let hasher = SipHasher13::new();
        let key = |number: u64| hasher.hash(&number.to_le_bytes()).as_u128();
        // Thirty runs, of which the last block is not full, over six levels.
        let mut keys = Keys::with_room(1_000);
        for number in 0..30_100 {
            assert!(keys.insert(key(number)).unwrap(), "{number}");
            // One that just came, one from long ago.
            assert!(!keys.insert(key(number)).unwrap(), "{number}");
            assert!(!keys.insert(key(number / 7)).unwrap(), "{number}");
        }
        assert_eq!(keys.recent_keys, 100);
        assert_eq!(keys.levels.iter().map(|level| level.runs.len()).collect::<Vec<_>>(), [1, 2, 4, 8, 8, 7]);
        assert!((0..30_100).all(|number| !keys.insert(key(number)).unwrap()));
        assert!(keys.insert(key(40_000)).unwrap());
        assert!([0, u128::MAX - 1].into_iter().all(|end| keys.insert(end).unwrap() && !keys.insert(end).unwrap()));
    }
}
