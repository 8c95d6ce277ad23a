//! New market entities (新设企业登记), one row an approval: a flow, where the yearly snapshots are a stock.

use xiangyun_engine::catalog::ColumnType::{Text, Timestamp};

use super::super::World;
use super::super::days::{day_at, year_of};
use super::super::enterprises::text;
use super::super::places::county_on;
use super::super::rows::{Column, Rows};
use super::Dataset;
use super::startups::Startup;

const COLUMNS: &[Column] = &[
    ("registration_id", Text, false),
    ("uscc", Text, false),
    ("region", Text, false),
    ("channel", Text, false),
    ("ownership", Text, false),
    ("approved_at", Timestamp, false),
];

#[derive(Debug)]
pub(super) struct Registrations {
    world: World,
}

impl Registrations {
    pub(super) fn new(world: World) -> Self {
        Self { world }
    }
}

impl Dataset for Registrations {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.world.enterprises.new_ones()
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let startup = Startup::of(&self.world, self.world.enterprises.first_new() + item);
        let Some(approved) = startup.licence else { return };
        let (day, township) = (day_at(approved), startup.enterprise.township);
        rows.format(format_args!("R{}-{:08}", year_of(day), item + 1))
            .text(text(&startup.enterprise.uscc))
            .format(format_args!("{}{}000", county_on(township, day), &township[6..]))
            .text(startup.channel)
            .text(startup.enterprise.ownership)
            .timestamp(approved);
    }
}
