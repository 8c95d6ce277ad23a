//! Approval cases (行政审批办件), one row a case.

use xiangyun_engine::catalog::ColumnType::{Date, Int64, Text};

use super::super::days::{Arrivals, YEARS, year_of};
use super::super::enterprises::text;
use super::super::places::county_on;
use super::super::random::{Quantiles, Random};
use super::super::rows::{Column, Rows};
use super::super::{World, scaled};
use super::Dataset;

/// Cases at scale 1.
const USUAL: u64 = 200_000;

const COLUMNS: &[Column] = &[
    ("case_id", Text, false),
    ("matter_code", Text, false),
    ("matter", Text, false),
    ("agency", Text, false),
    ("region", Text, false),
    ("applicant_uscc", Text, true),
    ("channel", Text, false),
    ("filed_on", Date, false),
    ("accepted_on", Date, true),
    ("decided_on", Date, true),
    ("outcome", Text, true),
    ("limit_working_days", Int64, false),
];

/// A matter that is decided on application, with the limit that the agency promises.
struct Matter {
    code: &'static str,
    name: &'static str,
    agency: &'static str,
    limit_working_days: i64,
}

const fn matter(code: &'static str, name: &'static str, agency: &'static str, limit_working_days: i64) -> Matter {
    Matter { code, name, agency, limit_working_days }
}

/// Kinds of matters as service halls list them, with how often each is asked for. Codes are the generator's own.
const MATTERS: &[(u64, Matter)] = &[
    (160, matter("S0101", "食品经营许可", "市场监督管理局", 8)),
    (40, matter("S0102", "药品经营许可", "市场监督管理局", 12)),
    (30, matter("S0103", "第二类医疗器械经营备案", "市场监督管理局", 3)),
    (25, matter("S0104", "特种设备使用登记", "市场监督管理局", 10)),
    (90, matter("S0201", "道路运输经营许可", "交通运输局", 10)),
    (35, matter("S0202", "涉路施工许可", "交通运输局", 15)),
    (25, matter("S0301", "建设用地规划许可", "自然资源局", 15)),
    (30, matter("S0302", "建设工程规划许可", "自然资源局", 15)),
    (35, matter("S0401", "建筑工程施工许可", "住房和城乡建设局", 5)),
    (20, matter("S0402", "商品房预售许可", "住房和城乡建设局", 7)),
    (30, matter("S0501", "环境影响评价文件审批", "生态环境局", 20)),
    (20, matter("S0502", "排污许可", "生态环境局", 18)),
    (45, matter("S0601", "公共场所卫生许可", "卫生健康局", 7)),
    (25, matter("S0602", "医疗机构执业登记", "卫生健康局", 20)),
    (60, matter("S0701", "人力资源服务许可", "人力资源和社会保障局", 7)),
    (50, matter("S0702", "工时制度审批", "人力资源和社会保障局", 10)),
    (25, matter("S0801", "民办学校设立审批", "教育局", 30)),
    (30, matter("S0901", "取水许可", "水利局", 20)),
    (30, matter("S1001", "林木采伐许可", "林业和草原局", 10)),
    (25, matter("S1101", "农药经营许可", "农业农村局", 12)),
    (25, matter("S1102", "动物防疫条件合格证核发", "农业农村局", 15)),
    (30, matter("S1201", "娱乐场所经营许可", "文化和旅游局", 12)),
    (45, matter("S1301", "特种行业许可", "公安局", 8)),
    (40, matter("S1401", "危险化学品经营许可", "应急管理局", 20)),
];

/// Working days taken, in 1/1,000 of the limit.
const SHARE_OF_LIMIT: Quantiles =
    Quantiles(&[(0, 0), (3_000, 200), (6_000, 450), (9_000, 850), (9_700, 1_020), (9_900, 1_400), (10_000, 3_000)]);

#[derive(Debug)]
pub(super) struct ApprovalCases {
    world: World,
    cases: u64,
    arrivals: Arrivals,
}

impl ApprovalCases {
    pub(super) fn new(world: World, scale: f64) -> Self {
        let arrivals = Arrivals::new(&world.days, 8, &[1_000, 1_080, 920, 1_120, 1_000, 1_060, 1_040, 1_030]);
        Self { cases: scaled(USUAL, scale), arrivals, world }
    }

    /// How slow a prefecture is against the others, in 1/1,000.
    fn slowness(&self, township: &str) -> i64 {
        Random::at(self.world.seed, "prefecture", township[..4].parse().unwrap_or(0)).between(850, 1_150)
    }
}

impl Dataset for ApprovalCases {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.cases
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let World { seed, days, places, enterprises } = &self.world;
        let random = &mut Random::at(*seed, "approval case", item);
        let filed = self.arrivals.day(item, self.cases, random);
        let years = i64::from(year_of(filed) - YEARS.0);
        let matter = random.pick_weighted(MATTERS);
        // Persons apply too; nothing about them is recorded.
        let applicant = random.chance(7_500).then(|| {
            let e = random.below(enterprises.founded_by(filed));
            enterprises.get(e, places)
        });
        let township = applicant.map_or_else(|| places.township(random), |applicant| applicant.township);
        let online = 25 + years as u64 * 6;
        // A service hall is shut on days off.
        let channel = if days.is_working(filed) {
            *random.pick_weighted(&[(online, "网上"), (15, "移动端"), (8, "自助终端"), (90 - online, "窗口")])
        } else {
            *random.pick_weighted(&[(online, "网上"), (15, "移动端"), (8, "自助终端")])
        };
        // An application is looked at within days; what lacks papers takes longer, and some of it is turned down.
        let taken = if random.chance(8_800) { random.between(0, 1) } else { random.between(2, 5) };
        let looked_at = days.add_working(filed, taken);
        let refused = random.chance(180);
        let accepted = looked_at.filter(|_| !refused);
        let pace = (1_120 - 45 * years) * self.slowness(township) / 1_000;
        let worked = matter.limit_working_days * random.draw(SHARE_OF_LIMIT) * pace;
        let decided = accepted.and_then(|day| days.add_working(day, (worked + 500_000) / 1_000_000));
        let outcome = match (refused && looked_at.is_some(), decided) {
            (true, _) => Some("不予受理"),
            (false, None) => None,
            (false, Some(_)) => Some(*random.pick_weighted(&[(960, "准予许可"), (25, "不予许可"), (15, "申请人撤回")])),
        };
        rows.format(format_args!("A{}-{:09}", year_of(filed), item + 1))
            .text(matter.code)
            .text(matter.name)
            .text(matter.agency)
            .format(format_args!("{}{}000", county_on(township, filed), &township[6..]))
            .text(applicant.as_ref().map(|applicant| text(&applicant.uscc)))
            .text(channel)
            .date(filed)
            .date(accepted)
            .date(decided)
            .text(outcome)
            .int(matter.limit_working_days);
    }
}
