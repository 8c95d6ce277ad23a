//! What each kind of metric computes.

use super::{Lake, Question, ask, cases};
use crate::error::ErrorKind;

#[tokio::test]
async fn a_simple_metric_keeps_its_measures_type() {
    let lake = cases().await;
    assert_eq!(lake.rows(ask("cases")).await, ["8 -"]);
    // 10.10 + 20.20 + 0.30 + 1 + 2 + 5 + 7, exact.
    assert_eq!(lake.rows(ask("fees")).await, ["45.600000 -"]);
    assert_eq!(lake.rows(ask("cases").by(&["channel"])).await, ["online 5 -", "window 3 -"]);
    assert_eq!(lake.rows(ask("cases").from("2017-01-21").to("2019-01-05")).await, ["2 -"]);
}

#[tokio::test]
async fn a_ratio_is_null_over_zero_and_over_nothing() {
    let lake = cases().await;
    // Within three days: 2, 3, 1, 3 of eight.
    assert_eq!(lake.rows(ask("quick_share")).await, ["0.5 -"]);
    assert_eq!(lake.rows(ask("quick_per_slow")).await, ["- zero_base"]);
    assert_eq!(lake.rows(ask("quick_share").from("2018-01-01").to("2018-12-31")).await, ["- no_data"]);
}

#[tokio::test]
async fn nothing_is_missing_unless_the_model_says_that_it_is_zero() {
    let lake = cases().await;
    let nothing = |metric| ask(metric).from("2018-01-01").to("2018-12-31");
    assert_eq!(lake.rows(nothing("cases")).await, ["- no_data"]);
    assert_eq!(lake.rows(nothing("handled")).await, ["0 -"]);
}

#[tokio::test]
async fn growth_is_missing_in_a_missing_year_and_in_the_next() {
    let lake = cases().await;
    let growth = lake.rows(ask("case_growth").grain("year")).await;
    // 3 in 2016, 2 in 2017, none delivered for 2018, 3 in 2019.
    let third = 2.0 / 3.0 - 1.0;
    assert_eq!(
        growth,
        [
            "2016-01-01 - no_base".to_owned(),
            format!("2017-01-01 {third} -"),
            "2018-01-01 - no_data".to_owned(),
            "2019-01-01 - no_base".to_owned(),
        ]
    );
    // The base lies before `from`, and is read all the same.
    let from_2017 = lake.rows(ask("case_growth").grain("year").from("2017-01-01").to("2017-12-31")).await;
    assert_eq!(from_2017, [format!("2017-01-01 {third} -")]);
}

#[tokio::test]
async fn growth_over_a_range_compares_it_with_the_range_before() {
    let lake = cases().await;
    let year = |metric| ask(metric).from("2017-01-01").to("2017-12-31");
    assert_eq!(lake.rows(year("case_growth")).await, [format!("{} -", 2.0 / 3.0 - 1.0)]);
    let error = lake.ask(ask("case_growth").from("2017-01-01")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.hint().unwrap().contains("`from` and `to`"), "{error}");
}

#[tokio::test]
async fn an_offset_of_a_ratio_shifts_both_its_measures() {
    let lake = cases().await;
    let change = lake.rows(ask("share_change").grain("month").from("2016-01-01").to("2016-04-30")).await;
    // Shares: January 1/1, February 0/1, March nothing, April 0/1.
    assert_eq!(change, ["2016-01-01 - no_base", "2016-02-01 -1.0 -", "2016-03-01 - no_data", "2016-04-01 - no_base"]);
}

#[tokio::test]
async fn year_to_date_starts_again_each_january_and_goes_on_behind_a_gap() {
    let lake = cases().await;
    let to_date = lake.rows(ask("cases_to_date").grain("quarter").from("2016-04-01").to("2017-03-31")).await;
    // The first quarter of 2016 had two cases; the third and fourth none.
    assert_eq!(to_date, ["2016-04-01 3 -", "2016-07-01 - no_data", "2016-10-01 - no_data", "2017-01-01 2 -"]);
    assert_eq!(lake.rows(ask("cases_to_date").to("2016-03-31")).await, ["2 -"]);
}

#[tokio::test]
async fn all_time_reaches_behind_from() {
    let lake = cases().await;
    let ever = lake.rows(ask("fees_ever").grain("year").from("2017-01-01")).await;
    assert_eq!(ever, ["2017-01-01 33.600000 -", "2018-01-01 - no_data", "2019-01-01 45.600000 -"]);
    assert_eq!(lake.rows(ask("fees_ever").to("2016-12-31")).await, ["30.600000 -"]);
}

const STAFF_MODEL: &str = r#"
version = 1
table = "approvals.staff"
time_dimension = "month"
finest_grain = "month"
[dimensions.channel]
title = { zh = "渠道", en = "Channel" }
[measures.clerks]
expr = "sum(clerks)"
[metrics.clerks]
type = "simple"
measure = "clerks"
title = { zh = "人数", en = "Clerks" }
description = { zh = "人数", en = "Clerks" }
owner = "approvals office"
[metrics.cases_per_clerk]
type = "derived"
expr = "cases / clerks"
inputs.cases.metric = "cases"
inputs.clerks.metric = "clerks"
title = { zh = "人均", en = "Per clerk" }
description = { zh = "人均", en = "Per clerk" }
owner = "approvals office"
"#;

async fn with_staff() -> Lake {
    let rows = "SELECT cast(column1 AS date) AS month, column2 AS channel, column3 AS clerks FROM (VALUES
        ('2019-01-01', 'online', 2), ('2019-01-01', 'window', 5), ('2019-03-01', 'window', 4), ('2019-03-01', NULL, 1))";
    cases().await.table("approvals.staff", rows).await.model("metrics/staff.toml", STAFF_MODEL)
}

#[tokio::test]
async fn metrics_of_two_models_meet_on_period_and_group() {
    let lake = with_staff().await;
    let per_clerk = ask("cases_per_clerk").grain("month").by(&["channel"]).from("2019-01-01").to("2019-03-31");
    assert_eq!(
        lake.rows(per_clerk).await,
        [
            "2019-01-01 online 0.5 -",
            "2019-01-01 window - no_data",
            "2019-01-01 - - no_data",
            "2019-02-01 online - no_data",
            "2019-02-01 window - no_data",
            "2019-02-01 - - no_data",
            "2019-03-01 online - no_data",
            "2019-03-01 window 0.25 -",
            "2019-03-01 - - no_data",
        ]
    );
    assert_eq!(lake.rows(ask("cases_per_clerk").from("2019-01-01")).await, ["0.25 -"]);
    let tables = lake.models().tables("cases_per_clerk").unwrap();
    assert_eq!(tables.iter().map(ToString::to_string).collect::<Vec<_>>(), ["approvals.cases", "approvals.staff"]);
}

#[tokio::test]
async fn a_derived_metric_over_two_models_has_the_coarser_grain() {
    let lake = with_staff().await;
    let error = lake.ask(ask("cases_per_clerk").grain("day")).await.unwrap_err();
    assert_eq!(error.to_string(), "metric `cases_per_clerk` cannot be asked by day");
    assert_eq!(error.hint(), Some("ask by month, quarter, year"));
}
