//! The enterprises that all data sets share: number `e` is the same one everywhere, so that their rows join.

use super::days::{Arrivals, Day, Days, YEARS, new_year};
use super::places::{Places, county_on};
use super::random::Random;

/// Enterprises at scale 1.
pub(super) const USUAL: u64 = 36_000;

/// The share of the enterprises, in 1/100, that were there before the records' first year.
const OLD: u64 = 55;

/// Founding year of the oldest.
const OLDEST_YEAR: i32 = 1995;

/// What a year brings in new enterprises against the one before, in 1/1,000.
const GROWTH: [u64; 8] = [1_000, 1_090, 930, 1_120, 960, 1_080, 1_050, 1_040];

/// Digits and letters of a unified social credit code; a character's value is its place (GB 32100-2015).
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// The register of generated enterprises, in the order of their founding.
#[derive(Debug)]
pub(super) struct Enterprises {
    seed: u64,
    count: u64,
    old: u64,
    arrivals: Arrivals,
    /// Per day of the records: how many were founded up to and with it.
    founded: Vec<u64>,
}

/// One enterprise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enterprise {
    /// The day on which it asked to be founded.
    pub(super) founded: Day,
    /// Its township in the list of 2023, 9 digits.
    pub(super) township: &'static str,
    /// Unified social credit code.
    pub(super) uscc: Uscc,
    /// 所有制.
    pub(super) ownership: &'static str,
}

/// 18 characters.
pub(super) type Uscc = [u8; 18];

/// A code as text.
pub(super) fn text(uscc: &Uscc) -> &str {
    std::str::from_utf8(uscc).expect("codes are made of ASCII characters")
}

impl Enterprises {
    pub(super) fn new(seed: u64, scale: f64, days: &Days) -> Self {
        let count = super::scaled(USUAL, scale);
        let old = count * OLD / 100;
        let arrivals = Arrivals::new(days, 12, &GROWTH);
        let mut founded = vec![0; (Days::last() - Days::first() + 1) as usize];
        let mut this = Self { seed, count, old, arrivals, founded: Vec::new() };
        for e in old..count {
            founded[(this.founded_on(e) - Days::first()) as usize] += 1;
        }
        let mut sum = old;
        for n in &mut founded {
            sum += *n;
            *n = sum;
        }
        this.founded = founded;
        this
    }

    /// How many were founded in the records' years: they are numbered from [`Self::first_new`].
    pub(super) fn new_ones(&self) -> u64 {
        self.count - self.old
    }

    pub(super) fn first_new(&self) -> u64 {
        self.old
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many there are on `day`, closed ones included: the numbers below it. At least one.
    pub(super) fn founded_by(&self, day: Day) -> u64 {
        self.founded[(day - Days::first()) as usize].max(1)
    }

    fn founded_on(&self, e: u64) -> Day {
        let mut random = Random::at(self.seed, "founding", e);
        if e >= self.old {
            return self.arrivals.day(e - self.old, self.count - self.old, &mut random);
        }
        let span = (new_year(YEARS.0) - new_year(OLDEST_YEAR)) as u64;
        new_year(OLDEST_YEAR) + (e * span / self.old) as Day
    }

    /// Enterprise number `e`.
    pub(super) fn get(&self, e: u64, places: &Places) -> Enterprise {
        let founded = self.founded_on(e);
        let mut random = Random::at(self.seed, "enterprise", e);
        let township = places.township(&mut random);
        let ownership = *random.pick_weighted(&[
            (30, "国有"),
            (25, "集体"),
            (870, "私营"),
            (40, "混合所有"),
            (20, "外商投资"),
            (15, "港澳台投资"),
        ]);
        // A code is frozen at issue: the county's code is that of the founding day.
        Enterprise { founded, township, uscc: uscc(county_on(township, founded), e), ownership }
    }
}

/// A code that passes every check and belongs to nobody: the organisation part begins with `XY`, which is not issued
/// (real ones begin with a digit or with `MA`).
pub(super) fn uscc(county: &str, e: u64) -> Uscc {
    let mut code = *b"91000000XY00000000";
    code[2..8].copy_from_slice(county.as_bytes());
    // A bijection on 31^6 numbers, because 3^18 and 31 have no common divisor: neighbours look unlike each other.
    let mut number = (e % 31_u64.pow(6)) * 3_u64.pow(18) % 31_u64.pow(6);
    for place in (10..16).rev() {
        code[place] = ALPHABET[(number % 31) as usize];
        number /= 31;
    }
    code[16] = organisation_check(&code[8..16]);
    code[17] = check(&code[..17]);
    code
}

/// GB 11714: weights 3 7 9 10 5 8 4 2, digits as they are, letters from A = 10.
fn organisation_check(code: &[u8]) -> u8 {
    let value = |c: u8| u32::from(if c.is_ascii_digit() { c - b'0' } else { c - b'A' + 10 });
    let sum: u32 = code.iter().zip([3, 7, 9, 10, 5, 8, 4, 2]).map(|(c, weight)| value(*c) * weight).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        r => b'0' + r as u8,
    }
}

/// GB 32100-2015: weights 3^i mod 31.
fn check(code: &[u8]) -> u8 {
    let (mut sum, mut weight) = (0, 1);
    for c in code {
        sum += value(*c) * weight;
        weight = weight * 3 % 31;
    }
    ALPHABET[((31 - sum % 31) % 31) as usize]
}

/// A character's place in [`ALPHABET`], by a table: there is one such look-up for every character of every code.
fn value(c: u8) -> u32 {
    const VALUES: [u8; 128] = {
        let mut values = [0; 128];
        let mut place = 0;
        while place < ALPHABET.len() {
            values[ALPHABET[place] as usize] = place as u8;
            place += 1;
        }
        values
    };
    u32::from(VALUES[usize::from(c & 127)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_those_of_real_codes() {
        // Published registry codes, from the domain's test vectors.
        for code in ["9122010112403662XM", "91220501244585084W", "912205012445783007", "914403001922038216"] {
            assert_eq!(check(&code.as_bytes()[..17]), code.as_bytes()[17], "{code}");
            assert_eq!(organisation_check(&code.as_bytes()[8..16]), code.as_bytes()[16], "{code}");
        }
    }
}
