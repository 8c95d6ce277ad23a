//! Periods: what lies in one, and what is shown where nothing lies.

use super::{Lake, Question, ask, cases};

#[tokio::test]
async fn every_period_between_the_first_and_the_last_is_shown_for_every_group() {
    let lake = cases().await;
    assert_eq!(
        lake.rows(ask("cases").grain("year").by(&["channel"])).await,
        [
            "2016-01-01 online 2 -",
            "2016-01-01 window 1 -",
            "2017-01-01 online 1 -",
            "2017-01-01 window 1 -",
            "2018-01-01 online - no_data",
            "2018-01-01 window - no_data",
            "2019-01-01 online 2 -",
            "2019-01-01 window 1 -",
        ]
    );
}

#[tokio::test]
async fn a_gap_at_the_edge_of_the_range_is_shown_and_what_the_table_does_not_cover_is_not() {
    let lake = cases().await;
    let edge = lake.rows(ask("cases").grain("year").from("2017-01-01").to("2018-12-31")).await;
    assert_eq!(edge, ["2017-01-01 2 -", "2018-01-01 - no_data"]);
    let beyond = lake.rows(ask("cases").grain("year").from("2019-01-01").to("2025-12-31")).await;
    assert_eq!(beyond, ["2019-01-01 3 -"]);
    // A filter does not change what the table covers.
    let window = lake.rows(ask("cases").grain("month").only("channel = 'window'").to("2016-05-31")).await;
    assert_eq!(
        window,
        [
            "2016-01-01 - no_data",
            "2016-02-01 - no_data",
            "2016-03-01 - no_data",
            "2016-04-01 1 -",
            "2016-05-01 - no_data"
        ]
    );
}

#[tokio::test]
async fn a_complete_source_shows_zero_for_a_period_without_rows() {
    let lake = cases().await;
    let handled = lake.rows(ask("handled").grain("quarter").to("2016-12-31")).await;
    assert_eq!(handled, ["2016-01-01 2 -", "2016-04-01 1 -", "2016-07-01 0 -", "2016-10-01 0 -"]);
}

#[tokio::test]
async fn the_range_includes_both_its_days() {
    let lake = cases().await;
    let days = lake.rows(ask("cases").grain("day").from("2017-01-20").to("2017-01-21")).await;
    assert_eq!(days, ["2017-01-20 1 -", "2017-01-21 1 -"]);
}

#[tokio::test]
async fn a_metric_that_looks_back_takes_whole_periods_only() {
    let lake = cases().await;
    let error = lake.ask(ask("case_growth").grain("month").to("2019-03-30")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "metric `case_growth` looks back and compares whole periods, and `to` 2019-03-30 cuts a month"
    );
    assert_eq!(error.hint(), Some("use `to` 2019-03-31, or no grain"));
    let error = lake.ask(ask("cases_to_date").grain("quarter").from("2019-02-01")).await.unwrap_err();
    assert!(error.to_string().contains("cuts a quarter"), "{error}");
}

const EVENTS_MODEL: &str = r#"
version = 1
table = "approvals.events"
time_dimension = "at"
measures.events.expr = "count(*)"
[metrics.events]
type = "simple"
measure = "events"
title = { zh = "事件", en = "Events" }
description = { zh = "事件", en = "Events" }
owner = "o"
[metrics.event_growth]
type = "derived"
expr = "now / before - 1"
inputs.now.metric = "events"
inputs.before = { metric = "events", offset = "1 year" }
title = { zh = "同比", en = "Growth" }
description = { zh = "同比", en = "Growth" }
owner = "o"
"#;

async fn events(times: &[&str]) -> Lake {
    let values: Vec<_> = times.iter().map(|time| format!("('{time}')")).collect();
    let rows = format!(
        "SELECT arrow_cast(arrow_cast(column1, 'Timestamp(Microsecond, None)'), 'Timestamp(Microsecond, Some(\"UTC\"))')
         AS at FROM (VALUES {})",
        values.join(", ")
    );
    Lake::new().table("approvals.events", &rows).await.model("metrics/events.toml", EVENTS_MODEL)
}

#[tokio::test]
async fn an_instant_belongs_to_its_day_in_china() {
    // 15:59:59 UTC is 23:59:59 in China, 16:00 the next day's beginning.
    let lake = events(&["2019-03-31T15:59:59", "2019-03-31T16:00:00", "2018-12-31T16:00:00"]).await;
    let months = lake.rows(ask("events").grain("month")).await;
    assert_eq!(months, ["2019-01-01 1 -", "2019-02-01 - no_data", "2019-03-01 1 -", "2019-04-01 1 -"]);
    assert_eq!(lake.rows(ask("events").from("2019-04-01")).await, ["1 -"]);
    assert_eq!(lake.rows(ask("events").to("2019-03-31")).await, ["2 -"]);
    assert_eq!(lake.rows(ask("events").from("2019-01-01").to("2019-01-01")).await, ["1 -"]);
}

#[tokio::test]
async fn summer_time_moves_the_days_of_1986_to_1991() {
    // 15:30 UTC was 00:30 of 2 July 1988, and 23:30 of 1 December.
    let lake = events(&["1988-07-01T14:59:59", "1988-07-01T15:30:00", "1988-12-01T15:30:00"]).await;
    let second = || ask("events").from("1988-07-02").to("1988-07-02");
    assert_eq!(lake.rows(second()).await, ["1 -"]);
    assert_eq!(lake.rows(second().grain("day")).await, ["1988-07-02 1 -"]);
    assert_eq!(lake.rows(ask("events").from("1988-12-01").to("1988-12-01")).await, ["1 -"]);
}

#[tokio::test]
async fn a_year_before_the_leap_day_is_the_last_of_february() {
    let lake = events(&["2019-02-28T04:00:00", "2020-02-29T04:00:00", "2020-02-29T05:00:00"]).await;
    let growth = lake.rows(ask("event_growth").grain("day").from("2020-02-29").to("2020-02-29")).await;
    assert_eq!(growth, ["2020-02-29 1.0 -"]);
}

#[tokio::test]
async fn an_open_end_does_not_fill_millions_of_days() {
    let lake = events(&["2019-02-28T04:00:00", "9999-12-31T04:00:00"]).await;
    let ask_days = || ask("events").grain("day").from("2019-01-01");
    let plan = lake.models().plan(&ask_days(), &lake.session, lake.plans(), lake.today()).unwrap();
    let context = datafusion::prelude::SessionContext::new_with_state(lake.session.clone());
    let frame = context.execute_logical_plan(plan.plan).await.unwrap();
    let error = frame.collect().await.unwrap_err();
    // 7,980 years have 1,935 leap days: the 7,981 x 365 + 1,935 days from 2019 on, less the 58 before 28 February.
    let expected = "`at` spans 2019-02-28 to 9999-12-31, which is 2914942 periods of a day, and at the most 50000";
    assert!(error.to_string().contains(expected), "{error}");
    // A range that is asked for bounds it, and years are few enough.
    assert_eq!(lake.rows(ask_days().to("2019-03-01")).await, ["2019-02-28 1 -", "2019-03-01 - no_data"]);
    assert_eq!(lake.rows(ask("events").grain("year")).await.len(), 7_981);
}
