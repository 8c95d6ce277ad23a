//! Values of 128 bits → small numbers, the codes, in the order in which they were seen first.

/// Of the places of the table, one in so many is taken at the most: what is looked for is found at the first look.
const SPARSE: usize = 4;
const FIRST_PLACES: usize = 256;
/// No code.
const NONE: u32 = u32::MAX;
/// The golden ratio of 64 bits, which has no pattern that values have.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash table with open addressing. It is for few values: nothing is ever removed but all at once.
#[derive(Debug)]
pub(super) struct Codes {
    places: Vec<(u128, u32)>,
    taken: usize,
}

impl Default for Codes {
    fn default() -> Self {
        Self { places: vec![(0, NONE); FIRST_PLACES], taken: 0 }
    }
}

impl Codes {
    /// The code of `value`, if it has one.
    #[inline]
    pub(super) fn get(&self, value: u128) -> Option<u32> {
        let mask = self.places.len() - 1;
        let mut place = first_place(value) & mask;
        loop {
            let (at, code) = self.places[place];
            if code == NONE {
                return None;
            }
            if at == value {
                return Some(code);
            }
            place = (place + 1) & mask;
        }
    }

    /// Gives a value that has no code this one.
    pub(super) fn insert(&mut self, value: u128, code: u32) {
        if (self.taken + 1) * SPARSE > self.places.len() {
            let wider = vec![(0, NONE); self.places.len() * 2];
            for (value, code) in std::mem::replace(&mut self.places, wider) {
                if code != NONE {
                    self.put(value, code);
                }
            }
        }
        self.put(value, code);
        self.taken += 1;
    }

    fn put(&mut self, value: u128, code: u32) {
        let mask = self.places.len() - 1;
        let mut place = first_place(value) & mask;
        while self.places[place].1 != NONE {
            place = (place + 1) & mask;
        }
        self.places[place] = (value, code);
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        if self.taken > 0 {
            self.places.fill((0, NONE));
            self.taken = 0;
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.places.len() * size_of::<(u128, u32)>()
    }
}

#[inline]
fn first_place(value: u128) -> usize {
    let (low, high) = (value as u64, (value >> 64) as u64);
    // Whichever bits two values differ in, of a product of both halves the upper bits differ, or the lower ones.
    let product = u128::from(low ^ SPREAD) * u128::from(high ^ SPREAD.rotate_left(32));
    (product as u64 ^ (product >> 64) as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_code_while_others_come() {
        let mut codes = Codes::default();
        let values: Vec<u128> = (0..10_000).map(|number: u128| number << 64 | (number * 3) << 20).collect();
        for (code, &value) in values.iter().enumerate() {
            assert_eq!(codes.get(value), None);
            codes.insert(value, code as u32);
        }
        for (code, &value) in values.iter().enumerate() {
            assert_eq!(codes.get(value), Some(code as u32));
        }
        codes.clear();
        assert_eq!(codes.get(values[7]), None);
    }

    #[test]
    fn values_that_differ_in_few_bits_are_spread() {
        for shift in (0..120).step_by(4) {
            let places = (0..64).map(|number: u128| first_place(0x0c ^ number << shift) & (FIRST_PLACES - 1));
            let places: std::collections::HashSet<_> = places.collect();
            assert!(places.len() > 40, "64 values in bits {shift} and up take {} places", places.len());
        }
    }

    #[test]
    fn values_with_one_first_place_are_told_apart() {
        let mut codes = Codes::default();
        let at = first_place(1) & (FIRST_PLACES - 1);
        let same: Vec<u128> = (1..).filter(|value| first_place(*value) & (FIRST_PLACES - 1) == at).take(5).collect();
        for (code, &value) in same.iter().enumerate() {
            codes.insert(value, code as u32);
        }
        for (code, &value) in same.iter().enumerate() {
            assert_eq!(codes.get(value), Some(code as u32));
        }
    }
}
