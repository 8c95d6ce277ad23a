//! Approximate distinct counts over periods: a window gives what the rows under it give when they are counted at once.

use super::{Lake, Question, ask, metric, simple};
use crate::semantic::MetricQuery;

/// Ten months of 2019 with September not delivered; some 1,500 persons a month of 5,000 in two kinds, most of whom come
/// in several months.
const VISITS: &str = "SELECT CAST(CAST(17897 + value % 304 AS INT) AS DATE) AS day, \
                      CASE WHEN value % 3 = 0 THEN 'a' ELSE 'b' END AS kind, \
                      CASE WHEN value % 101 = 0 THEN NULL ELSE (value * 7919 + value / 5) % 5000 END AS person \
                      FROM range(0, 18000) WHERE NOT value % 304 BETWEEN 243 AND 272";

fn model() -> String {
    let cumulative = |name: &str, measure: &str, window: &str| {
        metric(name, &format!("type = \"cumulative\"\nmeasure = \"{measure}\"\nwindow = {window}"))
    };
    [
        "version = 1\ntable = \"stats.visits\"\ntime_dimension = \"day\"\n".to_owned(),
        "[dimensions.kind]\ntitle = { zh = \"a\", en = \"a\" }\n".to_owned(),
        "[measures]\npersons.expr = \"approx_distinct(person)\"\nvisits.expr = \"count(*)\"\n".to_owned(),
        "complete = { expr = \"approx_distinct(person)\", empty_periods = \"zero\" }\n".to_owned(),
        simple("persons"),
        simple("complete"),
        cumulative("year_to_date", "persons", "\"year-to-date\""),
        cumulative("quarter_to_date", "persons", "\"quarter-to-date\""),
        cumulative("all_time", "persons", "\"all-time\""),
        cumulative("three_months", "persons", "{ rolling = \"3 months\" }"),
        cumulative("complete_three", "complete", "{ rolling = \"3 months\" }"),
        cumulative("visits_to_date", "visits", "\"year-to-date\""),
        metric(
            "new_share",
            "type = \"derived\"\nexpr = \"now / whole\"\ninputs.now = { metric = \"persons\" }\n\
             inputs.whole = { metric = \"all_time\" }",
        ),
        metric("growth", "type = \"change\"\nmetric = \"three_months\"\noffset = \"1 month\"\nas = \"difference\""),
    ]
    .concat()
}

async fn lake() -> Lake {
    Lake::new().table("stats.visits", VISITS).await.model("metrics/visits.toml", &model())
}

/// The count of the rows from one day to before another, at once and exactly.
async fn direct(lake: &Lake, kind: &str, from: &str, before: &str) -> (i64, i64) {
    let statement = format!(
        "SELECT hll_estimate(hll_sketch(person)), count(DISTINCT person) FROM stats_visits \
         WHERE kind LIKE '{kind}' AND day >= DATE '{from}' AND day < DATE '{before}'"
    );
    let rows = lake.sql(&statement).await;
    let (estimate, exact) = rows[0].split_once(' ').unwrap();
    (estimate.parse().unwrap(), exact.parse().unwrap())
}

fn month(number: u32) -> String {
    format!("2019-{number:02}-01")
}

#[tokio::test]
async fn a_window_gives_what_its_rows_give_at_once() {
    let lake = lake().await;
    for (metric, first) in [
        ("year_to_date", (|_| 1) as fn(u32) -> u32),
        ("all_time", |_| 1),
        ("quarter_to_date", |month| (month - 1) / 3 * 3 + 1),
        ("three_months", |month| month - 2),
    ] {
        for kinds in [&["%"][..], &["a", "b"]] {
            let by: &[&str] = if kinds.len() > 1 { &["kind"] } else { &[] };
            let rows = lake.rows(ask(metric).grain("month").by(by)).await;
            assert_eq!(rows.len(), 10 * kinds.len());
            for (at, row) in rows.iter().enumerate() {
                let (number, kind) = (at as u32 / kinds.len() as u32 + 1, kinds[at % kinds.len()]);
                let found: Vec<_> = row.split(' ').skip(by.len() + 1).collect();
                if number == 9 {
                    assert_eq!(found, ["-", "no_data"], "{metric} {row}");
                } else if metric == "three_months" && (number < 3 || number == 10) {
                    assert_eq!(found, ["-", "no_base"], "{metric} {row}");
                } else {
                    let (estimate, exact) = direct(&lake, kind, &month(first(number)), &month(number + 1)).await;
                    assert_eq!(found, [estimate.to_string().as_str(), "-"], "{metric} {row}");
                    let error = (estimate - exact) as f64 / exact as f64;
                    assert!(error.abs() < 0.03, "{metric} {row}: {exact}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_answer_is_one_by_whatever_path() {
    let lake = lake().await;
    let last = |rows: Vec<String>| rows.last().unwrap().split_once(' ').unwrap().1.to_owned();
    let (estimate, _) = direct(&lake, "%", "2019-03-01", "2019-06-01").await;
    let expected = format!("{estimate} -");
    // By months, by days, and over the range at once.
    let three = || ask("three_months").to("2019-05-31");
    assert_eq!(last(lake.rows(three().grain("month").from("2019-05-01")).await), expected);
    assert_eq!(lake.rows(three()).await, [expected.as_str()]);
    let quarter = |query: MetricQuery| query.grain("day").to("2019-06-30");
    let (estimate, _) = direct(&lake, "%", "2019-04-01", "2019-07-01").await;
    assert_eq!(last(lake.rows(quarter(ask("quarter_to_date"))).await), format!("{estimate} -"));
    // A coarser grain is one period of the same rows.
    assert_eq!(lake.rows(ask("persons").from("2019-04-01").to("2019-06-30")).await, [format!("{estimate} -")]);
    let quarters = lake.rows(ask("persons").grain("quarter")).await;
    assert_eq!(quarters[1], format!("2019-04-01 {estimate} -"));
}

#[tokio::test]
async fn nothing_in_a_complete_period_is_a_sketch_of_nothing() {
    let lake = lake().await;
    assert_eq!(lake.rows(ask("complete").grain("month")).await[8], "2019-09-01 0 -");
    let rows = lake.rows(ask("complete_three").grain("month")).await;
    for (number, first) in [(9, 7), (10, 8)] {
        let (estimate, _) = direct(&lake, "%", &month(first), &month(number + 1)).await;
        assert_eq!(rows[number as usize - 1], format!("{} {estimate} -", month(number)));
    }
}

#[tokio::test]
async fn figures_and_sketches_of_one_measure_go_together() {
    let lake = lake().await;
    let shares = lake.rows(ask("new_share").grain("month")).await;
    assert_eq!(shares[0], "2019-01-01 1.0 -");
    let (april, _) = direct(&lake, "%", "2019-04-01", "2019-05-01").await;
    let (whole, _) = direct(&lake, "%", "2019-01-01", "2019-05-01").await;
    assert_eq!(shares[3], format!("2019-04-01 {:?} -", april as f64 / whole as f64));
    let growth = lake.rows(ask("growth").grain("month")).await;
    let (now, _) = direct(&lake, "%", "2019-02-01", "2019-05-01").await;
    let (before, _) = direct(&lake, "%", "2019-01-01", "2019-04-01").await;
    assert_eq!(growth[3], format!("2019-04-01 {:?} -", (now - before) as f64));
    let models = lake.models();
    assert!(models.summary("year_to_date").unwrap().approximate);
    assert!(!models.summary("visits_to_date").unwrap().approximate);
}
