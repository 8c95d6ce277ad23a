//! Approvals of investment projects (投资项目审批事项), one row an item of a project.

use xiangyun_engine::catalog::ColumnType::{Boolean, Date, Int64, Text};

use super::super::days::{Arrivals, Day, YEARS, year_of};
use super::super::places::county_on;
use super::super::random::{Quantiles, Random};
use super::super::rows::{Column, Rows};
use super::super::{World, scaled};
use super::Dataset;

/// Projects at scale 1, of about nine items each.
const USUAL: u64 = 2_000;

const COLUMNS: &[Column] = &[
    ("project_id", Text, false),
    ("project_type", Text, false),
    ("region", Text, false),
    ("stage_no", Int64, false),
    ("stage", Text, false),
    ("item", Text, false),
    ("special_procedure", Boolean, false),
    ("accepted_on", Date, false),
    ("decided_on", Date, true),
    ("paused_from", Date, true),
    ("paused_to", Date, true),
];

/// The four stages of the reform of 2019 (工程建设项目审批制度改革) with items that run in parallel within a stage.
const STAGES: [(&str, &[&str]); 4] = [
    ("立项用地规划许可", &["项目审批核准备案", "用地预审与选址意见", "建设用地规划许可"]),
    ("工程建设许可", &["建设工程规划许可", "环境影响评价审批", "节能审查", "水土保持方案审批"]),
    ("施工许可", &["施工图审查", "建筑工程施工许可", "人防工程审批"]),
    ("竣工验收", &["规划核实", "消防验收", "竣工验收备案"]),
];

/// Special procedures, whose time the law does not count, by stage.
const SPECIAL: [&[&str]; 4] = [&["专家评审", "听证"], &["专家评审", "公示"], &["公示"], &["现场检测"]];

/// Working days that an item takes, in tenths, before the reform.
const TENTHS: Quantiles = Quantiles(&[(0, 10), (1_500, 50), (5_000, 160), (8_500, 330), (9_700, 600), (10_000, 1_100)]);

/// Working days that an applicant takes for what is asked of him.
const PAUSE: Quantiles = Quantiles(&[(0, 2), (5_000, 7), (9_000, 18), (10_000, 45)]);

#[derive(Debug)]
pub(super) struct ProjectItems {
    world: World,
    projects: u64,
    arrivals: Arrivals,
}

/// The days of one item.
struct Course {
    accepted: Day,
    decided: Option<Day>,
    /// When it rested; without an end while it still does.
    paused: Option<(Day, Option<Day>)>,
}

impl ProjectItems {
    pub(super) fn new(world: World, scale: f64) -> Self {
        let arrivals = Arrivals::new(&world.days, 0, &[1_000, 1_050, 940, 1_080, 1_000, 1_030, 1_020, 1_000]);
        Self { projects: scaled(USUAL, scale), arrivals, world }
    }

    /// An item that was accepted and needs `worked` working days, with a pause now and then.
    fn course(&self, accepted: Day, worked: i64, random: &mut Random) -> Course {
        let days = &self.world.days;
        let rests = worked >= 3 && random.chance(1_600);
        let pause = random.draw(PAUSE);
        if !rests {
            return Course { accepted, decided: days.add_working(accepted, worked), paused: None };
        }
        let Some(from) = days.add_working(accepted, random.between(1, worked - 1)) else {
            return Course { accepted, decided: None, paused: None };
        };
        Course {
            accepted,
            decided: days.add_working(accepted, worked + pause),
            paused: Some((from, days.add_working(from, pause))),
        }
    }
}

impl Dataset for ProjectItems {
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn items(&self) -> u64 {
        self.projects
    }

    fn write(&self, project: u64, rows: &mut Rows) {
        let World { seed, days, places, .. } = &self.world;
        let random = &mut Random::at(*seed, "project", project);
        let begun = self.arrivals.day(project, self.projects, random);
        let township = places.township(random);
        let project_type = *random.pick_weighted(&[(25, "政府投资"), (20, "核准"), (55, "备案")]);
        let pace = 1_150 - 95 * i64::from(year_of(begun) - YEARS.0);
        let mut stage_begins = Some(begun);
        for (number, (stage, items)) in STAGES.iter().enumerate() {
            let Some(begins) = stage_begins else { return };
            let mut stage_ends = Some(begins);
            // A project needs one item of a stage or several, in the stage's order.
            let needed = items.len() as u64 - random.below(items.len() as u64);
            let special = random.chance(2_200).then(|| *random.pick(SPECIAL[number]));
            let named = items.iter().take(needed as usize).map(|item| (*item, false));
            for (item, special) in named.chain(special.map(|item| (item, true))) {
                let accepted = days.add_working(begins, random.between(0, 3));
                let worked = (random.draw(TENTHS) * pace / 1_000 + 5) / 10;
                let Some(accepted) = accepted else { continue };
                let course = self.course(accepted, worked, random);
                stage_ends = stage_ends.zip(course.decided).map(|(a, b)| a.max(b));
                rows.format(format_args!("P{}-{:06}", year_of(begun), project + 1))
                    .text(project_type)
                    .format(format_args!("{}{}000", county_on(township, begun), &township[6..]))
                    .int(number as i64 + 1)
                    .text(*stage)
                    .text(item)
                    .flag(special)
                    .date(course.accepted)
                    .date(course.decided)
                    .date(course.paused.map(|(from, _)| from))
                    .date(course.paused.and_then(|(_, to)| to));
            }
            // Between two stages the applicant prepares the next one.
            stage_begins = stage_ends.and_then(|end| days.add_working(end, random.between(1, 40)));
        }
    }
}
