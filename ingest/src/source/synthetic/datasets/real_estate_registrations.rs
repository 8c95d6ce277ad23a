//! Registrations of real estate (不动产登记), one row a registration.

use xiangyun_engine::catalog::ColumnType::{Text, Timestamp};

use super::super::days::{Arrivals, YEARS, instant, year_of};
use super::super::places::county_on;
use super::super::random::{Quantiles, Random};
use super::super::rows::{Column, Rows};
use super::super::{World, scaled};
use super::Dataset;

/// Registrations at scale 1.
const USUAL: u64 = 40_000;

const COLUMNS: &[Column] = &[
    ("registration_id", Text, false),
    ("region", Text, false),
    ("kind", Text, false),
    ("channel", Text, false),
    ("accepted_at", Timestamp, false),
    ("registered_at", Timestamp, true),
];

/// Working days, in the first and the last year.
const WORKED: [Quantiles; 2] = [
    Quantiles(&[(0, 0), (800, 1), (3_000, 3), (7_000, 5), (9_500, 8), (10_000, 25)]),
    Quantiles(&[(0, 0), (3_500, 1), (8_000, 2), (9_500, 4), (10_000, 15)]),
];

#[derive(Debug)]
pub(super) struct RealEstateRegistrations {
    world: World,
    registrations: u64,
    arrivals: Arrivals,
}

impl RealEstateRegistrations {
    pub(super) fn new(world: World, scale: f64) -> Self {
        let arrivals = Arrivals::new(&world.days, 0, &[1_000, 1_020, 950, 1_050, 880, 1_010, 960, 980]);
        Self { registrations: scaled(USUAL, scale), arrivals, world }
    }
}

impl Dataset for RealEstateRegistrations {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.registrations
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let World { seed, days, places, .. } = &self.world;
        let random = &mut Random::at(*seed, "real estate registration", item);
        let day = self.arrivals.day(item, self.registrations, random);
        let township = places.township(random);
        let kind = *random.pick_weighted(&[
            (18, "首次登记"),
            (38, "转移登记"),
            (30, "抵押权登记"),
            (8, "变更登记"),
            (6, "注销登记"),
        ]);
        let years = (year_of(day) - YEARS.0) as u64;
        let online = 5 + 6 * years;
        let channel = *random.pick_weighted(&[(online, "网上"), (95 - online, "窗口")]);
        let minute = random.between(510, 1_019);
        let accepted = instant(day, minute, random);
        let late = random.below(8) < years;
        let registered = days.office(accepted, random.draw(WORKED[usize::from(late)]), random);
        rows.format(format_args!("B{}-{:08}", year_of(day), item + 1))
            .format(format_args!("{}{}000", county_on(township, day), &township[6..]))
            .text(kind)
            .text(channel)
            .timestamp(accepted)
            .timestamp(registered);
    }
}
