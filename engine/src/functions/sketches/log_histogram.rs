//! A histogram of logarithmic buckets: which value stands at any rank, within one percent of it.
//!
//! After DDSketch (Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error
//! guarantees", VLDB 2019). A bucket reaches from its bound to 1.02 times its bound, so that one number stands for all of
//! its values with a relative error of 0.02 / 2.02 at the most. The buckets are fixed: a value's depends on nothing but
//! the value, and none is ever joined with another. So a histogram of a whole is the sum of those of its parts, and the
//! bounds are made by multiplication alone, which gives the same on every machine.
//!
//! There are 4,096 buckets for values above zero and as many for those below. What is less than 1e-12 either way counts
//! as zero, and what is more than 1.6e23 counts into the last bucket. The least and the greatest value are kept as they are.

use super::sketch::{InvalidSketch, Sketch};

/// Buckets on either side of zero.
const BUCKETS: usize = 4_096;
/// The bound of the first bucket.
const SMALLEST: f64 = 1e-12;
/// The bound of a bucket over that of the one before it.
const GROWTH: f64 = 1.02;
/// Natural logarithm of [`GROWTH`].
const LN_GROWTH: f64 = 0.019_802_627_296_179_73;
/// Key of the bucket of the farthest values below zero.
const LEAST_KEY: i16 = -(BUCKETS as i16);

/// First byte of a written sketch. Raised when the bytes, or the buckets, change.
const VERSION: u8 = 1;
/// What it is a sketch of.
const OF: &str = "values by their size";

/// The least value of each bucket.
static BOUNDS: [f64; BUCKETS] = bounds();

const fn bounds() -> [f64; BUCKETS] {
    let mut bounds = [SMALLEST; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        bounds[at] = bounds[at - 1] * GROWTH;
        at += 1;
    }
    bounds
}

/// A sketch of values by their size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogHistogram {
    /// How many values each bucket has, of those that have any, from the least values to the greatest. The key is zero
    /// for the bucket around zero, the bucket's number from one on for values above, and its negative for values below.
    buckets: Vec<(i16, u64)>,
    /// Of no meaning where there are no values.
    least: f64,
    greatest: f64,
}

impl LogHistogram {
    /// Adds `value`; one that is infinite or no number has no size, and does not count.
    pub fn insert(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        // Both zeros are one value.
        let value = value + 0.0;
        let is_first = self.buckets.is_empty();
        self.least = if is_first { value } else { self.least.min(value) };
        self.greatest = if is_first { value } else { self.greatest.max(value) };
        let key = key_of(value);
        match self.buckets.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(1),
            Err(at) => self.buckets.insert(at, (key, 1)),
        }
    }

    /// How many values were added.
    pub fn count(&self) -> u128 {
        self.buckets.iter().map(|(_, count)| u128::from(*count)).sum()
    }

    /// About the value below which `share` of the values lie; none of no values. As of `percentile_cont`, the least value
    /// stands at 0, the greatest at 1, the others at equal distances, and between two of them it is interpolated. A share
    /// beyond either end is that end.
    pub fn estimate(&self, share: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let place = share.clamp(0.0, 1.0) * last as f64;
        let rank = (place as u128).min(last);
        let part = place.fract();
        let below = self.at_rank(rank, last);
        if part == 0.0 || rank == last {
            return Some(below);
        }
        let above = self.at_rank(rank + 1, last);
        // Rounding leads beyond neither.
        Some((below * (1.0 - part) + above * part).clamp(below, above))
    }

    /// About the value with `rank` values before it, of those up to the rank `last`.
    fn at_rank(&self, rank: u128, last: u128) -> f64 {
        if rank == 0 {
            return self.least;
        }
        let mut before = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            before += u128::from(*count);
            before > rank
        });
        match bucket {
            Some((key, _)) if rank < last => middle_of(*key).clamp(self.least, self.greatest),
            _ => self.greatest,
        }
    }
}

/// As bytes it is its version, the least and the greatest value, and of each bucket how far its key lies behind the one
/// before, and its count. A sketch of no values is its version alone.
impl Sketch for LogHistogram {
    fn merge(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        let mut merged = Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let (mut own, mut others) = (self.buckets.as_slice(), other.buckets.as_slice());
        while let ([(key, count), own_rest @ ..], [(other_key, other_count), others_rest @ ..]) = (own, others) {
            if key < other_key {
                merged.push((*key, *count));
                own = own_rest;
            } else if key > other_key {
                merged.push((*other_key, *other_count));
                others = others_rest;
            } else {
                // No table has so many rows; bytes that say so add up to the same in any order.
                merged.push((*key, count.saturating_add(*other_count)));
                (own, others) = (own_rest, others_rest);
            }
        }
        merged.extend_from_slice(own);
        merged.extend_from_slice(others);
        self.buckets = merged;
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        if self.buckets.is_empty() {
            return bytes;
        }
        bytes.extend(self.least.to_be_bytes());
        bytes.extend(self.greatest.to_be_bytes());
        let mut before = LEAST_KEY - 1;
        for (key, count) in &self.buckets {
            write_number(u64::from(key.abs_diff(before)), &mut bytes);
            write_number(*count, &mut bytes);
            before = *key;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSketch> {
        match bytes {
            [VERSION] => Ok(Self::default()),
            [VERSION, values @ ..] => read(values).ok_or(InvalidSketch::Damaged(OF)),
            [found, ..] => Err(InvalidSketch::Version { found: *found, known: VERSION }),
            [] => Err(InvalidSketch::Damaged(OF)),
        }
    }

    fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(i16, u64)>()
    }

    fn is_missing(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// What stands behind the version of a sketch of some values.
fn read(bytes: &[u8]) -> Option<LogHistogram> {
    let (least, bytes) = bytes.split_first_chunk()?;
    let (greatest, mut bytes) = bytes.split_first_chunk()?;
    let (least, greatest) = (f64::from_be_bytes(*least), f64::from_be_bytes(*greatest));
    let (mut buckets, mut before) = (Vec::new(), LEAST_KEY - 1);
    while !bytes.is_empty() {
        let distance = i16::try_from(read_number(&mut bytes)?).ok().filter(|distance| *distance > 0)?;
        let key = before.checked_add(distance).filter(|key| *key <= -LEAST_KEY)?;
        let count = read_number(&mut bytes).filter(|count| *count > 0)?;
        buckets.push((key, count));
        before = key;
    }
    // The extremes are values that were added, and all others lie between.
    let is_value = |value: f64| value.is_finite() && value.to_bits() != (-0.0_f64).to_bits();
    let is_sound = is_value(least)
        && is_value(greatest)
        && least <= greatest
        && buckets.first().is_some_and(|(key, _)| *key == key_of(least))
        && buckets.last().is_some_and(|(key, _)| *key == key_of(greatest))
        && (least == greatest || buckets.len() > 1 || buckets.iter().any(|(_, count)| *count > 1));
    is_sound.then_some(LogHistogram { buckets, least, greatest })
}

/// The key of the bucket that `value`, a number, lies in.
fn key_of(value: f64) -> i16 {
    let size = value.abs();
    if size < SMALLEST {
        return 0;
    }
    // The logarithm is as exact as the machine's library; the bounds decide.
    let about = (size / SMALLEST).ln() / LN_GROWTH;
    let mut bucket = (about as usize).min(BUCKETS - 1);
    while bucket > 0 && size < BOUNDS[bucket] {
        bucket -= 1;
    }
    while bucket + 1 < BUCKETS && size >= BOUNDS[bucket + 1] {
        bucket += 1;
    }
    // At the most 4,096.
    let key = bucket as i16 + 1;
    if value < 0.0 { -key } else { key }
}

/// The value that is equally far, in relation, from both ends of a bucket.
fn middle_of(key: i16) -> f64 {
    let Some(bucket) = usize::from(key.unsigned_abs()).checked_sub(1) else { return 0.0 };
    let size = BOUNDS[bucket] * (2.0 * GROWTH / (1.0 + GROWTH));
    if key < 0 { -size } else { size }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads what [`write_number`] wrote; none for anything else, as a number with zeros in front.
fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return (bits > 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> LogHistogram {
        let mut sketch = LogHistogram::default();
        values.iter().for_each(|value| sketch.insert(*value));
        sketch
    }

    /// `percentile_cont` of `values`, and the values that it lies between.
    fn exact(values: &[f64], share: f64) -> (f64, f64, f64) {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let place = share * (values.len() - 1) as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        (below + (above - below) * place.fract(), below, above)
    }

    #[test]
    fn buckets_are_two_percent_wide_and_meet() {
        for (at, bound) in BOUNDS.iter().enumerate() {
            let expected = SMALLEST * (at as f64 * LN_GROWTH).exp();
            assert!((bound / expected - 1.0).abs() < 1e-11, "{at}: {bound} {expected}");
            let key = at as i16 + 1;
            assert_eq!((key_of(*bound), key_of(-bound)), (key, -key));
            assert_eq!(key_of(bound.next_down()), key - 1);
        }
        assert!(BOUNDS[BUCKETS - 1] * GROWTH > 1.6e23);
        for (value, key) in [(0.0, 0), (-0.0, 0), (9.9e-13, 0), (-9.9e-13, 0), (f64::MAX, 4_096), (f64::MIN, -4_096)] {
            assert_eq!(key_of(value), key, "{value}");
        }
        assert_eq!((key_of(f64::MIN_POSITIVE), key_of(1e300)), (0, 4_096));
    }

    #[test]
    fn the_ends_are_exact_and_ranks_are_those_of_a_percentile() {
        assert_eq!(LogHistogram::default().estimate(0.5), None);
        assert_eq!(of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), LogHistogram::default());
        let one = of(&[12.34]);
        for share in [-1.0, 0.0, 0.3, 1.0, 7.0] {
            assert_eq!(one.estimate(share), Some(12.34));
        }
        let two = of(&[-5.0, 1e300]);
        assert_eq!((two.estimate(0.0), two.estimate(1.0)), (Some(-5.0), Some(1e300)));
        // Five values: a quarter is one rank.
        let five = of(&[0.0, 1.0, 2.0, 3.0, 1_000.0]);
        let near = |share: f64, value: f64| (five.estimate(share).unwrap() / value - 1.0).abs() < 0.01;
        assert!(near(0.25, 1.0) && near(0.5, 2.0) && near(0.75, 3.0) && near(0.625, 2.5) && near(0.875, 501.5));
        // Nothing of many equal values is rounded.
        assert_eq!(of(&[3.3; 8]).estimate(0.3), Some(3.3));
    }

    #[test]
    fn bytes_are_version_extremes_and_buckets() {
        // ln(1e12) / ln(1.02) = 1395.3: the key of 1 is 1396, which lies 5493 behind -4097; that of 2 is 1431.
        let one = 1_f64.to_be_bytes();
        let two = 2_f64.to_be_bytes();
        assert_eq!(of(&[1.0]).to_bytes(), [&[1][..], &one, &one, &[0xf5, 0x2a, 1]].concat());
        assert_eq!(of(&[2.0, 1.0, 2.0]).to_bytes(), [&[1][..], &one, &two, &[0xf5, 0x2a, 1, 35, 2]].concat());
        assert_eq!(LogHistogram::default().to_bytes(), [1]);
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        let of_one = |least: f64, greatest: f64, buckets: &[u8]| {
            [&[1][..], &least.to_be_bytes(), &greatest.to_be_bytes(), buckets].concat()
        };
        assert!(LogHistogram::from_bytes(&of_one(1.0, 1.0, &[0xf5, 0x2a, 1])).is_ok());
        assert!(LogHistogram::from_bytes(&of_one(1.0, 1.001, &[0xf5, 0x2a, 2])).is_ok());
        for bytes in [
            vec![],
            vec![1, 0],
            of_one(1.0, 1.0, &[]),
            of_one(1.0, 1.0, &[0xf5, 0x2a]),
            of_one(1.0, 1.0, &[0xf5, 0x2a, 0]),
            of_one(1.0, 1.0, &[0xf5, 0x2a, 1, 0]),
            // The same numbers in more bytes; more than 64 bits; no end.
            of_one(1.0, 1.0, &[0xf5, 0xaa, 0, 1]),
            of_one(1.0, 1.0, &[0xf5, 0x2a, 0x81, 0]),
            of_one(1.0, 1.0, &[&[0xf5, 0x2a][..], &[0xff; 9], &[2]].concat()),
            of_one(1.0, 1.0, &[0xf5, 0x2a, 0x81]),
            // A bucket that has neither extreme, none of its own, twice, or that there is not.
            of_one(1.0, 1.0, &[0xf4, 0x2a, 1]),
            of_one(1.0, 1.0, &[0xf5, 0x2a, 1, 1, 1]),
            of_one(1.0, 2.0, &[0xf5, 0x2a, 2]),
            of_one(1.0, 2.0, &[0xf5, 0x2a, 1, 0, 1, 35, 1]),
            of_one(1.0, f64::MAX, &[0xf5, 0x2a, 1, 0x8d, 0x15, 1]),
            // One value has one size.
            of_one(1.0, 1.001, &[0xf5, 0x2a, 1]),
            of_one(1.001, 1.0, &[0xf5, 0x2a, 2]),
            of_one(-0.0, -0.0, &[0x81, 0x20, 1]),
            of_one(f64::NAN, f64::NAN, &[0xf5, 0x2a, 1]),
            of_one(1.0, f64::INFINITY, &[0xf5, 0x2a, 1, 0x8c, 0x15, 1]),
        ] {
            assert_eq!(LogHistogram::from_bytes(&bytes), Err(InvalidSketch::Damaged(OF)), "{bytes:?}");
        }
        assert_eq!(LogHistogram::from_bytes(&[2, 0]), Err(InvalidSketch::Version { found: 2, known: 1 }));
    }

    #[test]
    fn counts_beyond_all_rows_add_up_in_any_order() {
        let mut many = vec![1];
        many.extend([1_f64.to_be_bytes(), 1_f64.to_be_bytes()].concat());
        many.extend([0xf5, 0x2a]);
        write_number(u64::MAX - 1, &mut many);
        let many = LogHistogram::from_bytes(&many).unwrap();
        let (mut left, mut right) = (many.clone(), of(&[1.0, 1.0]));
        left.merge(&right);
        right.merge(&many);
        assert_eq!((left.to_bytes(), left.estimate(0.5)), (right.to_bytes(), Some(1.0)));
    }

    /// Values of every size within the bounds, and few different ones.
    fn values() -> impl Strategy<Value = Vec<f64>> {
        let wide = (-11.9..23.1_f64, any::<bool>())
            .prop_map(|(power, negative)| 10_f64.powf(power) * if negative { -1.0 } else { 1.0 });
        let value = prop_oneof![wide, -1_000.0..1_000.0_f64, (0..20_i32).prop_map(f64::from), Just(0.0), Just(1e-13)];
        prop::collection::vec(value, 1..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_percentile_is_within_one_percent(values in values(), share in 0.0..=1.0_f64) {
            let sketch = of(&values);
            for share in [0.0, share, 0.5, 0.9, 1.0] {
                let (expected, below, above) = exact(&values, share);
                let found = sketch.estimate(share).unwrap();
                // Between values of both signs it is one percent of the larger.
                let size = if below.signum() == above.signum() { expected.abs() } else { below.abs().max(above.abs()) };
                prop_assert!((found - expected).abs() <= size * 0.01 + SMALLEST, "{} {} {}", share, found, expected);
            }
            prop_assert_eq!(sketch.estimate(0.0), Some(exact(&values, 0.0).0));
            prop_assert_eq!(sketch.estimate(1.0), Some(exact(&values, 1.0).0));
        }

        #[test]
        fn a_greater_share_is_never_a_smaller_value(values in values(), one in 0.0..=1.0_f64, other in 0.0..=1.0_f64) {
            let sketch = of(&values);
            let (less, more) = (sketch.estimate(one.min(other)).unwrap(), sketch.estimate(one.max(other)).unwrap());
            prop_assert!(less <= more + more.abs() * 1e-12, "{} {}", less, more);
        }

        #[test]
        fn parts_in_any_order_make_the_whole(parts in prop::collection::vec(values(), 1..9), turned in any::<bool>()) {
            let whole = of(&parts.concat());
            let mut pieces: Vec<_> = parts.iter().map(|part| of(part)).collect();
            pieces.push(LogHistogram::default());
            if turned {
                pieces.reverse();
            }
            let mut merged = LogHistogram::default();
            for piece in &pieces {
                let bytes = piece.to_bytes();
                let read = LogHistogram::from_bytes(&bytes).unwrap();
                prop_assert_eq!(&read.to_bytes(), &bytes);
                merged.merge(&read);
            }
            prop_assert_eq!(merged.to_bytes(), whole.to_bytes());
            prop_assert_eq!(merged.count(), parts.concat().len() as u128);
        }

        #[test]
        fn changed_bytes_are_refused_or_another_sketch(values in values(), place in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = of(&values).to_bytes();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            if let Ok(read) = LogHistogram::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}
