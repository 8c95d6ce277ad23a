//! Business start-ups (企业开办), one row a case, with the time of every step.

use xiangyun_engine::catalog::ColumnType::{Boolean, Text, Timestamp};

use super::super::World;
use super::super::days::{day_at, minutes_after, year_of};
use super::super::enterprises::text;
use super::super::places::county_on;
use super::super::random::Random;
use super::super::rows::{Column, Rows};
use super::Dataset;
use super::startups::Startup;

const COLUMNS: &[Column] = &[
    ("case_id", Text, false),
    ("uscc", Text, true),
    ("region", Text, false),
    ("channel", Text, false),
    ("accepted_at", Timestamp, false),
    ("name_done_at", Timestamp, true),
    ("licence_done_at", Timestamp, true),
    ("seal_done_at", Timestamp, true),
    ("tax_done_at", Timestamp, true),
    ("social_security_done_at", Timestamp, true),
    ("bank_done_at", Timestamp, true),
    ("corrected", Boolean, false),
    ("test", Boolean, false),
];

/// A case for every enterprise founded in the records' years, and the traces that a real system keeps: cases whose
/// times were typed in again later, and cases that somebody opened to try the system.
#[derive(Debug)]
pub(super) struct EstablishmentCases {
    world: World,
}

impl EstablishmentCases {
    pub(super) fn new(world: World) -> Self {
        Self { world }
    }
}

impl Dataset for EstablishmentCases {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.world.enterprises.new_ones()
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let mut case = Startup::of(&self.world, self.world.enterprises.first_new() + item);
        let random = &mut Random::at(self.world.seed, "establishment case", item);
        let day = day_at(case.accepted);
        let corrected = case.licence.is_some() && random.chance(60);
        if corrected {
            let typed = minutes_after(case.accepted, random.between(1, 6));
            (case.name, case.licence) = (Some(typed), Some(typed));
        }
        let township = case.enterprise.township;
        let region = format_args!("{}{}000", county_on(township, day), &township[6..]).to_string();
        rows.format(format_args!("E{}-{:08}", year_of(day), item + 1))
            .text(text(&case.enterprise.uscc))
            .text(region.as_str())
            .text(case.channel)
            .timestamp(case.accepted)
            .timestamp(case.name)
            .timestamp(case.licence)
            .timestamp(case.seal)
            .timestamp(case.tax)
            .timestamp(case.social_security)
            .timestamp(case.bank)
            .flag(corrected)
            .flag(false);
        if random.chance(25) {
            let mut at = case.accepted;
            let mut step = || {
                at = minutes_after(at, random.between(0, 3));
                at
            };
            rows.format(format_args!("E{}-{:08}-T", year_of(day), item + 1))
                .text(None)
                .text(region.as_str())
                .text(case.channel)
                .timestamp(case.accepted)
                .timestamp(step())
                .timestamp(step())
                .timestamp(step())
                .timestamp(step())
                .timestamp(step())
                .timestamp(None)
                .flag(false)
                .flag(true);
        }
    }
}
