//! Enterprise records as a crawl of the register has them (one row an enterprise, every field text): the shape, the
//! missing markers and the free-text capitals that a loader has to cope with, for benches of any size.

use xiangyun_engine::catalog::ColumnType::Text;

use super::super::World;
use super::super::days::{date_of, new_year};
use super::super::enterprises::{text, uscc};
use super::super::places::county_on;
use super::super::random::{Quantiles, Random};
use super::super::rows::{Column, Rows};
use super::super::scaled;
use super::Dataset;

/// Records at scale 1.
const USUAL: u64 = 100_000;

const COLUMNS: &[Column] = &[
    ("source_year", Text, false),
    ("name", Text, false),
    ("uscc", Text, false),
    ("registered_on", Text, false),
    ("enterprise_type", Text, false),
    ("registered_capital_raw", Text, false),
    ("business_scope", Text, false),
    ("province", Text, false),
    ("prefecture", Text, false),
    ("address", Text, false),
];

const PREFECTURES: &[(&str, &str)] = &[
    ("2201", "长春"),
    ("2202", "吉林"),
    ("2203", "四平"),
    ("2204", "辽源"),
    ("2205", "通化"),
    ("2206", "白山"),
    ("2207", "松原"),
    ("2208", "白城"),
    ("2224", "延边"),
];

const FIRST: &[&str] =
    &["鑫", "恒", "瑞", "华", "盛", "嘉", "宏", "泰", "佳", "隆", "博", "源", "信", "诚", "达", "合成"];
const SECOND: &[&str] =
    &["源", "达", "丰", "和", "兴", "业", "通", "顺", "安", "海", "林", "川", "宇", "辰", "康", "晟"];
const TRADES: &[(&str, &str)] = &[
    ("商贸", "日用百货、五金交电、办公用品销售；货物进出口"),
    ("科技", "软件开发；信息系统集成服务；技术咨询"),
    ("建筑工程", "建筑工程施工、装饰装修工程设计与施工（依法须经批准的项目，经相关部门批准后方可开展经营活动）"),
    ("农业", "粮食种植、收购；农副产品初加工；农机作业服务"),
    ("物流", "普通货运；仓储服务(不含危险化学品)；货运代理"),
    ("餐饮管理", "餐饮服务；会议服务；食品销售"),
    ("医药", "中药材种植；药品批发“凭许可证经营”"),
];

/// 10,000 yuan.
const CAPITAL: Quantiles =
    Quantiles(&[(0, 1), (3_000, 30), (6_000, 100), (9_000, 1_000), (9_900, 10_000), (10_000, 500_000)]);

#[derive(Debug)]
pub(super) struct RawEnterprises {
    world: World,
    records: u64,
}

impl RawEnterprises {
    pub(super) fn new(world: World, scale: f64) -> Self {
        Self { records: scaled(USUAL, scale), world }
    }
}

impl Dataset for RawEnterprises {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.records
    }

    fn write(&self, item: u64, rows: &mut Rows) {
        let World { seed, places, .. } = &self.world;
        let random = &mut Random::at(*seed, "raw enterprise", item);
        let (from, to) = (new_year(1995), new_year(2026));
        let registered = from + (item * (to - from) as u64 / self.records) as i32;
        let date = date_of(registered).format("%Y-%m-%d").to_string();
        let township = places.township(random);
        let prefecture =
            PREFECTURES.iter().find(|(code, _)| township.starts_with(code)).map_or("N/A", |(_, name)| *name);
        let (trade, scope) = random.pick(TRADES);
        let code = uscc(county_on(township, registered), item);
        rows.text(&date[..4]).format(format_args!(
            "{prefecture}{}{}{trade}有限公司",
            random.pick(FIRST),
            random.pick(SECOND)
        ));
        // A few in 100,000 are broken, as in the register itself: in small letters, cut off, with a wrong check.
        match random.below(100_000) {
            0 => rows.text(text(&code).to_lowercase().as_str()),
            1 => rows.text(&text(&code)[..17]),
            2 => rows.format(format_args!("{}{}", &text(&code)[..17], if code[17] == b'0' { '1' } else { '0' })),
            _ => rows.text(text(&code)),
        };
        rows.text(date.as_str()).text(*random.pick_weighted(&[(83, "N/A"), (12, "有限责任公司"), (5, "股份有限公司")]));
        capital(random, rows);
        rows.text(*scope)
            .text("吉林")
            .text(if random.chance(5) { "N/A" } else { prefecture })
            .format(format_args!("{prefecture}合成路{}号", random.between(1, 2_999)));
    }
}

/// A registered capital in one of the ways in which registrars write it.
fn capital(random: &mut Random, rows: &mut Rows) {
    let amount = random.draw(CAPITAL);
    match *random.pick_weighted(&[
        (560, 0),
        (315, 1),
        (40, 2),
        (30, 3),
        (20, 4),
        (15, 5),
        (8, 6),
        (6, 7),
        (4, 8),
        (2, 9),
    ]) {
        0 => rows.format(format_args!("{amount}(万元人民币)")),
        1 => rows.text("N/A"),
        2 => rows.format(format_args!("{amount}万人民币")),
        3 => rows.format(format_args!("{amount}.{:04}(万元)", random.between(0, 9_999))),
        4 if amount > 999 => rows.format(format_args!("{},{:03}(万元)", amount / 1_000, amount % 1_000)),
        4 | 5 => rows.format(format_args!("{amount}(万美元)")),
        6 => rows.format(format_args!("{}(元人民币)", amount * 10_000)),
        7 => rows.format(format_args!("{amount}(万)")),
        8 => rows.text("-"),
        _ => rows.format(format_args!("{amount}()")),
    };
}
