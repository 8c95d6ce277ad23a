//! Market entities at year ends (市场主体年末存量), one row an entity and year end.

use xiangyun_engine::catalog::ColumnType::{Date, Text};

use super::super::World;
use super::super::days::{Days, YEARS, day_at, new_year, year_of};
use super::super::enterprises::text;
use super::super::places::county_on;
use super::super::random::Random;
use super::super::rows::{Column, Rows};
use super::Dataset;
use super::startups::Startup;

const COLUMNS: &[Column] = &[
    ("as_of", Date, false),
    ("uscc", Text, false),
    ("region", Text, false),
    ("ownership", Text, false),
    ("industry", Text, false),
    ("status", Text, false),
];

/// The year ends that were kept. That of 2021 is not among them, as real series have holes: growth for 2021 and 2022
/// cannot be told.
const KEPT: [i32; 7] = [2018, 2019, 2020, 2022, 2023, 2024, 2025];

/// The share of the living, in 1/10,000, that close in a year.
const CLOSING: u64 = 650;

/// Industry by GB/T 4754-2017, section letter.
const INDUSTRIES: &[(u64, &str)] = &[
    (60, "A"),
    (3, "B"),
    (110, "C"),
    (8, "D"),
    (75, "E"),
    (300, "F"),
    (40, "G"),
    (55, "H"),
    (60, "I"),
    (15, "J"),
    (35, "K"),
    (110, "L"),
    (50, "M"),
    (8, "N"),
    (40, "O"),
    (10, "P"),
    (6, "Q"),
    (15, "R"),
];

/// Every enterprise at every year end: alive, or closed in that very year. Who closed earlier is in no snapshot.
#[derive(Debug)]
pub(super) struct EntitySnapshots {
    world: World,
}

impl EntitySnapshots {
    pub(super) fn new(world: World) -> Self {
        Self { world }
    }

    /// The year in which enterprise `e`, founded in `from`, closed; None while it lives.
    fn closed(&self, e: u64, from: i32) -> Option<i32> {
        let mut random = Random::at(self.world.seed, "closing", e);
        (from..=YEARS.1).find(|_| random.chance(CLOSING))
    }
}

impl Dataset for EntitySnapshots {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        KEPT.len() as u64 * self.world.enterprises.count()
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let World { seed, places, enterprises, .. } = &self.world;
        let year = KEPT[(item / enterprises.count()) as usize];
        let as_of = new_year(year + 1) - 1;
        let e = item % enterprises.count();
        let enterprise = enterprises.get(e, places);
        if enterprise.founded > as_of {
            return;
        }
        let closed = self.closed(e, year_of(enterprise.founded));
        if closed.is_some_and(|closed| closed < year) {
            return;
        }
        // It counts from its licence, not from the day it was asked for.
        let fresh = enterprise.founded >= Days::first();
        if fresh && Startup::of(&self.world, e).licence.is_none_or(|at| day_at(at) > as_of) {
            return;
        }
        let random = &mut Random::at(*seed, "entity", e);
        let industry = *random.pick_weighted(INDUSTRIES);
        let ending = *random.pick_weighted(&[(85, "注销"), (15, "吊销")]);
        let township = enterprise.township;
        rows.date(as_of)
            .text(text(&enterprise.uscc))
            .format(format_args!("{}{}000", county_on(township, as_of), &township[6..]))
            .text(enterprise.ownership)
            .text(industry)
            .text(if closed == Some(year) { ending } else { "存续" });
    }
}
