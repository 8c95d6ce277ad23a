//! What cumulative metrics add, and where they stand.

use super::{Lake, Question, ask, metric, simple};

fn model() -> String {
    let cumulative = |name: &str, measure: &str, window: &str| {
        metric(name, &format!("type = \"cumulative\"\nmeasure = \"{measure}\"\nwindow = {window}"))
    };
    let head = "version = 1\ntable = \"stats.days\"\ntime_dimension = \"day\"\n";
    let measures = "[measures]\nn.expr = \"sum(n)\"\nz = { expr = \"sum(n)\", empty_periods = \"zero\" }\n";
    let title = "[dimensions.kind]\ntitle = { zh = \"a\", en = \"a\" }\n";
    [
        head.to_owned(),
        title.to_owned(),
        measures.to_owned(),
        simple("n"),
        cumulative("month_to_date", "n", "\"month-to-date\""),
        cumulative("quarter_to_date", "n", "\"quarter-to-date\""),
        cumulative("week_to_date", "n", "\"week-to-date\""),
        cumulative("three_months", "n", "{ rolling = \"3 months\" }"),
        cumulative("one_month", "z", "{ rolling = \"1 month\" }"),
        cumulative("seven_days", "z", "{ rolling = \"7 days\" }"),
        metric("growth", "type = \"change\"\nmetric = \"three_months\"\noffset = \"1 month\""),
    ]
    .concat()
}

async fn days(rows: &[(&str, i64)]) -> Lake {
    let values: Vec<_> = rows.iter().map(|(day, n)| format!("('{day}', {n})")).collect();
    let rows =
        format!("SELECT cast(column1 AS date) AS day, 'k' AS kind, column2 AS n FROM (VALUES {})", values.join(", "));
    Lake::new().table("stats.days", &rows).await.model("metrics/days.toml", &model())
}

/// Months of a year whose July was not delivered, each with a figure of its own bit.
async fn months() -> Lake {
    days(&[
        ("2019-01-15", 1),
        ("2019-02-10", 2),
        ("2019-03-20", 4),
        ("2019-04-01", 8),
        ("2019-05-31", 16),
        ("2019-06-30", 32),
        ("2019-08-08", 64),
    ])
    .await
}

#[tokio::test]
async fn to_date_begins_again_with_each_quarter_month_and_week() {
    let lake = months().await;
    let quarters = lake.rows(ask("quarter_to_date").grain("month")).await;
    assert_eq!(
        quarters,
        [
            "2019-01-01 1 -",
            "2019-02-01 3 -",
            "2019-03-01 7 -",
            "2019-04-01 8 -",
            "2019-05-01 24 -",
            "2019-06-01 56 -",
            "2019-07-01 - no_data",
            "2019-08-01 64 -",
        ]
    );
    // Friday to Tuesday over the end of a month.
    let lake = days(&[("2019-03-29", 1), ("2019-03-31", 2), ("2019-04-01", 4), ("2019-04-02", 8)]).await;
    let weeks = lake.rows(ask("week_to_date").grain("day")).await;
    assert_eq!(
        weeks,
        ["2019-03-29 1 -", "2019-03-30 - no_data", "2019-03-31 3 -", "2019-04-01 4 -", "2019-04-02 12 -"]
    );
    let in_months = lake.rows(ask("month_to_date").grain("day").from("2019-03-31")).await;
    assert_eq!(in_months, ["2019-03-31 3 -", "2019-04-01 4 -", "2019-04-02 12 -"]);
}

#[tokio::test]
async fn to_date_without_a_grain_ends_with_a_day() {
    let lake = months().await;
    assert_eq!(lake.rows(ask("quarter_to_date").to("2019-05-31")).await, ["24 -"]);
    assert_eq!(lake.rows(ask("month_to_date").to("2019-05-30")).await, ["- no_data"]);
    let error = lake.ask(ask("week_to_date")).await.unwrap_err();
    assert_eq!(error.hint(), Some("give `to`, or a grain"));
}

#[tokio::test]
async fn a_rolling_sum_stands_only_where_every_period_of_it_does() {
    let lake = months().await;
    let rolling = lake.rows(ask("three_months").grain("month")).await;
    assert_eq!(
        rolling,
        [
            "2019-01-01 - no_base",
            "2019-02-01 - no_base",
            "2019-03-01 7 -",
            "2019-04-01 14 -",
            "2019-05-01 28 -",
            "2019-06-01 56 -",
            "2019-07-01 - no_data",
            "2019-08-01 - no_base",
        ]
    );
    // What lies before `from` is read.
    let may = lake.rows(ask("three_months").grain("month").from("2019-05-01").to("2019-05-31")).await;
    assert_eq!(may, ["2019-05-01 28 -"]);
    // Months overlap quarters: a rolling quarter is asked by month or by quarter.
    assert_eq!(lake.rows(ask("three_months").grain("quarter")).await[..2], ["2019-01-01 7 -", "2019-04-01 56 -"]);
    let error = lake.ask(ask("three_months").grain("year")).await.unwrap_err();
    assert_eq!(error.hint(), Some("ask by day, month, quarter"));
}

#[tokio::test]
async fn a_rolling_sum_without_a_grain_ends_with_a_day() {
    let lake = months().await;
    // From 1 March to 31 May, and from 31 May to 29 June.
    assert_eq!(lake.rows(ask("three_months").to("2019-05-31")).await, ["28 -"]);
    assert_eq!(lake.rows(ask("one_month").to("2019-06-29")).await, ["16 -"]);
    assert!(lake.ask(ask("three_months")).await.is_err());
}

#[tokio::test]
async fn a_month_of_days_has_as_many_days_as_it_has() {
    // One on each day of 2019: a month back from any day there are 28 to 31.
    let rows = "SELECT unnest(generate_series(date '2019-01-01', date '2019-12-31', interval '1 day')) AS day,
        'k' AS kind, 1 AS n";
    let lake = Lake::new().table("stats.days", rows).await.model("metrics/days.toml", &model());
    let asked = lake.rows(ask("one_month").grain("day")).await;
    // 31 March less a month is 28 February: 1 to 31 March.
    assert_eq!(asked[30..32], ["2019-01-31 31 -", "2019-02-01 31 -"]);
    assert_eq!((asked[89].as_str(), asked[58].as_str()), ("2019-03-31 31 -", "2019-02-28 31 -"));
    assert_eq!(asked[29], "2019-01-30 - no_base");
    // By a join of the rows with themselves.
    let sql = "SELECT a.day, sum(b.n), '-' FROM stats_days a JOIN stats_days b
        ON b.day <= a.day AND b.day > a.day - interval '1 month' WHERE a.day >= '2019-01-31' GROUP BY 1 ORDER BY 1";
    assert_eq!(asked[30..], lake.sql(sql).await);
    let week = lake.rows(ask("seven_days").grain("week")).await;
    // Weeks are cut at neither end here but by the year: six days in the first, two in the last.
    assert_eq!(
        (week[0].as_str(), week[1].as_str(), week[52].as_str()),
        ("2018-12-31 6 -", "2019-01-07 7 -", "2019-12-30 2 -")
    );
}

#[tokio::test]
async fn a_rolling_sum_can_be_compared_with_an_earlier_one() {
    let lake = months().await;
    let growth = lake.rows(ask("growth").grain("month").from("2019-03-01").to("2019-06-30")).await;
    assert_eq!(growth, ["2019-03-01 - no_base", "2019-04-01 1.0 -", "2019-05-01 1.0 -", "2019-06-01 1.0 -"]);
}

#[tokio::test]
async fn a_window_that_no_grain_fits_is_refused() {
    for (finest, window, message) in [
        ("month", "\"week-to-date\"", "metric `m` cannot be asked by any grain"),
        ("day", "{ rolling = \"a while\" }", "`a while` is not an offset"),
    ] {
        let text = format!(
            "version = 1\ntable = \"stats.days\"\ntime_dimension = \"day\"\nfinest_grain = \"{finest}\"\n\
             measures.n.expr = \"sum(n)\"\n{}",
            metric("m", &format!("type = \"cumulative\"\nmeasure = \"n\"\nwindow = {window}"))
        );
        let lake = Lake::new().table("stats.days", "SELECT date '2019-01-01' AS day, 1 AS n").await;
        let found = lake.model("metrics/a.toml", &text).faults();
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
}
