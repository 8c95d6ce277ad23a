//! What holds for every table.

use proptest::prelude::*;

use super::{CASES_MODEL, Lake, Question, ask};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// The value in front of the reason, of each row.
fn values(rows: &[String]) -> Vec<Option<i64>> {
    let value = |row: &String| row.split(' ').rev().nth(1).and_then(|text| text.parse().ok());
    rows.iter().map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn counts_by_group_and_by_period_add_up_to_the_total(
        rows in prop::collection::vec((0i32..1500, 0u8..4, 0i32..20), 1..40),
    ) {
        let values_sql: Vec<_> = rows
            .iter()
            .map(|(day, channel, days)| format!("(date '2016-01-01' + interval '{day} days', 'c{channel}', {days})"))
            .collect();
        let sql = format!(
            "SELECT cast(column1 AS date) AS decided_on, column2 AS channel, column3 AS days,
             cast(1 AS decimal(38,6)) AS fee FROM (VALUES {})",
            values_sql.join(", ")
        );
        let total = i64::try_from(rows.len()).unwrap();
        runtime().block_on(async {
            let lake = Lake::new().table("approvals.cases", &sql).await.model("metrics/a.toml", CASES_MODEL);
            for query in [
                ask("cases").by(&["channel"]),
                ask("cases").grain("month"),
                ask("cases").grain("quarter").by(&["channel"]),
                ask("cases").grain("week").by(&["channel"]),
                ask("cases").grain("working-day"),
            ] {
                let answer = lake.rows(query).await;
                let sum: i64 = values(&answer).into_iter().flatten().sum();
                prop_assert_eq!(sum, total);
            }
            // Groups times periods: the grid has no holes.
            let groups = lake.rows(ask("cases").by(&["channel"])).await.len();
            let periods = lake.rows(ask("cases").grain("month")).await.len();
            let grid = lake.rows(ask("cases").grain("month").by(&["channel"])).await.len();
            prop_assert_eq!(grid, groups * periods);
            // The last running sum of each year is the year's count.
            let years = values(&lake.rows(ask("cases").grain("year")).await);
            let to_date = values(&lake.rows(ask("cases_to_date").grain("year")).await);
            prop_assert_eq!(years, to_date);
            Ok(())
        })?;
    }
}
