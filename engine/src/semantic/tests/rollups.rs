//! Rollups as they are declared: what is refused, what is read from which, and what is proposed.

use std::sync::Arc;

use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::SessionContext;

use super::{Lake, Question, ask, metric, simple};
use crate::semantic::plan::column;
use crate::semantic::{
    AskedQuestion, Condition, MetricQuery, Models, RegionMode, RollupAdvice, RollupState, RollupTable, RollupUse,
    TimeGrain,
};

const ROWS: &str = "
    SELECT cast(column1 AS date) AS day, column2 AS channel, column3 AS region, cast(column4 AS decimal(10, 2)) AS amount,
           cast(column4 AS double) AS rate, column4 AS items,
           cast(column1 AS timestamp) AS clock
    FROM (VALUES ('2019-01-05', 'online', '220102', 10), ('2019-02-10', 'window', '220203', 20))";

async fn lake(rollup: &str) -> Lake {
    let title = "title = { zh = \"a\", en = \"a\" }";
    let text = format!(
        "version = 1\ntable = \"a.rows\"\ntime_dimension = \"day\"\n[dimensions]\nchannel = {{ {title} }}\n\
         region = {{ {title}, kind = \"region\" }}\nrate = {{ {title} }}\nclock = {{ {title} }}\n\
         age = {{ {title}, expr = \"current_date() - day > 30\" }}\n\
         [measures]\ncases = {{ expr = \"count(*)\" }}\namount = {{ expr = \"sum(amount)\" }}\n\
         rates = {{ expr = \"sum(rate)\" }}\nhighest = {{ expr = \"max(rate)\" }}\n\
         channels = {{ expr = \"count(DISTINCT channel)\" }}\nmiddle = {{ expr = \"median(amount)\" }}\n\
         guess = {{ expr = \"approx_distinct(channel)\" }}\nlate = {{ expr = \"count(*) FILTER (WHERE day < current_date())\" }}\n\
         typical = {{ expr = \"approx_median(rate)\" }}\n\
         stock = {{ expr = \"sum(items)\", stock = true }}\nmean = {{ expr = \"avg(items)\" }}\n{}{}{}{}{}",
        simple("cases"),
        simple("amount"),
        simple("middle"),
        simple("guess") + &simple("typical"),
        metric("share", "type = \"ratio\"\nnumerator = \"amount\"\ndenominator = \"cases\"")
    );
    Lake::new().table("a.rows", ROWS).await.model("metrics/a.toml", &(text + rollup))
}

async fn refused(rollup: &str) -> String {
    let faults = lake(&format!("[rollups.r]\n{rollup}")).await.faults();
    assert_eq!(faults.len(), 1, "{rollup}: {faults:?}");
    faults[0].clone()
}

#[tokio::test]
async fn what_cannot_be_kept_exactly_is_refused_with_a_reason() {
    let day = "grain = \"day\"\n";
    for (rollup, reason) in [
        ("measures = [\"cases\"]", "does not say by which periods"),
        ("grain = \"working-day\"\nmeasures = [\"cases\"]", "the calendar may change"),
        ("grain = \"hour\"\nmeasures = [\"cases\"]", "hours are told of timestamps"),
        (day, "keeps nothing"),
        (&format!("{day}measures = [\"case\"]"), "there is no measure `case`"),
        (&format!("{day}metrics = [\"case\"]"), "this file declares no metric `case`"),
        (&format!("{day}measures = [\"rates\"]"), "measure `rates` is `sum` of Float64: a sum of floating-point"),
        (&format!("{day}measures = [\"highest\"]"), "measure `highest` is `max` of Float64"),
        (&format!("{day}measures = [\"channels\"]"), "measure `channels` counts each value once"),
        (&format!("{day}metrics = [\"middle\"]"), "measure `middle` uses `median`"),
        (&format!("{day}measures = [\"late\"]"), "measure `late` depends on the time"),
        ("grain = \"month\"\nmeasures = [\"stock\"]", "measure `stock` is a stock"),
        (&format!("{day}measures = [\"cases\"]\ndimensions = [\"chanel\"]"), "there is no dimension `chanel`"),
        (&format!("{day}measures = [\"cases\"]\ndimensions = [\"channel\", \"channel\"]"), "is named twice"),
        (
            &format!("{day}measures = [\"cases\"]\ndimensions = [\"channel.county\"]"),
            "there is no dimension `channel.county`",
        ),
        (&format!("{day}measures = [\"cases\"]\ndimensions = [\"rate\"]"), "dimension `rate` is Float64"),
        (&format!("{day}measures = [\"cases\"]\ndimensions = [\"clock\"]"), "dimension `clock` is Timestamp"),
        (&format!("{day}measures = [\"cases\"]\ndimensions = [\"age\"]"), "dimension `age` depends on the time"),
    ] {
        let found = refused(rollup).await;
        assert!(found.contains(reason), "{rollup}: {found}");
    }
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let one = "[rollups.r]\ngrain = \"day\"\nmeasures = [\"cases\"]\n";
    let lake = lake(one).await;
    let other =
        "version = 1\ntable = \"a.rows\"\ntime_dimension = \"day\"\n[measures]\ncases = { expr = \"count(*)\" }\n";
    let faults = lake.model("metrics/b.toml", &format!("{other}{one}")).faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("rollup `r` is declared in metrics/a.toml:"), "{faults:?}");
}

/// What became of rollups of these names, all of which are at hand, with their rows.
async fn used(lake: &Lake, query: &MetricQuery, at_hand: &[(&str, u64, bool)]) -> Vec<RollupUse> {
    let models = lake.models();
    let known = models.rollups_for(query).unwrap();
    let mut tables = Vec::new();
    for (name, rows, fresh) in at_hand.iter().filter(|(name, ..)| known.contains(name)) {
        let plan = models.roll_up(name, lake.plans()[&"a.rows".parse().unwrap()].clone(), lake.plans(), &lake.session);
        tables.push(RollupTable { name: (*name).into(), plan: plan.unwrap(), rows: Some(*rows), fresh: *fresh });
    }
    models.plan_over(query, &lake.session, lake.plans(), &tables, lake.today()).unwrap().rollups
}

fn told(name: &str, state: RollupState) -> Vec<RollupUse> {
    vec![RollupUse { name: name.into(), state }]
}

#[tokio::test]
async fn the_smallest_rollup_that_tells_the_same_is_read() {
    let rollups = "[rollups.by_day]\ngrain = \"day\"\ndimensions = [\"channel\", \"region\"]\n\
                   measures = [\"cases\", \"amount\", \"stock\"]\n\
                   [rollups.by_month]\ngrain = \"month\"\ndimensions = [\"region.prefecture\"]\nmeasures = [\"cases\"]\n";
    let lake = lake(rollups).await;
    let hand = [("by_day", 100, true), ("by_month", 10, true)];
    let month = told("by_month", RollupState::Used);
    let day = told("by_day", RollupState::Used);
    for (query, expected) in [
        (ask("cases"), &month),
        (ask("cases").grain("year"), &month),
        (ask("cases").grain("week"), &day),
        (ask("cases").from("2019-02-01").to("2019-02-28"), &month),
        (ask("cases").from("2019-02-01").to("2019-02-27"), &day),
        (ask("cases").by(&["region.prefecture"]), &month),
        (ask("cases").by(&["region.county"]), &day),
        (ask("cases").only("channel = 'online'"), &day),
        (MetricQuery { regions: Some(RegionMode::AsIs), ..ask("cases").by(&["region.prefecture"]) }, &day),
        (MetricQuery { regions: Some(RegionMode::AsIs), ..ask("cases") }, &month),
        (ask("share"), &day),
        (ask("middle"), &Vec::new()),
        (ask("cases").by(&["rate"]), &Vec::new()),
        (ask("cases").only("rate > 1"), &Vec::new()),
    ] {
        assert_eq!(&used(&lake, &query, &hand).await, expected, "{query}");
    }
    let behind = [("by_day", 100, true), ("by_month", 10, false)];
    assert_eq!(used(&lake, &ask("cases"), &behind).await, day, "another one answers");
    let behind = [("by_day", 100, false), ("by_month", 10, false)];
    assert_eq!(used(&lake, &ask("cases"), &behind).await, told("by_month", RollupState::Behind));
    assert_eq!(used(&lake, &ask("cases"), &[]).await, []);
}

#[test]
fn a_question_is_read_from_its_record() {
    let condition = r#"{"and":[{"dimension":"channel","op":"eq","value":"on line; grain"}]}"#;
    let condition: Condition = serde_json::from_str(condition).unwrap();
    let whole = MetricQuery {
        grain: Some(TimeGrain::WorkingDay),
        from: Some("2019-01-01".parse().unwrap()),
        to: Some("2019-06-30".parse().unwrap()),
        limit: Some(7),
        order: vec!["-value".into(), "period".into()],
        regions: Some(RegionMode::AsIs),
        conditions: Some(condition),
        ..ask("cases").by(&["channel", "region.county"]).only("channel = 'a b' or region.county is null")
    };
    let filter = ask("cases").only("channel in ('x', 'y')");
    for query in
        [whole, ask("cases"), filter, ask("cases").by(&["channel"]).grain("month"), ask("cases").to("2019-01-01")]
    {
        let read = MetricQuery::of_record(&query.to_string()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{query:?}"));
    }
    for other in ["select 1", "metrics", "metric cases nonsense", "metric cases where=channel = 'long…"] {
        assert!(MetricQuery::of_record(other).is_none(), "{other}");
    }
}

async fn advice(lake: &Lake, asked: &[(MetricQuery, u64, f64)]) -> RollupAdvice {
    let times = |(query, times, seconds): &(MetricQuery, u64, f64)| {
        (0..*times).map(|_| AskedQuestion { query: query.clone(), seconds: *seconds }).collect::<Vec<_>>()
    };
    let asked: Vec<_> = asked.iter().flat_map(times).collect();
    lake.models().advise(&asked, 3, &lake.project, &lake.session)
}

#[tokio::test]
async fn what_was_asked_most_is_proposed() {
    let lake = lake("").await;
    let found = advice(
        &lake,
        &[
            (ask("cases").by(&["channel"]).grain("month"), 10, 2.0),
            (ask("share").by(&["channel"]).grain("year"), 5, 1.0),
            (ask("amount").grain("quarter"), 4, 1.0),
            (ask("cases").by(&["region.county"]).grain("day"), 2, 9.0),
            (ask("middle"), 3, 4.0),
            (ask("gone"), 1, 1.0),
        ],
    )
    .await;
    assert_eq!((found.asked.questions, found.unknown.questions, found.rare.questions), (25, 1, 2));
    assert_eq!(found.unfit.len(), 1);
    assert!(found.unfit[0].0.starts_with("metric `middle`: measure `middle` uses `median`"), "{:?}", found.unfit);
    let [one] = found.proposals.as_slice() else { panic!("{:?}", found.proposals) };
    assert_eq!((one.name.as_str(), one.grain), ("rows_by_channel_month", Some(TimeGrain::Month)));
    assert_eq!((&one.dimensions, one.answers.questions), (&vec!["channel".to_owned()], 19));
    assert_eq!(one.answers.seconds, 29.0);
    assert_eq!(one.measures, ["cases", "amount"]);
    assert_eq!(one.metrics, ["cases", "share", "amount"]);

    // Estimates are kept as sketches, of floating-point numbers too.
    let sketches =
        advice(&lake, &[(ask("guess").grain("month"), 5, 1.0), (ask("typical").grain("year"), 5, 1.0)]).await;
    assert_eq!((sketches.unfit.len(), sketches.proposals.len()), (0, 1));
    assert_eq!(sketches.proposals[0].measures, ["guess", "typical"]);
    assert_eq!(sketches.proposals[0].grain, Some(TimeGrain::Month));

    // What is proposed answers, and is proposed no more.
    let declared = "[rollups.r]\ndimensions = [\"channel\"]\ngrain = \"month\"\nmeasures = [\"cases\", \"amount\"]\n";
    let again = advice(&self::lake(declared).await, &[(ask("share").by(&["channel"]).grain("month"), 9, 1.0)]).await;
    assert_eq!((again.answered.questions, again.proposals.len()), (9, 0));
}

#[tokio::test]
async fn days_are_proposed_where_ranges_or_stocks_need_them() {
    let stock = metric("held", "type = \"simple\"\nmeasure = \"stock\"");
    let lake = lake(&stock).await;
    let of = async |query: MetricQuery| advice(&lake, &[(query, 3, 1.0)]).await.proposals[0].grain;
    assert_eq!(of(ask("cases").from("2019-03-05").to("2019-03-20")).await, Some(TimeGrain::Day));
    assert_eq!(of(ask("cases").from("2019-01-01").to("2019-12-31")).await, Some(TimeGrain::Year));
    assert_eq!(of(ask("cases").grain("week")).await, Some(TimeGrain::Week));
    assert_eq!(of(ask("held").grain("year")).await, Some(TimeGrain::Day));
}

/// Half a year of amounts and persons in channels and regions, some of each missing.
const VISITS: &str = "
    SELECT CAST(CAST(17897 + value * 7 % 181 AS INT) AS DATE) AS day,
           CASE WHEN value % 11 = 0 THEN NULL WHEN value % 2 = 0 THEN 'online' ELSE 'window' END AS channel,
           CASE WHEN value % 17 = 0 THEN NULL ELSE (value * 7919 + value / 5) % 400 END AS person,
           CASE WHEN value % 19 = 0 THEN NULL ELSE (value * 104729 % 20011 - 4000) / 8.0 END AS amount
    FROM range(0, 2000) WHERE NOT value * 7 % 181 BETWEEN 90 AND 119";

const KEPT: [&str; 7] = ["persons", "complete", "doubled", "p90", "p10", "middle", "online"];

async fn visits() -> Lake {
    let title = "title = { zh = \"a\", en = \"a\" }";
    let mut text = format!(
        "version = 1\ntable = \"a.visits\"\ntime_dimension = \"day\"\n[dimensions]\nchannel = {{ {title} }}\n[measures]\n\
         persons.expr = \"approx_distinct(person)\"\n\
         complete = {{ expr = \"approx_distinct(person) FILTER (WHERE amount > 0)\", empty_periods = \"zero\" }}\n\
         doubled.expr = \"approx_distinct(person) * 2 + count(*)\"\n\
         p90.expr = \"approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY amount)\"\n\
         p10.expr = \"approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY amount DESC)\"\n\
         middle.expr = \"approx_median(amount) + count(*)\"\n\
         online.expr = \"approx_median(amount) FILTER (WHERE channel = 'online')\"\n"
    );
    for measure in KEPT {
        text += &simple(measure);
    }
    for measure in ["persons", "complete", "p90", "p10", "online"] {
        for (window, written) in [("to_date", "\"quarter-to-date\""), ("rolling", "{ rolling = \"2 months\" }")] {
            let rest = format!("type = \"cumulative\"\nmeasure = \"{measure}\"\nwindow = {written}");
            text += &metric(&format!("{measure}_{window}"), &rest);
        }
    }
    text += &metric(
        "spread",
        "type = \"derived\"\nexpr = \"high - low\"\ninputs.high = { metric = \"p90\" }\n\
         inputs.low = { metric = \"p10_rolling\" }",
    );
    let measures: Vec<_> = KEPT.iter().map(|name| format!("\"{name}\"")).collect();
    text += &format!(
        "[rollups.by_day]\ngrain = \"day\"\ndimensions = [\"channel\"]\nmeasures = [{}]\n",
        measures.join(", ")
    );
    Lake::new().table("a.visits", VISITS).await.model("metrics/a.toml", &text)
}

/// The rollup's rows, made of the rows at once; of three parts of them side by side; and of those parts merged.
async fn tables(lake: &Lake, models: &Models) -> Vec<(&'static str, RollupTable)> {
    let source = lake.plans()[&"a.visits".parse().unwrap()].clone();
    let of_rows = |rows: LogicalPlan| models.roll_up("by_day", rows, lake.plans(), &lake.session).unwrap();
    let part = |of: i64| {
        let rows = LogicalPlanBuilder::from(source.clone());
        let number = coalesce(vec![column("person"), lit(0_i64)]) % lit(3_i64);
        of_rows(rows.filter(number.eq(lit(of))).unwrap().build().unwrap())
    };
    let parts = LogicalPlanBuilder::from(part(2)).union(part(0)).unwrap().union(part(1)).unwrap().build().unwrap();
    let merged = models.merge_rollup("by_day", parts.clone()).unwrap();
    let mut tables = Vec::new();
    for (made_of, plan) in [("the rows", of_rows(source.clone())), ("parts", parts), ("merged parts", merged)] {
        let context = SessionContext::new_with_state(lake.session.clone());
        let kept = context.execute_logical_plan(plan).await.unwrap();
        let schema = Arc::clone(kept.schema().inner());
        let kept = Arc::new(MemTable::try_new(schema, vec![kept.collect().await.unwrap()]).unwrap());
        let plan = LogicalPlanBuilder::scan("by_day", provider_as_source(kept), None).unwrap().build().unwrap();
        tables.push((made_of, RollupTable { name: "by_day".into(), plan, rows: None, fresh: true }));
    }
    tables
}

/// The grains that `metric` has; without one it has an end.
fn grains(metric: &str) -> &'static [Option<&'static str>] {
    const ALL: [Option<&str>; 5] = [None, Some("day"), Some("month"), Some("quarter"), Some("week")];
    match metric {
        "spread" => &ALL[2..3],
        _ if metric.ends_with("_rolling") => &ALL[..3],
        _ if metric.ends_with("_to_date") => &ALL[..4],
        _ => &ALL,
    }
}

#[tokio::test]
async fn sketches_of_a_rollup_answer_what_the_rows_answer() {
    let lake = visits().await;
    let models = lake.models();
    let names: Vec<_> = models.rollups()[0].schema.fields().iter().map(|field| field.name().clone()).collect();
    // Both percentiles of the amounts, and the middle, are read from one sketch, and the distinct persons from another.
    let kept = ["persons#0", "complete#0", "doubled#1", "p90#0", "middle#1", "online#0"];
    assert_eq!(names, [&["period", "channel"][..], &kept].concat());
    let context = SessionContext::new_with_state(lake.session.clone());
    let windows = ["persons", "complete", "p90", "p10", "online"]
        .into_iter()
        .flat_map(|name| [format!("{name}_to_date"), format!("{name}_rolling")]);
    let metrics: Vec<String> =
        KEPT.iter().map(ToString::to_string).chain(windows).chain(["spread".to_owned()]).collect();
    let mut answered = 0;
    for (part, (made_of, table)) in tables(&lake, &models).await.iter().enumerate() {
        for (at, metric) in metrics.iter().enumerate() {
            for (next, grain) in grains(metric).iter().enumerate() {
                // Each of the three answers a third of all.
                if (at * 5 + next + part) % 3 != 0 {
                    continue;
                }
                let mut query = match grain {
                    Some(grain) => ask(metric).grain(grain),
                    None => ask(metric).to("2019-06-03"),
                };
                query = match (at + next) % 4 {
                    0 => query.by(&["channel"]),
                    1 => query.only("channel = 'online'"),
                    // What looks back compares whole periods, and without them has its own beginning.
                    2 if metric.contains('_') && grain.is_none() => query,
                    2 if metric.contains('_') || metric == "spread" => query.from("2019-04-01").to("2019-06-30"),
                    2 => query.from("2019-02-11").to("2019-05-13"),
                    // No row at all.
                    _ => query.only("channel = 'post'"),
                };
                let plan = models
                    .plan_over(&query, &lake.session, lake.plans(), std::slice::from_ref(table), lake.today())
                    .unwrap();
                assert_eq!(plan.rollups, told("by_day", RollupState::Used), "{query}");
                let rolled = Lake::text(context.execute_logical_plan(plan.plan).await.unwrap()).await.unwrap();
                assert_eq!(rolled, lake.rows(query.clone()).await, "{query} of {made_of}");
                answered += rolled.iter().filter(|row| row.ends_with(" -")).count();
            }
        }
    }
    assert!(answered > 1_000, "{answered}");
}
