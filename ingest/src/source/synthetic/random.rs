//! Random numbers that are the same on every machine: integers only, no hash order, no floating point.

/// SplitMix64 (Steele, Lea and Flood, 2014): a counter and a mixing function, so that the stream of every row can be
/// reached directly from its number.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The numbers that belong to `row` of `stream` under `seed`. Streams keep independent things apart, so that one
    /// more draw in one of them does not change the others.
    pub(super) fn at(seed: u64, stream: &str, row: u64) -> Self {
        // FNV-1a of the stream's name: a name says more than a number.
        let stream =
            stream.bytes().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
        Self(mix(mix(seed ^ stream).wrapping_add(row.wrapping_mul(GOLDEN))))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `n`. The bias of the multiplication is under n / 2^64.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// True `share` times in 10,000.
    pub(super) fn chance(&mut self, share: u64) -> bool {
        self.below(10_000) < share
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// One of `items`, as often as the weight beside it says.
    pub(super) fn pick_weighted<'a, T>(&mut self, items: &'a [(u64, T)]) -> &'a T {
        let mut rest = self.below(items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in items {
            if rest < *weight {
                return item;
            }
            rest -= weight;
        }
        &items[items.len() - 1].1
    }

    /// A value drawn from a distribution given by its quantiles.
    pub(super) fn draw(&mut self, quantiles: Quantiles) -> i64 {
        quantiles.at(self.below(10_001) as i64)
    }
}

/// An inverse distribution function: pairs of probability (in 1/10,000, from 0 to 10,000, rising) and value, linear
/// between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantiles(pub(super) &'static [(i64, i64)]);

impl Quantiles {
    fn at(self, p: i64) -> i64 {
        let above = self.0.partition_point(|(probability, _)| *probability < p).clamp(1, self.0.len() - 1);
        let ((p0, v0), (p1, v1)) = (self.0[above - 1], self.0[above]);
        v0 + (v1 - v0) * (p - p0) / (p1 - p0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_matches_the_reference() {
        // First outputs of the reference implementation (prng.di.unimi.it/splitmix64.c) from state 1234567.
        let mut random = Random(1_234_567);
        let got: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn quantiles_are_linear_between_their_points() {
        let q = Quantiles(&[(0, 10), (5_000, 20), (10_000, 120)]);
        assert_eq!([0, 2_500, 5_000, 7_500, 10_000].map(|p| q.at(p)), [10, 15, 20, 70, 120]);
    }

    #[test]
    fn weights_decide_how_often() {
        let mut random = Random::at(1, "weights", 0);
        let items = [(0, 'a'), (1, 'b'), (3, 'c')];
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[(*random.pick_weighted(&items) as u8 - b'a') as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!((9_500..10_500).contains(&counts[1]), "{counts:?}");
    }
}
