//! Approximate distinct counts and percentiles over periods: a window gives what the rows under it give when they are looked
//! at at once.

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

/// Amounts of both signs in the same ten months, some missing; of kind `c` there is none in June.
const PAYMENTS: &str = "SELECT CAST(CAST(17897 + value % 304 AS INT) AS DATE) AS day, \
                        CASE WHEN value % 3 = 0 THEN 'a' WHEN value % 3 = 1 THEN 'b' ELSE 'c' END AS kind, \
                        CAST(CASE WHEN value % 3 = 2 AND value % 304 BETWEEN 151 AND 180 THEN NULL \
                        ELSE (value * 7919 % 100003 - 9000) / 4.0 END AS DECIMAL(12, 2)) AS amount \
                        FROM range(0, 9000) WHERE NOT value % 304 BETWEEN 243 AND 272";

/// The measures, each with its share of the rows below and, where it has one, its condition.
const PERCENTILES: [(&str, &str, &str, &str); 5] = [
    ("p90", "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY amount)", "0.9", "true"),
    ("from_above", "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY amount DESC)", "1 - 0.9", "true"),
    ("other_form", "approx_percentile_cont(amount, 0.25)", "0.25", "true"),
    ("middle", "approx_median(amount)", "0.5", "true"),
    (
        "late",
        "approx_percentile_cont(1 - 0.3) WITHIN GROUP (ORDER BY amount) FILTER (WHERE kind <> 'b')",
        "1 - 0.3",
        "kind <> 'b'",
    ),
];

async fn payments() -> Lake {
    let mut text = "version = 1\ntable = \"stats.payments\"\ntime_dimension = \"day\"\n\
                    [dimensions.kind]\ntitle = { zh = \"a\", en = \"a\" }\n[measures]\n"
        .to_owned();
    for (name, expr, ..) in PERCENTILES {
        text += &format!("{name}.expr = \"{expr}\"\n");
    }
    for (name, ..) in PERCENTILES {
        text += &simple(name);
        for (window, written) in
            [("to_date", "\"year-to-date\""), ("ever", "\"all-time\""), ("rolling", "{ rolling = \"3 months\" }")]
        {
            let rest = format!("type = \"cumulative\"\nmeasure = \"{name}\"\nwindow = {written}");
            text += &metric(&format!("{name}_{window}"), &rest);
        }
    }
    Lake::new().table("stats.payments", PAYMENTS).await.model("metrics/payments.toml", &text)
}

/// The percentile of the rows from one day to before another, at once and exactly.
async fn percentile(lake: &Lake, of: &(&str, &str, &str, &str), kind: &str, from: &str, before: &str) -> (f64, f64) {
    let (_, _, share, condition) = of;
    let statement = format!(
        "SELECT percentile_estimate(percentile_sketch(amount), {share}) AS about, \
         percentile_cont({share}) WITHIN GROUP (ORDER BY CAST(amount AS DOUBLE)) AS exactly FROM stats_payments \
         WHERE {condition} AND kind LIKE '{kind}' AND day >= DATE '{from}' AND day < DATE '{before}'"
    );
    let rows = lake.sql(&statement).await;
    let (estimate, exact) = rows[0].split_once(' ').unwrap();
    (estimate.parse().unwrap(), exact.parse().unwrap())
}

#[tokio::test]
async fn a_percentile_over_a_window_is_that_of_its_rows() {
    let lake = payments().await;
    for of in &PERCENTILES {
        for (window, first) in [("to_date", (|_| 1) as fn(u32) -> u32), ("ever", |_| 1), ("rolling", |month| month - 2)]
        {
            for kind in ["%", "a"] {
                let mut query = ask(&format!("{}_{window}", of.0)).grain("month");
                if kind != "%" {
                    query = query.only(&format!("kind = '{kind}'"));
                }
                let rows = lake.rows(query).await;
                assert_eq!(rows.len(), 10);
                for (at, row) in rows.iter().enumerate() {
                    let number = at as u32 + 1;
                    let found: Vec<_> = row.split(' ').skip(1).collect();
                    if number == 9 {
                        assert_eq!(found, ["-", "no_data"], "{} {window} {row}", of.0);
                    } else if window == "rolling" && (number < 3 || number == 10) {
                        assert_eq!(found, ["-", "no_base"], "{} {window} {row}", of.0);
                    } else {
                        let (from, before) = (month(first(number)), month(number + 1));
                        let (estimate, exact) = percentile(&lake, of, kind, &from, &before).await;
                        assert_eq!(found, [format!("{estimate:?}").as_str(), "-"], "{} {window} {row}", of.0);
                        assert!((estimate / exact - 1.0).abs() <= 0.01, "{} {window} {row}: {exact}", of.0);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn percentiles_are_one_by_whatever_path_and_missing_where_there_are_no_values() {
    let lake = payments().await;
    let (p90, middle) = (&PERCENTILES[0], &PERCENTILES[3]);
    let (estimate, _) = percentile(&lake, p90, "%", "2019-03-01", "2019-06-01").await;
    let expected = format!("{estimate:?} -");
    assert_eq!(lake.rows(ask("p90_rolling").to("2019-05-31")).await, [expected.as_str()]);
    assert_eq!(lake.rows(ask("p90").from("2019-03-01").to("2019-05-31")).await, [expected.as_str()]);
    let days = lake.rows(ask("p90_rolling").grain("day").from("2019-05-31").to("2019-05-31")).await;
    assert_eq!(days, [format!("2019-05-31 {expected}")]);
    // June of `c` has rows, and no values.
    let months = lake.rows(ask("middle").grain("month").only("kind = 'c'")).await;
    assert_eq!(months[5], "2019-06-01 - no_data");
    let windows = lake.rows(ask("middle_to_date").grain("month").only("kind = 'c'")).await;
    assert_eq!(windows[5], "2019-06-01 - no_data");
    let (estimate, _) = percentile(&lake, middle, "c", "2019-01-01", "2019-08-01").await;
    assert_eq!(windows[6], format!("2019-07-01 {estimate:?} -"));
    assert!(lake.models().summary("middle_to_date").unwrap().approximate);
}

#[tokio::test]
async fn a_percentile_that_cannot_be_is_refused() {
    let found = async |measure: &str, rest: &str| {
        let text = format!(
            "version = 1\ntable = \"stats.payments\"\ntime_dimension = \"day\"\n[measures]\nm = {{ expr = \"{measure}\"{rest} }}\n{}",
            metric("to_date", "type = \"cumulative\"\nmeasure = \"m\"\nwindow = \"year-to-date\"")
        );
        Lake::new().table("stats.payments", PAYMENTS).await.model("metrics/payments.toml", &text).faults().join("; ")
    };
    for (measure, rest, reason) in [
        (
            "approx_percentile_cont(1.5) WITHIN GROUP (ORDER BY amount)",
            "",
            "a percentile is a number from 0 to 1, not 1.5",
        ),
        ("approx_percentile_cont(amount) WITHIN GROUP (ORDER BY amount)", "", "and not of each row: `amount`"),
        ("approx_median(kind)", "", "percentile_sketch(value) takes numbers, not"),
        ("approx_median(amount)", ", empty_periods = \"zero\"", "only sums and counts are zero where nothing happened"),
        ("approx_median(amount) * 2", "", "an estimate that is computed with is not one of a percentile any more"),
        // Centroids are those of another sketch, which is not put together.
        (
            "approx_percentile_cont(0.5, 200) WITHIN GROUP (ORDER BY amount)",
            "",
            "the `approx_percentile_cont` of a year is not the sum of its months'",
        ),
    ] {
        let found = found(measure, rest).await;
        assert!(found.contains(reason), "{measure}: {found}");
    }
    assert_eq!(found("approx_median(amount)", "").await, "");
}
