//! What happened when a new enterprise was founded: told once, for the start-up cases, the registrations and the
//! yearly stock alike.

use super::super::World;
use super::super::days::{Days, Instant, YEARS, day_at, instant, minutes_after, year_of};
use super::super::enterprises::Enterprise;
use super::super::random::{Quantiles, Random};

/// Minutes from acceptance to licence where the system decides by itself.
const AUTOMATIC_MINUTES: Quantiles = Quantiles(&[(0, 17), (500, 34), (5_000, 95), (9_000, 180), (10_000, 420)]);

/// Working days from acceptance to licence where an officer decides, in the first and the last year.
const OFFICER_DAYS: [Quantiles; 2] = [
    Quantiles(&[(0, 0), (1_500, 1), (5_000, 2), (8_000, 3), (9_300, 5), (9_900, 9), (10_000, 20)]),
    Quantiles(&[(0, 0), (4_500, 1), (8_500, 2), (9_500, 3), (9_900, 5), (10_000, 14)]),
];

/// Working days that each later step takes.
const STEP_DAYS: Quantiles = Quantiles(&[(0, 0), (6_500, 1), (9_300, 2), (9_900, 4), (10_000, 8)]);

/// The founding of one enterprise. A step that was not done by the last day of the records is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Startup {
    pub(super) enterprise: Enterprise,
    pub(super) channel: &'static str,
    pub(super) accepted: Instant,
    pub(super) name: Option<Instant>,
    pub(super) licence: Option<Instant>,
    pub(super) seal: Option<Instant>,
    pub(super) tax: Option<Instant>,
    pub(super) social_security: Option<Instant>,
    /// The founder's own choice, so often never.
    pub(super) bank: Option<Instant>,
}

impl Startup {
    /// The founding of enterprise number `e`, one of the records' years.
    pub(super) fn of(world: &World, e: u64) -> Self {
        let World { seed, days, places, enterprises } = world;
        let enterprise = enterprises.get(e, places);
        let random = &mut Random::at(*seed, "start-up", e);
        let day = enterprise.founded;
        let years = (year_of(day) - YEARS.0) as u64;
        let online = 35 + 7 * years;
        let channel = if days.is_working(day) {
            *random.pick_weighted(&[(online, "e窗通"), (95 - online, "窗口"), (5, "自助终端")])
        } else {
            "e窗通"
        };
        let minute = if channel == "e窗通" { random.between(420, 1_319) } else { random.between(510, 1_019) };
        let accepted = instant(day, minute, random);
        let automatic = channel == "e窗通" && random.chance(1_000 + 600 * years);
        let licence = if automatic {
            by_the_end(minutes_after(accepted, random.draw(AUTOMATIC_MINUTES)))
        } else {
            // Habits change over the years, not overnight.
            let late = random.below(8) < years;
            days.office(accepted, random.draw(OFFICER_DAYS[usize::from(late)]), random)
        };
        // The name is settled on the way to the licence.
        let name = licence.map(|licence| accepted + (licence - accepted) / 60_000_000 / 3 * 60_000_000);
        let mut step = |together: u64| {
            let licence = licence?;
            if channel == "e窗通" && random.chance(together) {
                return by_the_end(minutes_after(licence, random.between(2, 40)));
            }
            days.office(licence, random.draw(STEP_DAYS), random)
        };
        let (seal, tax, social_security) = (step(5_000), step(6_000), step(8_000));
        let bank = step(1_000);
        let bank = bank.filter(|_| random.chance(6_500));
        Self { enterprise, channel, accepted, name, licence, seal, tax, social_security, bank }
    }
}

fn by_the_end(at: Instant) -> Option<Instant> {
    (day_at(at) <= Days::last()).then_some(at)
}
