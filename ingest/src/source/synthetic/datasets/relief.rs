//! Relief for enterprises (减负), one row a policy, enterprise, quarter and reporting agency.

use xiangyun_engine::catalog::ColumnType::{Date, Text};

use super::super::World;
use super::super::days::{YEARS, day_of};
use super::super::enterprises::text;
use super::super::places::county_on;
use super::super::random::{Quantiles, Random};
use super::super::rows::{Column, MONEY, Rows};
use super::Dataset;

const COLUMNS: &[Column] = &[
    ("policy_id", Text, false),
    ("policy", Text, false),
    ("kind", Text, false),
    ("uscc", Text, false),
    ("region", Text, false),
    ("period", Text, false),
    ("period_from", Date, false),
    ("amount", MONEY, false),
    ("basis", Text, false),
    ("source_agency", Text, false),
];

const QUARTERS: u64 = 4 * (YEARS.1 - YEARS.0 + 1) as u64;

/// Of the enterprises there are, one in this many gets relief in a quarter at scale 1.
const ONE_IN: u64 = 14;

struct Policy {
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    agency: &'static str,
    /// Who reports the same relief as well.
    other_agency: &'static str,
    /// Yuan a quarter.
    yuan: Quantiles,
}

const SMALL: Quantiles = Quantiles(&[(0, 120), (5_000, 2_600), (9_000, 18_000), (10_000, 90_000)]);
const LARGE: Quantiles =
    Quantiles(&[(0, 900), (5_000, 12_000), (9_000, 110_000), (9_900, 900_000), (10_000, 6_000_000)]);

/// Kinds of relief; names and numbers are the generator's own.
const POLICIES: &[(u64, Policy)] = &[
    (30, policy(["Z01", "小规模纳税人增值税减免", "减税", "省税务局", "省财政厅"], SMALL)),
    (20, policy(["Z02", "增值税税率下调", "减税", "省税务局", "省财政厅"], LARGE)),
    (15, policy(["Z03", "研发费用加计扣除", "减税", "省税务局", "省科技厅"], LARGE)),
    (14, policy(["Z04", "行政事业性收费减免", "降费", "省财政厅", "省发展改革委"], SMALL)),
    (25, policy(["Z05", "社会保险费率下调", "社保", "省人力资源社会保障厅", "省税务局"], SMALL)),
    (12, policy(["Z06", "一般工商业电价下调", "能源", "省发展改革委", "省能源局"], SMALL)),
    (8, policy(["Z07", "贷款贴息", "金融", "省财政厅", "省地方金融监管局"], LARGE)),
];

const fn policy([id, name, kind, agency, other_agency]: [&'static str; 5], yuan: Quantiles) -> Policy {
    Policy { id, name, kind, agency, other_agency, yuan }
}

#[derive(Debug)]
pub(super) struct Relief {
    world: World,
    /// Enterprises that get something in each quarter.
    a_quarter: u64,
}

impl Relief {
    pub(super) fn new(world: World) -> Self {
        Self { a_quarter: (world.enterprises.count() / ONE_IN).max(1), world }
    }
}

impl Dataset for Relief {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        QUARTERS * self.a_quarter
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let World { seed, places, enterprises, .. } = &self.world;
        let random = &mut Random::at(*seed, "relief", item);
        let quarter = item / self.a_quarter;
        let (year, quarter_of_year) = (YEARS.0 + (quarter / 4) as i32, quarter % 4 + 1);
        let from = day_of(year, (quarter_of_year * 3 - 2) as u32, 1);
        // Each enterprise at most once a quarter: policy, enterprise and quarter are a key.
        let there = enterprises.founded_by(from);
        let (nth, width) = (item % self.a_quarter, self.a_quarter.min(there));
        if nth >= width {
            return;
        }
        let (low, high) = (nth * there / width, (nth + 1) * there / width);
        let e = low + random.below(high - low);
        let enterprise = enterprises.get(e, places);
        let policy = random.pick_weighted(POLICIES);
        let fen = random.draw(policy.yuan) * 100 + random.between(0, 99);
        let estimated = random.chance(1_500);
        let mut report = |agency: &str, fen: i64, basis: &str| {
            rows.text(policy.id)
                .text(policy.name)
                .text(policy.kind)
                .text(text(&enterprise.uscc))
                .format(format_args!("{}{}000", county_on(enterprise.township, from), &enterprise.township[6..]))
                .format(format_args!("{year}Q{quarter_of_year}"))
                .date(from)
                .fen(fen)
                .text(basis)
                .text(agency);
        };
        report(policy.agency, fen, if estimated { "测算" } else { "实际" });
        // The same relief, reported by another agency, which as a rule only estimates it: adding both counts it twice.
        if random.chance(700) {
            let other = fen * random.between(850, 1_150) / 1_000;
            report(policy.other_agency, other, "测算");
        }
    }
}
