//! Turnover of electronic commerce (电商交易额), one row a kind, county and period.

use xiangyun_engine::catalog::ColumnType::{Boolean, Date, Text};

use super::super::World;
use super::super::days::{YEARS, day_of, new_year};
use super::super::places::county_on;
use super::super::random::Random;
use super::super::rows::{Column, MONEY, Rows};
use super::Dataset;

const COLUMNS: &[Column] = &[
    ("period_from", Date, false),
    ("period_to", Date, false),
    ("kind", Text, false),
    ("region", Text, false),
    ("amount", MONEY, false),
    ("preliminary", Boolean, false),
];

/// Online retail, of which rural online retail is a part, and cross-border trade.
const KINDS: [&str; 3] = ["网上零售额", "农村网上零售额", "跨境电商进出口额"];

/// A period's last month and its usual weight, in 1/100: January is not published by itself, as is the custom.
const PERIODS: [(u32, i64); 11] =
    [(2, 175), (3, 95), (4, 95), (5, 98), (6, 118), (7, 94), (8, 96), (9, 102), (10, 104), (11, 142), (12, 120)];

/// A fixed grid: how many rows there are does not depend on the scale.
#[derive(Debug)]
pub(super) struct Ecommerce {
    world: World,
}

impl Ecommerce {
    pub(super) fn new(world: World) -> Self {
        Self { world }
    }

    /// What all years up to `year` made of 1,000 yuan in the first one.
    fn level(&self, kind: &str, year: i32) -> i64 {
        (YEARS.0 + 1..=year).fold(1_000, |level, year| {
            let mut random = Random::at(self.world.seed, kind, year as u64);
            level * random.between(980, 1_420) / 1_000
        })
    }

    /// What a county turns over in a month of the first year, 10,000 yuan.
    fn usual(&self, kind: &str, county: &str, low: i64, high: i64) -> i64 {
        self.of_county(kind, county).between(low, high)
    }

    /// The rural part of a county's online retail, in 1/1,000.
    fn rural_share(&self, county: &str, year: i32) -> i64 {
        let first = self.of_county(KINDS[1], county).between(180, 380);
        let drift = |year: i32| Random::at(self.world.seed, KINDS[1], year as u64).between(-20, 45);
        (first + (YEARS.0 + 1..=year).map(drift).sum::<i64>()).clamp(50, 700)
    }

    fn of_county(&self, kind: &str, county: &str) -> Random {
        Random::at(self.world.seed, kind, county.parse().unwrap_or(0))
    }
}

impl Dataset for Ecommerce {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        (YEARS.1 - YEARS.0 + 1) as u64 * (PERIODS.len() * self.world.places.counties().len()) as u64
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let counties = self.world.places.counties();
        let county = (item % counties.len() as u64) as usize;
        let period = item / counties.len() as u64;
        let year = YEARS.0 + (period / PERIODS.len() as u64) as i32;
        let (month, season) = PERIODS[(period % PERIODS.len() as u64) as usize];
        let from = day_of(year, if month == 2 { 1 } else { month }, 1);
        let to = if month == 12 { new_year(year + 1) - 1 } else { day_of(year, month + 1, 1) - 1 };
        let random = &mut Random::at(self.world.seed, "turnover", item);
        let code = counties[county];
        // 10,000 yuan = 1,000,000 fen; weights of 1/1,000, 1/100 and 1/1,000.
        let mut turnover = |kind: &str, low: i64, high: i64| {
            let usual = self.usual(kind, code, low, high);
            usual * self.level(kind, year) / 1_000 * season * random.between(930, 1_070) * 10
        };
        let online = turnover(KINDS[0], 900, 9_000);
        let cross_border = turnover(KINDS[2], 20, 900);
        let rural = online / 1_000 * self.rural_share(code, year);
        for (kind, fen) in KINDS.into_iter().zip([online, rural, cross_border]) {
            rows.date(from).date(to).text(kind).text(county_on(code, to)).fen(fen).flag(year == YEARS.1 && month > 9);
        }
    }
}
