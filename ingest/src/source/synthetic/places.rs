//! The townships of Jilin, by the division list of 2023, and the codes they had before.

use super::days::{Day, day_of};
use super::random::Random;

/// The 1,075 townships of Jilin in `divisions_2023` (National Bureau of Statistics, as of 2023-06-30): the first 9
/// digits of the code, a line each, in the order of their codes. The last 3 digits are zero.
const TOWNSHIPS: &str = include_str!("jilin_townships.txt");

/// Residents of the prefectures at the 2020 census, in 10,000: where more people live, more happens.
const RESIDENTS: [(&str, u64); 9] = [
    ("2201", 907),
    ("2202", 362),
    ("2203", 181),
    ("2204", 100),
    ("2205", 181),
    ("2206", 95),
    ("2207", 225),
    ("2208", 155),
    ("2224", 194),
];

/// The weights' common multiple: fine enough for integers to stay proportional.
const FINE: u64 = 1_000_000;

/// Townships, counties, and how often a record comes from each.
#[derive(Debug)]
pub(super) struct Places {
    townships: Vec<&'static str>,
    /// Per township: the weights up to and with it.
    cumulated: Vec<u64>,
    counties: Vec<&'static str>,
}

impl Places {
    pub(super) fn new() -> Self {
        let townships: Vec<&str> = TOWNSHIPS.lines().collect();
        let mut counties: Vec<&str> = townships.iter().map(|code| &code[..6]).collect();
        counties.dedup();
        let mut sum = 0;
        let cumulated = townships
            .iter()
            .map(|code| {
                let residents = RESIDENTS.iter().find(|(prefix, _)| code.starts_with(prefix)).map_or(1, |(_, n)| *n);
                let siblings = counties.iter().filter(|county| county[..4] == code[..4]).count() as u64;
                let townships = townships.iter().filter(|other| other[..6] == code[..6]).count() as u64;
                sum += residents * FINE / siblings / townships;
                sum
            })
            .collect();
        Self { townships, cumulated, counties }
    }

    /// A township of the 2023 list, 9 digits.
    pub(super) fn township(&self, random: &mut Random) -> &'static str {
        let position = random.below(self.cumulated.last().copied().unwrap_or(1));
        self.townships[self.cumulated.partition_point(|sum| *sum <= position)]
    }

    /// The counties of the 2023 list, 6 digits.
    pub(super) fn counties(&self) -> &[&'static str] {
        &self.counties
    }
}

/// What a county is called in records of `day`: 公主岭市 was 220381 under Siping until it came to Changchun as 220184
/// in June 2020. No other county of Jilin changed its code in the records' years.
pub(super) fn county_on(code: &'static str, day: Day) -> &'static str {
    if &code[..6] == "220184" && day < day_of(2020, 6, 30) { "220381" } else { &code[..6] }
}
