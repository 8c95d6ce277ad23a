//! Regions as was and as is. Gongzhuling (公主岭市) was 220381 under Siping (220300) from 1990 and is 220184 under
//! Changchun (220100) since 2020.

use super::{Lake, Question, ask};
use crate::error::ErrorKind;
use crate::semantic::{MetricQuery, RegionMode};

const MODEL: &str = r#"
version = 1
table = "approvals.filings"
time_dimension = "filed_on"
[dimensions.region]
title = { zh = "地区", en = "Region" }
kind = "region"
[measures.filings]
expr = "count(*)"
[metrics.filings]
type = "simple"
measure = "filings"
title = { zh = "申报", en = "Filings" }
description = { zh = "申报", en = "Filings" }
owner = "o"
"#;

const ROWS: &str = "
    SELECT cast(column1 AS date) AS filed_on, column2 AS region FROM (VALUES
        ('2019-03-26', '220381'), ('2019-05-01', '220302'), ('2019-06-01', '220102'), ('2021-03-01', '220184'))";

async fn lake() -> Lake {
    Lake::new().on("2021-12-31").table("approvals.filings", ROWS).await.model("metrics/filings.toml", MODEL)
}

fn as_is(mut query: MetricQuery) -> MetricQuery {
    query.regions = Some(RegionMode::AsIs);
    query
}

#[tokio::test]
async fn a_record_of_2019_belongs_to_siping_as_was_and_to_changchun_as_is() {
    let lake = lake().await;
    let by_prefecture = ask("filings").by(&["region.prefecture"]).to("2019-12-31");
    assert_eq!(lake.rows(by_prefecture.clone()).await, ["220100 长春市 1 -", "220300 四平市 2 -"]);
    assert_eq!(lake.rows(as_is(by_prefecture)).await, ["220100 长春市 2 -", "220300 四平市 1 -"]);
}

#[tokio::test]
async fn a_code_keeps_its_name_or_becomes_its_successor() {
    let lake = lake().await;
    let gongzhuling = ask("filings").by(&["region"]).only("region in ('220381', '220184')");
    assert_eq!(lake.rows(gongzhuling.clone()).await, ["220184 公主岭市 1 -", "220381 公主岭市 1 -"]);
    // A condition reads codes as the groups do: as is, the filing of 2019 is one of 220184.
    assert_eq!(lake.rows(as_is(gongzhuling)).await, ["220184 公主岭市 2 -"]);
    let by_old_code = ask("filings").by(&["region"]).only("region = '220381'");
    assert_eq!(lake.rows(as_is(by_old_code)).await, Vec::<String>::new());
}

#[tokio::test]
async fn levels_can_be_filtered_by_in_the_same_reading() {
    let lake = lake().await;
    let changchun = ask("filings").only("region.prefecture = '220100'");
    assert_eq!(lake.rows(changchun.clone()).await, ["2 -"]);
    assert_eq!(lake.rows(as_is(changchun)).await, ["3 -"]);
}

#[tokio::test]
async fn a_township_that_was_renumbered_with_its_county_counts_there() {
    // Of Gongzhuling before and after 2020, and of Changchun's zone 220171, which only the statistical codes know.
    let rows = "SELECT cast(column1 AS date) AS filed_on, column2 AS region FROM (VALUES
        ('2019-03-26', '220381001000'), ('2021-03-01', '220184001000'), ('2021-03-02', '220171002000'))";
    let lake = Lake::new().on("2021-12-31").table("approvals.filings", rows).await.model("metrics/filings.toml", MODEL);
    let by = |level: &str| ask("filings").by(&[format!("region.{level}").as_str()]);
    assert_eq!(lake.rows(by("prefecture")).await, ["220100 长春市 2 -", "220300 四平市 1 -"]);
    assert_eq!(lake.rows(as_is(by("prefecture"))).await, ["220100 长春市 3 -"]);
    let zone = "220171 长春经济技术开发区 1 -";
    assert_eq!(lake.rows(by("county")).await, [zone, "220184 公主岭市 1 -", "220381 公主岭市 1 -"]);
    assert_eq!(lake.rows(as_is(by("county"))).await, [zone, "220184 公主岭市 2 -"]);
}

#[tokio::test]
async fn the_answer_says_how_codes_were_read() {
    let lake = lake().await;
    let plan = |query| lake.models().plan(&query, &lake.session, lake.plans(), lake.today()).unwrap();
    let titles = |query| plan(query).columns.into_iter().map(|column| column.title.zh).collect::<Vec<_>>();
    let by_county = ask("filings").by(&["region.county"]);
    assert_eq!(titles(by_county.clone())[0], "地区（县级，原区划）");
    assert_eq!(titles(as_is(by_county.clone()))[0], "地区（县级，现区划）");
    assert_eq!(plan(by_county).regions, Some(RegionMode::AsWas));
    assert_eq!(plan(ask("filings")).regions, None);
    assert_eq!(plan(ask("filings").only("region.county = '220102'")).regions, Some(RegionMode::AsWas));
}

#[tokio::test]
async fn an_unknown_level_is_refused() {
    let lake = lake().await;
    let error = lake.ask(ask("filings").by(&["region.city"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let levels = &lake.models().summary("filings").unwrap().dimensions;
    assert_eq!(levels, &["region", "region.province", "region.prefecture", "region.county", "region.township"]);
}
