//! Dimensions of other tables: rows are looked up, never multiplied and never lost.

use proptest::prelude::*;

use super::{Lake, Question, ask, metric, simple};

const FILINGS: &str = "
    SELECT cast(column1 AS date) AS filed_on, column2 AS uscc, column3 AS fee, column4 AS region FROM (VALUES
        ('2019-01-05', 'A', 10, '220102'), ('2019-02-10', 'A', 20, '220102'), ('2019-02-11', 'B', 5, '220202'),
        ('2019-03-01', 'C', 7, '220102'), ('2019-03-02', NULL, 1, '220202'))";

const ENTERPRISES: &str = "
    SELECT column1 AS uscc, column2 AS industry, column3 AS region FROM (VALUES
        ('A', 'C13', '220381'), ('B', 'I65', '220202'), ('D', 'C13', '220102'))";

const INDUSTRIES: &str = "
    SELECT column1 AS code, column2 AS sector FROM (VALUES ('C13', 'secondary'), ('I65', 'tertiary'))";

/// Sizes of enterprises: B's intervals overlap, and A had none before 2019-02-01 and since March.
const SIZES: &str = "
    SELECT column1 AS uscc, cast(column2 AS date) AS valid_from, cast(column3 AS date) AS valid_to, column4 AS size
    FROM (VALUES
        ('A', '2019-02-01', '2019-02-10', 'small'), ('A', '2019-02-10', '2019-03-01', 'large'),
        ('B', '2018-01-01', NULL, 'small'), ('B', '2019-01-01', NULL, 'medium'), ('C', '2019-03-01', NULL, 'small'))";

fn model(joins: &str, rest: &str) -> String {
    let title = "title = { zh = \"a\", en = \"a\" }";
    format!(
        "version = 1\ntable = \"approvals.filings\"\ntime_dimension = \"filed_on\"\n{joins}\n\
         [dimensions]\nregion = {{ {title}, kind = \"region\" }}\n\
         industry = {{ {title}, expr = \"enterprise.industry\" }}\n\
         sector = {{ {title}, expr = \"industry.sector\" }}\n\
         seat = {{ {title}, expr = \"enterprise.region\", kind = \"region\" }}\n\
         size = {{ {title}, expr = \"size.size\" }}\n\
         [measures]\nfilings.expr = \"count(*)\"\nfees.expr = \"sum(fee)\"\n{}{}{rest}",
        simple("filings"),
        simple("fees")
    )
}

const JOINS: &str = r#"
[joins]
industry = { table = "stats.industries", on = { "enterprise.industry" = "code" } }
enterprise = { table = "market.enterprises", on = { uscc = "uscc" }, kind = "many-to-one" }
size = { table = "market.sizes", on = { uscc = "uscc" }, as_of = { valid_from = "valid_from", valid_to = "valid_to" } }
"#;

async fn tables() -> Lake {
    Lake::new()
        .keyed("approvals.filings", &[], FILINGS)
        .await
        .keyed("market.enterprises", &["uscc"], ENTERPRISES)
        .await
        .keyed("stats.industries", &["code"], INDUSTRIES)
        .await
        .keyed("market.sizes", &["uscc", "valid_from"], SIZES)
        .await
}

async fn lake() -> Lake {
    tables().await.model("metrics/filings.toml", &model(JOINS, ""))
}

#[tokio::test]
async fn a_row_without_a_partner_stays_with_a_missing_dimension() {
    let lake = lake().await;
    assert_eq!(lake.rows(ask("filings").by(&["industry"])).await, ["C13 2 -", "I65 1 -", "- 2 -"]);
    assert_eq!(lake.rows(ask("fees").by(&["industry"])).await, ["C13 30 -", "I65 5 -", "- 8 -"]);
    assert_eq!(lake.rows(ask("fees").only("industry is null")).await, ["8 -"]);
}

#[tokio::test]
async fn a_join_over_a_join_says_what_sql_says() {
    let lake = lake().await;
    let sectors = lake.rows(ask("fees").by(&["sector", "region.prefecture"])).await;
    let sql = "SELECT sector, division_ancestor(f.region, 'prefecture') AS code, sum(fee) FROM approvals_filings f
        LEFT JOIN market_enterprises e ON e.uscc = f.uscc LEFT JOIN stats_industries i ON i.code = e.industry
        GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = lake.sql(sql).await;
    let without_names: Vec<_> = sectors
        .iter()
        .map(|row| {
            let cells: Vec<_> = row.split(' ').collect();
            [cells[0], cells[1], cells[3]].join(" ")
        })
        .collect();
    assert_eq!(without_names, expected);
    assert_eq!(sectors[0], "secondary 220100 长春市 30 -");
}

#[tokio::test]
async fn a_joined_division_code_has_levels_and_both_readings() {
    let lake = lake().await.on("2021-12-31");
    let by = || ask("filings").by(&["seat.prefecture"]);
    // Gongzhuling (220381) lay in Siping, and lies in Changchun.
    assert_eq!(lake.rows(by()).await, ["220200 吉林市 1 -", "220300 四平市 2 -", "- - 2 -"]);
    let mut as_is = by();
    as_is.regions = Some(crate::semantic::RegionMode::AsIs);
    assert_eq!(lake.rows(as_is).await, ["220100 长春市 2 -", "220200 吉林市 1 -", "- - 2 -"]);
}

#[tokio::test]
async fn of_a_history_the_version_of_the_records_day_counts_and_no_row_counts_twice() {
    let lake = lake().await;
    // A on 5 January had no size, on 10 February the second version began; B's later version hides the open one.
    let sizes = lake.rows(ask("fees").by(&["size"])).await;
    assert_eq!(sizes, ["large 20 -", "medium 5 -", "small 7 -", "- 11 -"]);
    let months = lake.rows(ask("filings").by(&["size"]).grain("month").from("2019-03-01")).await;
    assert_eq!(months, ["2019-03-01 small 1 -", "2019-03-01 - 1 -"]);
}

#[tokio::test]
async fn an_instant_is_held_against_days_by_its_day_in_china() {
    let rows = "SELECT arrow_cast(arrow_cast(column1, 'Timestamp(Microsecond, None)'),
        'Timestamp(Microsecond, Some(\"UTC\"))') AS filed_on, 'A' AS uscc, 1 AS fee, '220102' AS region FROM (VALUES
        ('2019-02-09T15:59:59'), ('2019-02-09T16:00:00'))";
    let lake = tables().await.table("approvals.filings", rows).await.model("metrics/a.toml", &model(JOINS, ""));
    assert_eq!(lake.rows(ask("filings").by(&["size"])).await, ["large 1 -", "small 1 -"]);
}

#[tokio::test]
async fn tables_are_joined_only_for_questions_that_need_them() {
    let lake = lake().await;
    let models = lake.models();
    let tables = |query| {
        let tables = models.tables_for(&query).unwrap();
        tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tables(ask("filings").by(&["region.county"])), "approvals.filings");
    assert_eq!(tables(ask("filings").by(&["industry"])), "approvals.filings market.enterprises");
    let chain = "approvals.filings market.enterprises stats.industries";
    assert_eq!(tables(ask("filings").by(&["sector"])), chain);
    assert_eq!(tables(ask("filings").only("SECTOR = 'tertiary'")), chain);
    assert_eq!(tables(ask("filings").only("seat.county = '220381'")), "approvals.filings market.enterprises");
    let plan = |query| models.plan(&query, &lake.session, lake.plans(), lake.today()).unwrap().plan;
    assert!(!plan(ask("filings")).to_string().contains("Join"));
    assert!(plan(ask("filings").by(&["sector"])).to_string().contains("stats.industries"));
}

#[tokio::test]
async fn a_join_that_would_count_rows_twice_is_refused() {
    let sizes =
        |as_of: &str| format!("[joins]\nsize = {{ table = \"market.sizes\", on = {{ uscc = \"uscc\" }}{as_of} }}");
    for (joins, message, hint) in [
        (
            sizes(""),
            "`market.sizes` is not unique by `uscc`: joining would count a row several times",
            "its primary key is `uscc`, `valid_from`",
        ),
        (
            sizes(", as_of = { valid_from = \"valid_to\" }"),
            "`market.sizes` is not unique by `uscc`: joining would count a row several times",
            "its primary key is `uscc`, `valid_from`",
        ),
        (
            "[joins]\nsize = { table = \"market.loose\", on = { uscc = \"uscc\" } }".into(),
            "`market.loose` is not unique by `uscc`: joining would count a row several times",
            "declare the `primary_key` of its contract",
        ),
    ] {
        let lake = tables().await.table("market.loose", SIZES).await;
        let (_, diagnostics) = lake.model("metrics/a.toml", &model(&joins, "")).compile();
        let found: Vec<_> = diagnostics.iter().filter(|fault| fault.message.contains("not unique")).collect();
        assert_eq!(found.len(), 1, "{joins}");
        assert_eq!(found[0].message, message);
        assert!(found[0].hint.as_deref().unwrap().starts_with(hint), "{:?}", found[0].hint);
    }
}

#[tokio::test]
async fn faults_of_joins_are_told_once_and_name_what_is_wrong() {
    for (joins, message) in [
        ("size = { table = \"market.size\", on = { uscc = \"uscc\" } }", "there is no table `market.size`"),
        ("size = { table = \"market.sizes\", on = { usc = \"uscc\" } }", "there is no column `usc`"),
        ("size = { table = \"market.sizes\", on = { uscc = \"code\" } }", "`market.sizes` has no column `code`"),
        ("size = { table = \"market.sizes\", on = { fee = \"uscc\" } }", "`fee` is Int64 and `uscc` of `market.sizes`"),
        ("size = { table = \"market.sizes\", on = {} }", "join `size` names no columns"),
        (
            "size = { table = \"market.sizes\", on = { uscc = \"uscc\" }, as_of = { day = \"filed_on\", valid_from = \"size\" } }",
            "column `size` is Utf8, not a date or timestamp",
        ),
        (
            "size = { table = \"market.sizes\", on = { uscc = \"uscc\" }, as_of = { valid_from = \"valid_from\" } }",
            "the model has no time_dimension, so that it is not known as of when",
        ),
        (
            "size = { table = \"market.enterprises\", on = { \"size.uscc\" = \"uscc\" } }",
            "join `size` is looked up by its own columns",
        ),
    ] {
        let body = format!(
            "version = 1\ntable = \"approvals.filings\"\n[joins]\n{joins}\n[dimensions.size]\n\
             title = {{ zh = \"a\", en = \"a\" }}\nexpr = \"size.size\"\n"
        );
        let found = tables().await.model("metrics/a.toml", &body).faults();
        assert!(found.len() == 1 && found[0].starts_with(message), "{joins}: {found:?}");
    }
}

#[tokio::test]
async fn a_measure_speaks_about_its_own_table() {
    let text = model(JOINS, "").replace("sum(fee)", "sum(fee) FILTER (WHERE industry.sector = 'tertiary')");
    let found = tables().await.model("metrics/a.toml", &text).faults();
    let message = "a measure speaks about its own table: `industry.sector` would count once for each row";
    assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
}

#[tokio::test]
async fn a_column_that_the_joined_table_lacks_comes_with_the_nearest() {
    let text = model(JOINS, "").replace("enterprise.industry\" }", "enterprise.industri\" }");
    let (_, diagnostics) = tables().await.model("metrics/a.toml", &text).compile();
    let fault = diagnostics.iter().next().unwrap();
    assert_eq!(fault.message, "there is no column `enterprise.industri`");
    assert_eq!(fault.hint.as_deref(), Some("did you mean `enterprise.industry`?"));
}

#[tokio::test]
async fn a_windowed_figure_can_be_grouped_by_a_joined_dimension() {
    let rest = metric("to_date", "type = \"cumulative\"\nmeasure = \"fees\"\nwindow = \"year-to-date\"");
    let lake = tables().await.model("metrics/a.toml", &model(JOINS, &rest));
    let rows = lake.rows(ask("to_date").by(&["sector"]).grain("month").only("sector = 'secondary'")).await;
    assert_eq!(rows, ["2019-01-01 secondary 10 -", "2019-02-01 secondary 30 -", "2019-03-01 secondary - no_data"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever keys rows have and whatever the joined tables hold, the parts add up to the total.
    #[test]
    fn joining_never_changes_the_total(
        rows in prop::collection::vec((0i32..400, 0u8..8, 0i64..100), 1..30),
        enterprises in prop::collection::btree_map(0u8..8, (0u8..3, 0u8..3), 0..8),
        sizes in prop::collection::btree_map((0u8..8, 0i32..400), (0i32..500, 0u8..3), 0..20),
    ) {
        let values = |rows: Vec<String>, none: &str| {
            if rows.is_empty() { format!("{none} WHERE false") } else { format!("(VALUES {})", rows.join(", ")) }
        };
        let day = |day: i32| format!("date '2019-01-01' + interval '{day} days'");
        let filings = rows.iter().map(|(at, key, fee)| format!("({}, 'k{key}', {fee}, '220102')", day(*at))).collect();
        let firms = enterprises.iter().map(|(key, (industry, _))| format!("('k{key}', 'i{industry}', '220102')")).collect();
        let versions = sizes
            .iter()
            .map(|((key, from), (length, size))| {
                format!("('k{key}', {}, {}, 's{size}')", day(*from), day(from + length))
            })
            .collect();
        let one_firm = "(VALUES ('k0', 'i0', '220102')) AS t(column1, column2, column3)";
        let one_size = "(VALUES ('k0', date '2019-01-01', date '2019-01-01', 's')) AS t(column1, column2, column3, column4)";
        let filings = format!("SELECT cast(column1 AS date) AS filed_on, column2 AS uscc, column3 AS fee, column4 AS region
            FROM {}", values(filings, ""));
        let firms = format!("SELECT column1 AS uscc, column2 AS industry, column3 AS region FROM {}", values(firms, one_firm));
        let versions = format!("SELECT column1 AS uscc, cast(column2 AS date) AS valid_from,
            cast(column3 AS date) AS valid_to, column4 AS size FROM {}", values(versions, one_size));
        let total: i64 = rows.iter().map(|(_, _, fee)| fee).sum();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let lake = Lake::new().table("approvals.filings", &filings).await
                .keyed("market.enterprises", &["uscc"], &firms).await
                .keyed("stats.industries", &["code"], INDUSTRIES).await
                .keyed("market.sizes", &["uscc", "valid_from"], &versions).await
                .model("metrics/a.toml", &model(JOINS, ""));
            for by in [&["industry"][..], &["size"], &["sector", "size"], &["seat.county", "industry", "size"]] {
                let answer = lake.rows(ask("fees").by(by)).await;
                let value = |row: &String| row.split(' ').rev().nth(1).and_then(|text| text.parse::<i64>().ok());
                prop_assert_eq!(answer.iter().filter_map(value).sum::<i64>(), total, "{:?}", by);
            }
            Ok(())
        })?;
    }
}
