//! The different texts of a column, each with its code.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a text's length before it, in Parquet's plain encoding.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Slots of a new table.
const SLOTS: usize = 1 << 10;

/// In the place of a code.
const NONE: u32 = u32::MAX;

/// Texts in the order in which they came first, which is that of their codes. They are held as the dictionary's page
/// has them: each behind its length.
#[derive(Debug)]
pub(super) struct Dictionary {
    page: Vec<u8>,
    /// Where each begins, and behind them where the page ends.
    starts: Vec<u32>,
    /// A power of two of them, at least twice as many as there are texts: the high half of a text's hash and its code
    /// plus one, or 0.
    slots: Vec<u64>,
    /// Drawn for each column: nobody can make a file whose texts all fall together.
    seed: u64,
    /// Room for those of the texts that are looked up.
    hashes: Vec<u64>,
}

impl Default for Dictionary {
    fn default() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { page: Vec::new(), starts: vec![0], slots: vec![0; SLOTS], seed, hashes: Vec::new() }
    }
}

impl Dictionary {
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Bytes of all texts and their lengths.
    pub(super) fn bytes(&self) -> usize {
        self.page.len()
    }

    /// The text of a code that [`Self::code`] gave.
    pub(super) fn text(&self, code: u32) -> &[u8] {
        let code = code as usize;
        &self.page[self.starts[code] as usize + LENGTH_BYTES..self.starts[code + 1] as usize]
    }

    /// All texts in the order of their codes.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|code| self.text(code))
    }

    /// All texts in Parquet's plain encoding.
    pub(super) fn into_page(self) -> Vec<u8> {
        self.page
    }

    /// Appends the codes of `texts`. Whoever adds long ones must stop before all of them have 4 GiB.
    ///
    /// Look-ups in a large dictionary wait for memory, and only without other work between them do they wait together:
    /// all hashes first, then a look for all codes, then the texts that these have.
    pub(super) fn codes<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]> + Clone, codes: &mut Vec<u32>) {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(texts.clone().map(|text| xxh3_64_with_seed(text, self.seed)));
        let from = codes.len();
        codes.extend(hashes.iter().map(|hash| self.likely(*hash)));
        for ((text, hash), code) in texts.zip(&hashes).zip(&mut codes[from..]) {
            if *code == NONE || self.text(*code) != text {
                *code = self.code(text, *hash);
            }
        }
        self.hashes = hashes;
    }

    /// The code of a text that most likely has this hash.
    fn likely(&self, hash: u64) -> u32 {
        let mut slot = self.slot_of(hash);
        loop {
            match self.slots[slot] {
                0 => return NONE,
                held if held >> 32 == hash >> 32 => return held as u32 - 1,
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// The code of a text, which gets one if it has none.
    fn code(&mut self, text: &[u8], hash: u64) -> u32 {
        let mut slot = self.slot_of(hash);
        loop {
            match self.slots[slot] {
                0 => break,
                held if held >> 32 == hash >> 32 && self.text(held as u32 - 1) == text => return held as u32 - 1,
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        let code = self.len() as u32;
        self.slots[slot] = hash >> 32 << 32 | u64::from(code + 1);
        self.page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.page.extend_from_slice(text);
        self.starts.push(self.page.len() as u32);
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn slot_of(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for code in 0..self.len() as u32 {
            let hash = xxh3_64_with_seed(self.text(code), self.seed);
            let mut slot = self.slot_of(hash);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = hash >> 32 << 32 | u64::from(code + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_code() {
        let mut dictionary = Dictionary::default();
        let texts: Vec<String> = (0..5_000).map(|number| format!("{:0width$}", number, width = number % 50)).collect();
        let of = |dictionary: &mut Dictionary, texts: &[String]| {
            let mut codes = vec![7];
            dictionary.codes(texts.iter().map(String::as_bytes), &mut codes);
            assert_eq!(codes.remove(0), 7, "what was there remains");
            codes
        };
        // Some come twice at once, some later.
        let twice: Vec<String> = texts.iter().flat_map(|text| [text.clone(), text.clone()]).collect();
        let codes = of(&mut dictionary, &twice[..3_000]);
        let later = of(&mut dictionary, &texts);
        assert!(codes.iter().enumerate().all(|(at, code)| later[at / 2] == *code));
        assert!(texts.iter().zip(&later).all(|(text, code)| dictionary.text(*code) == text.as_bytes()));
        assert_eq!(of(&mut dictionary, &texts), later);
        let different: std::collections::BTreeSet<_> = texts.iter().collect();
        assert_eq!(dictionary.len(), different.len());
        assert_eq!(dictionary.texts().count(), different.len());
        assert_eq!(of(&mut dictionary, &[String::new()]), [dictionary.len() as u32 - 1]);
        assert!(dictionary.into_page().starts_with(&[1, 0, 0, 0, b'0', 1, 0, 0, 0, b'1', 2, 0, 0, 0, b'0', b'2']));
    }
}
