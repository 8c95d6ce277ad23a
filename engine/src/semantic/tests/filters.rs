//! What `by`, `where` and `order` let in, and what not.

use super::{Question, ask, cases};
use crate::error::ErrorKind;

#[tokio::test]
async fn a_condition_over_dimensions_chooses_rows() {
    let lake = cases().await;
    for (filter, count) in [
        ("channel = 'online'", "5 -"),
        ("channel <> 'online'", "3 -"),
        ("channel in ('online', 'fax')", "5 -"),
        ("not (channel = 'online') or channel is null", "3 -"),
        ("channel like 'on%' and channel between 'a' and 'z'", "5 -"),
        ("channel = 'it''s'", "- no_data"),
    ] {
        assert_eq!(lake.rows(ask("cases").only(filter)).await, [count], "{filter}");
    }
}

#[tokio::test]
async fn nothing_but_dimensions_values_and_comparisons_comes_in() {
    let lake = cases().await;
    for filter in [
        "channel = 'x'; drop table approvals.cases",
        "channel = 'x' -- '\n or 1 = (select 1)",
        "channel = (select 'online')",
        "channel in (select channel from approvals.cases)",
        "exists (select 1)",
        "channel = upper('online')",
        "channel || 'x' = 'onlinex'",
        "channel = $1",
        "count(*) > 1",
        "row_number() over () = 1",
        "channel",
        "1",
        "channel = 'x' union select 1",
        "case when channel = 'x' then true else false end",
        "cast(channel as int) > 0",
        "channel ~ '(a+)+$'",
        "*",
        "(",
        "@@version = 'x'",
    ] {
        let error = lake.ask(ask("cases").only(filter)).await.expect_err(filter);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{filter}: {error}");
        assert!(!error.to_string().is_empty());
    }
}

#[tokio::test]
async fn a_column_that_is_no_dimension_is_unknown() {
    let lake = cases().await;
    for filter in ["days > 3", "cases.days > 3", "approvals.cases.days > 3", "source.days > 3"] {
        let error = lake.ask(ask("cases").only(filter)).await.expect_err(filter);
        assert!(error.to_string().starts_with("metric `cases` has no dimension `"), "{filter}: {error}");
    }
    let error = lake.ask(ask("cases").only("chanel = 'online'")).await.unwrap_err();
    assert_eq!(error.hint(), Some("did you mean `channel`?"));
}

#[tokio::test]
async fn a_very_long_condition_is_refused_and_a_deep_one_does_not_crash() {
    let lake = cases().await;
    let long = vec!["channel = 'x'"; 2_000].join(" or ");
    assert_eq!(lake.ask(ask("cases").only(&long)).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
    let wide = vec!["channel = 'online'"; 150].join(" or ");
    assert_eq!(lake.rows(ask("cases").only(&wide)).await, ["5 -"]);
    let deep = format!("{}channel = 'x'{}", "(".repeat(1_500), ")".repeat(1_500));
    assert_eq!(lake.ask(ask("cases").only(&deep)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn unknown_names_come_with_the_nearest() {
    let lake = cases().await;
    let error = lake.ask(ask("case")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.hint(), Some("did you mean `cases`?"));
    let error = lake.ask(ask("cases").by(&["chanel"])).await.unwrap_err();
    assert_eq!(error.to_string(), "metric `cases` has no dimension `chanel`");
    assert_eq!(error.hint(), Some("did you mean `channel`?"));
    let error = lake.ask(ask("cases").by(&["channel.prefecture"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = lake.ask(ask("cases").by(&["channel", "channel"])).await.unwrap_err();
    assert_eq!(error.to_string(), "`by` names `channel` twice");
    let error = lake.ask(ask("cases").order(&["-values"])).await.unwrap_err();
    assert_eq!(error.hint(), Some("did you mean `value`?"));
    let error = lake.ask(ask("cases").from("2019-02-01").to("2019-01-01")).await.unwrap_err();
    assert_eq!(error.to_string(), "`from` 2019-02-01 is later than `to` 2019-01-01");
}

#[tokio::test]
async fn missing_figures_come_last_in_any_order() {
    let lake = cases().await;
    let top = ask("cases").grain("year").by(&["channel"]).order(&["-value", "channel"]);
    // Two are twos, both online; then the first of the ones.
    let rows = lake.rows(top).await;
    assert_eq!(rows[..3], ["2016-01-01 online 2 -", "2019-01-01 online 2 -", "2017-01-01 online 1 -"]);
    assert_eq!(rows[6..], ["2018-01-01 online - no_data", "2018-01-01 window - no_data"]);
}
