//! Rankings (排名) as a publisher would issue them, one row an indicator and edition. They stand for figures that are
//! imported and never computed.

use xiangyun_engine::catalog::ColumnType::{Date, Int64, Text};

use super::super::World;
use super::super::days::{YEARS, day_of};
use super::super::random::Random;
use super::super::rows::{Column, MONEY, Rows};
use super::Dataset;

const COLUMNS: &[Column] = &[
    ("indicator", Text, false),
    ("publisher", Text, false),
    ("edition", Int64, false),
    ("published_on", Date, false),
    ("region", Text, false),
    ("rank", Int64, false),
    ("of_n", Int64, false),
    ("score", MONEY, true),
];

const INDICATORS: [&str; 4] = ["营商环境", "不动产登记效率", "政务服务能力", "数字政府发展"];

/// Provinces that are compared.
const OF: i64 = 31;

/// A fixed grid: how many rows there are does not depend on the scale.
#[derive(Debug)]
pub(super) struct Rankings {
    world: World,
}

impl Rankings {
    pub(super) fn new(world: World) -> Self {
        Self { world }
    }
}

impl Dataset for Rankings {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        (YEARS.1 - YEARS.0 + 1) as u64 * INDICATORS.len() as u64
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let indicator = INDICATORS[(item % INDICATORS.len() as u64) as usize];
        let edition = YEARS.0 + (item / INDICATORS.len() as u64) as i32;
        // A rank moves by a few places from one edition to the next.
        let mut rank = 0;
        let mut random = Random::at(self.world.seed, indicator, 0);
        for year in YEARS.0..=edition {
            rank = if year == YEARS.0 { random.between(1, OF) } else { rank + random.between(-4, 4) }.clamp(1, OF);
        }
        let score = 9_300 - rank * 75 + random.between(0, 74);
        rows.text(indicator)
            .text("合成发布机构")
            .int(i64::from(edition))
            .date(day_of(edition, 11, 20))
            .text("220000")
            .int(rank)
            .int(OF)
            .fen(score);
    }
}
