//! Period over period.

use super::{CASES, CASES_MODEL, Lake, Question, ask, metric};

async fn lake(more: &str) -> Lake {
    let text = format!("{CASES_MODEL}{more}");
    Lake::new().table("approvals.cases", CASES).await.model("metrics/approvals.toml", &text)
}

fn change(name: &str, metric_name: &str, offset: &str, shown: &str) -> String {
    metric(name, &format!("type = \"change\"\nmetric = \"{metric_name}\"\noffset = \"{offset}\"\n{shown}"))
}

#[tokio::test]
async fn a_change_is_the_short_form_of_a_derived_metric() {
    let lake = lake(&change("growth", "cases", "1 year", "")).await;
    let by = |name: &str| ask(name).grain("year").by(&["channel"]);
    assert_eq!(lake.rows(by("growth")).await, lake.rows(by("case_growth")).await);
    // 3 in 2016, 2 in 2017, none delivered for 2018, 3 in 2019.
    let third = 2.0 / 3.0 - 1.0;
    let years = lake.rows(ask("growth").grain("year")).await;
    let expected = ["2016-01-01 - no_base".to_owned(), format!("2017-01-01 {third} -")];
    assert_eq!(years[..2], expected);
    assert_eq!(years[2..], ["2018-01-01 - no_data", "2019-01-01 - no_base"]);
    assert_eq!(lake.models().summary("growth").unwrap().kind, "change");
}

#[tokio::test]
async fn a_difference_is_told_in_the_metrics_own_unit_and_has_no_base_that_is_zero() {
    let more = change("more", "handled", "1 year", "as = \"difference\"")
        + &change("growth", "handled", "1 year", "as = \"ratio\"");
    let lake = lake(&more).await;
    // 3, 2, 0 and 3: nothing was delivered for 2018, and this measure says that it is zero.
    let years = lake.rows(ask("more").grain("year")).await;
    assert_eq!(years, ["2016-01-01 - no_base", "2017-01-01 -1.0 -", "2018-01-01 -2.0 -", "2019-01-01 3.0 -"]);
    let growth = lake.rows(ask("growth").grain("year").from("2018-01-01")).await;
    assert_eq!(growth, ["2018-01-01 -1.0 -", "2019-01-01 - zero_base"]);
}

#[tokio::test]
async fn a_change_of_a_ratio_or_of_a_change_is_computed_from_its_parts() {
    let more = change("points", "quick_share", "1 month", "as = \"difference\"")
        + &change("twice", "more", "1 year", "as = \"difference\"")
        + &change("more", "handled", "1 year", "as = \"difference\"");
    let lake = lake(&more).await;
    let by = |name: &str| ask(name).grain("month").to("2016-04-30");
    assert_eq!(lake.rows(by("points")).await, lake.rows(by("share_change")).await);
    // (3 - 0) - (0 - 2).
    assert_eq!(lake.rows(ask("twice").grain("year").from("2019-01-01")).await, ["2019-01-01 5.0 -"]);
}

#[tokio::test]
async fn faults_of_a_change_stand_at_its_own_keys() {
    for (text, message) in [
        (change("x", "nobody", "1 year", ""), "there is no metric `nobody`"),
        (change("x", "cases", "last year", ""), "`last year` is not an offset"),
        (change("x", "x", "1 year", ""), "metric `x` is computed from itself"),
    ] {
        let found = lake(&text).await.faults();
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
}
