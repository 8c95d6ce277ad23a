//! Measures beyond sums: what they give, and that what cannot be added never is.

use super::{CASES, Lake, Question, ask, metric, simple};
use crate::semantic::Additivity;

const MEASURES: &str = r#"
version = 1
table = "approvals.cases"
time_dimension = "decided_on"
[dimensions.channel]
title = { zh = "渠道", en = "Channel" }
[measures]
cases.expr = "count(*)"
p50.expr = "percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(days AS DOUBLE))"
middle.expr = "median(CAST(days AS DOUBLE))"
p75.expr = "percentile_cont(0.75) WITHIN GROUP (ORDER BY CAST(days AS DOUBLE))"
about.expr = "approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(days AS DOUBLE))"
channels = { expr = "count(DISTINCT channel)", empty_periods = "zero" }
about_channels.expr = "approx_distinct(channel)"
more_channels.expr = "approx_distinct(channel) * 2"
doubled.expr = "2 * sum(days) - count(*)"
stock = { expr = "count(*)", stock = true }
"#;

const NAMES: [&str; 9] = ["cases", "p50", "middle", "p75", "about", "channels", "about_channels", "doubled", "stock"];

async fn lake() -> Lake {
    let metrics: String = NAMES.iter().map(|name| simple(name)).collect();
    let ratio = metric("per_channel", "type = \"ratio\"\nnumerator = \"cases\"\ndenominator = \"channels\"");
    let to_date = metric("to_date", "type = \"cumulative\"\nmeasure = \"cases\"\nwindow = \"year-to-date\"");
    let text = format!("{MEASURES}{metrics}{ratio}{to_date}");
    Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text)
}

#[tokio::test]
async fn percentiles_are_those_of_the_rows_of_each_group_and_period() {
    let lake = lake().await;
    // 1 2 3 3 4 5 6 9; online 1 2 3 4 5, window 3 6 9.
    assert_eq!(lake.rows(ask("p50")).await, ["3.5 -"]);
    assert_eq!(lake.rows(ask("middle")).await, ["3.5 -"]);
    assert_eq!(lake.rows(ask("middle").by(&["channel"])).await, ["online 3.0 -", "window 6.0 -"]);
    assert_eq!(lake.rows(ask("p75").by(&["channel"])).await, ["online 4.0 -", "window 7.5 -"]);
    // 2 4 6; 3 9; nothing; 1 3 5: none of them is a sum of months.
    let years = lake.rows(ask("p50").grain("year")).await;
    assert_eq!(years, ["2016-01-01 4.0 -", "2017-01-01 6.0 -", "2018-01-01 - no_data", "2019-01-01 3.0 -"]);
    let about = lake.rows(ask("about")).await;
    let about: f64 = about[0].split(' ').next().unwrap().parse().unwrap();
    assert!((3.0..=4.0).contains(&about), "{about}");
}

#[tokio::test]
async fn distinct_counts_are_counted_over_the_rows_and_never_summed() {
    let lake = lake().await;
    for name in ["channels", "about_channels"] {
        assert_eq!(lake.rows(ask(name)).await, ["2 -"], "{name}");
        let years = lake.rows(ask(name).grain("year")).await;
        assert_eq!((years[0].as_str(), years[3].as_str()), ("2016-01-01 2 -", "2019-01-01 2 -"), "{name}");
    }
    // Of nothing there are none: a complete source says zero.
    assert_eq!(lake.rows(ask("channels").grain("year")).await[2], "2018-01-01 0 -");
    assert_eq!(lake.rows(ask("per_channel")).await, ["4.0 -"]);
}

#[tokio::test]
async fn each_metric_says_what_it_may_be_added_over() {
    let models = lake().await.models();
    let additive = |name: &str| {
        let Additivity { groups, periods } = models.summary(name).unwrap().additive;
        (groups, periods)
    };
    for name in ["cases", "doubled"] {
        assert_eq!(additive(name), (true, true), "{name}");
    }
    for name in ["stock", "to_date"] {
        assert_eq!(additive(name), (true, false), "{name}");
    }
    for name in ["p50", "middle", "about", "channels", "about_channels", "per_channel"] {
        assert_eq!(additive(name), (false, false), "{name}");
    }
    let approximate: Vec<_> = NAMES.into_iter().filter(|name| models.summary(name).unwrap().approximate).collect();
    assert_eq!(approximate, ["about", "about_channels"]);
}

#[tokio::test]
async fn what_cannot_be_added_is_in_no_window() {
    for (measure, reason) in [
        ("channels", "a distinct count would count what occurs in two periods twice"),
        ("more_channels", "an estimate that is computed with is not one of distinct values any more"),
        ("p50", "the `percentile_cont` of a year is not the sum of its months'"),
        ("middle", "the `median` of a year is not the sum of its months'"),
    ] {
        for window in ["\"year-to-date\"", "\"month-to-date\"", "{ rolling = \"12 months\" }", "\"all-time\""] {
            let metric = metric("m", &format!("type = \"cumulative\"\nmeasure = \"{measure}\"\nwindow = {window}"));
            let lake = Lake::new().table("approvals.cases", CASES).await;
            let found = lake.model("metrics/a.toml", &format!("{MEASURES}{metric}")).faults();
            assert_eq!(found, [format!("only sums and counts can be added up over periods: {reason}")], "{window}");
        }
    }
    let text = MEASURES.replace("about_channels.expr", "squared.expr = \"sum(days) * sum(days)\"\nabout_channels.expr");
    let metric = metric("m", "type = \"cumulative\"\nmeasure = \"squared\"\nwindow = \"all-time\"");
    let lake = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &format!("{text}{metric}"));
    assert_eq!(
        lake.faults(),
        ["only sums and counts can be added up over periods: a quotient or product of sums is not one"]
    );
}
