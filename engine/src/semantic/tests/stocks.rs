//! Stocks: measured at a moment, never added over time.

use super::{Lake, Question, ask};

const MODEL: &str = r#"
version = 1
table = "market.entities"
time_dimension = "as_of"
finest_grain = "month"
[dimensions.kind]
title = { zh = "类型", en = "Kind" }
[measures]
entities = { expr = "sum(entities)", stock = true }
reported.expr = "sum(entities)"
[metrics.entities]
type = "simple"
measure = "entities"
title = { zh = "户数", en = "Entities" }
description = { zh = "期末户数", en = "At the period's end" }
owner = "o"
[metrics.entity_growth]
type = "derived"
expr = "now / before - 1"
inputs.now.metric = "entities"
inputs.before = { metric = "entities", offset = "1 year" }
title = { zh = "同比", en = "Growth" }
description = { zh = "同比", en = "Growth" }
owner = "o"
[metrics.share_of_reports]
type = "ratio"
numerator = "entities"
denominator = "reported"
title = { zh = "比", en = "Ratio" }
description = { zh = "比", en = "Ratio" }
owner = "o"
"#;

const ROWS: &str = "
    SELECT cast(column1 AS date) AS as_of, column2 AS kind, column3 AS entities FROM (VALUES
        ('2017-06-30', 'private', 80), ('2017-12-31', 'private', 100), ('2017-12-31', 'state', 10),
        ('2018-06-30', 'private', 110), ('2018-06-30', 'state', 9), ('2018-12-31', 'private', 121))";

async fn lake() -> Lake {
    Lake::new().table("market.entities", ROWS).await.model("metrics/entities.toml", MODEL)
}

#[tokio::test]
async fn the_last_day_of_a_period_counts() {
    let lake = lake().await;
    assert_eq!(lake.rows(ask("entities").grain("year")).await, ["2017-01-01 110 -", "2018-01-01 121 -"]);
    assert_eq!(
        lake.rows(ask("entities").grain("month").to("2017-07-31")).await,
        ["2017-06-01 80 -", "2017-07-01 - no_data"]
    );
    assert_eq!(lake.rows(ask("entities")).await, ["121 -"]);
    assert_eq!(lake.rows(ask("entities").to("2018-06-30")).await, ["119 -"]);
}

#[tokio::test]
async fn a_group_that_is_gone_by_the_last_day_has_no_stock() {
    let lake = lake().await;
    let by_kind = lake.rows(ask("entities").grain("year").by(&["kind"])).await;
    assert_eq!(
        by_kind,
        ["2017-01-01 private 100 -", "2017-01-01 state 10 -", "2018-01-01 private 121 -", "2018-01-01 state - no_data"]
    );
    let state = lake.rows(ask("entities").grain("year").only("kind = 'state'")).await;
    assert_eq!(state, ["2017-01-01 10 -", "2018-01-01 - no_data"]);
}

#[tokio::test]
async fn growth_of_a_stock_compares_ends_of_periods() {
    let lake = lake().await;
    let private = ask("entity_growth").only("kind = 'private'");
    let growth = lake.rows(private.clone().grain("year")).await;
    assert_eq!(growth, ["2017-01-01 - no_base".to_owned(), format!("2018-01-01 {} -", 121.0 / 100.0 - 1.0)]);
    let ungrained = lake.rows(private.from("2018-01-01").to("2018-12-31")).await;
    assert_eq!(ungrained, [format!("{} -", 121.0 / 100.0 - 1.0)]);
}

#[tokio::test]
async fn a_stock_and_a_flow_of_one_model_are_computed_apart() {
    // 110 at the end of 2017, 190 reported over the year.
    let lake = lake().await;
    let ratio = lake.rows(ask("share_of_reports").grain("year").to("2017-12-31")).await;
    assert_eq!(ratio, [format!("2017-01-01 {} -", 110.0 / 190.0)]);
}
