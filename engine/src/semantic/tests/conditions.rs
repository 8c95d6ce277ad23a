//! Conditions as data, and the hierarchies that screens build them from.

use serde_json::{Value, json};

use super::{Lake, Question, ask, simple};
use crate::error::{Error, ErrorKind};
use crate::semantic::{Condition, MetricQuery};

const ROWS: &str = "
    SELECT cast(column1 AS date) AS day, column2 AS channel, column3 AS days, column4 AS late,
        cast(column5 AS decimal(38,6)) AS fee, arrow_cast(arrow_cast(column6, 'Timestamp(Microsecond, None)'),
        'Timestamp(Microsecond, Some(\"UTC\"))') AS at, column7 AS region
    FROM (VALUES
        ('2019-03-01', 'online', 2, false, 0.10, '2019-03-01T01:00:00', '220102001000'),
        ('2019-03-02', 'online_%', 4, false, 0.20, '2019-03-02T01:00:00', '220102002000'),
        ('2019-03-03', 'window', 6, true, 0.30, '2019-03-03T01:00:00', '220202001000'),
        ('2019-03-04', NULL, 8, true, NULL, '2019-03-04T01:00:00', '220381001000'))";

fn model(more: &str) -> String {
    let title = "title = { zh = \"a\", en = \"a\" }";
    let plain = ["day", "channel", "days", "late", "fee", "at"];
    let plain: String = plain.iter().map(|name| format!("{name} = {{ {title} }}\n")).collect();
    format!(
        "version = 1\ntable = \"approvals.cases\"\ntime_dimension = \"day\"\n[dimensions]\n{plain}\
         region = {{ title = {{ zh = \"地区\", en = \"Region\" }}, kind = \"region\" }}\n{more}\n\
         [measures]\nn.expr = \"count(*)\"\n{}",
        simple("n")
    )
}

async fn lake() -> Lake {
    Lake::new().table("approvals.cases", ROWS).await.model("metrics/a.toml", &model(""))
}

fn only(condition: Value) -> MetricQuery {
    MetricQuery { conditions: Some(serde_json::from_value(condition).unwrap()), ..ask("n") }
}

async fn refused(condition: Value) -> Error {
    lake().await.ask(only(condition)).await.unwrap_err()
}

#[tokio::test]
async fn every_comparison_means_what_sql_means() {
    let lake = lake().await;
    for (condition, sql) in [
        (json!({"dimension": "channel", "op": "eq", "value": "online"}), "channel = 'online'"),
        (json!({"dimension": "channel", "op": "ne", "value": "online"}), "channel <> 'online'"),
        (json!({"dimension": "channel", "op": "in", "value": ["online", "window"]}), "channel in ('online', 'window')"),
        (json!({"dimension": "channel", "op": "is_null"}), "channel is null"),
        (json!({"dimension": "channel", "op": "is_null", "value": false}), "channel is not null"),
        (json!({"dimension": "days", "op": "lt", "value": 4}), "days < 4"),
        (json!({"dimension": "days", "op": "le", "value": 4}), "days <= 4"),
        (json!({"dimension": "days", "op": "gt", "value": 4}), "days > 4"),
        (json!({"dimension": "days", "op": "ge", "value": 4}), "days >= 4"),
        (json!({"dimension": "days", "op": "between", "value": [4, 6]}), "days between 4 and 6"),
        (json!({"dimension": "late", "op": "eq", "value": true}), "late"),
        (json!({"dimension": "fee", "op": "eq", "value": 0.1}), "fee = 0.1"),
        (json!({"dimension": "fee", "op": "gt", "value": 0}), "fee > 0"),
        (json!({"dimension": "day", "op": "ge", "value": "2019-03-03"}), "day >= '2019-03-03'"),
        (json!({"dimension": "at", "op": "lt", "value": "2019-03-02T09:00:00+08:00"}), "day < '2019-03-02'"),
        (json!({"dimension": "region", "op": "like_prefix", "value": "2201"}), "region like '2201%'"),
        // A prefix is text and no pattern.
        (json!({"dimension": "channel", "op": "like_prefix", "value": "online_%"}), "channel = 'online_%'"),
        (
            json!({"dimension": "region.prefecture", "op": "eq", "value": "220300"}),
            "division_ancestor(region, 'prefecture') = '220300'",
        ),
        (
            json!({"and": [{"dimension": "days", "op": "ge", "value": 4},
                           {"or": [{"dimension": "late", "op": "eq", "value": false},
                                   {"dimension": "channel", "op": "is_null"}]}]}),
            "days >= 4 and (not late or channel is null)",
        ),
        (json!({"not": {"dimension": "days", "op": "in", "value": [2, 4]}}), "days not in (2, 4)"),
    ] {
        let expected = lake.sql(&format!("SELECT count(*), '-' FROM approvals_cases WHERE {sql}")).await;
        assert_eq!(lake.rows(only(condition)).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn conditions_hold_beside_the_text_of_where() {
    let lake = lake().await;
    let both = only(json!({"dimension": "days", "op": "gt", "value": 2})).only("channel is not null");
    assert_eq!(lake.rows(both).await, ["2 -"]);
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_by_the_name_of_its_dimension() {
    for (condition, message) in [
        (
            json!({"dimension": "channel", "op": "eq", "value": 3}),
            "`channel` cannot be met: it is text, and `eq` was given 3",
        ),
        (
            json!({"dimension": "days", "op": "eq", "value": "3"}),
            "`days` cannot be met: it is a whole number, and `eq` was given \"3\"",
        ),
        (json!({"dimension": "days", "op": "eq", "value": 1.5}), "it is a whole number, and `eq` was given 1.5"),
        (json!({"dimension": "late", "op": "eq", "value": "yes"}), "`late` cannot be met: it is true or false"),
        (json!({"dimension": "day", "op": "eq", "value": "2019-3-1"}), "it is a date written YYYY-MM-DD"),
        (json!({"dimension": "day", "op": "eq", "value": "2019-02-29"}), "it is a date written YYYY-MM-DD"),
        (
            json!({"dimension": "at", "op": "eq", "value": "2019-03-01"}),
            "it is a time written 2019-03-26T09:00:00+08:00",
        ),
        (
            json!({"dimension": "region.county", "op": "eq", "value": 220102}),
            "`region.county` cannot be met: it is text",
        ),
        (json!({"dimension": "channel", "op": "eq", "value": null}), "`eq` needs a `value`"),
        (json!({"dimension": "channel", "op": "in", "value": [null]}), "`in` was given null: ask with `is_null`"),
        (json!({"dimension": "channel", "op": "in", "value": "online"}), "`in` takes a list"),
        (json!({"dimension": "channel", "op": "in", "value": []}), "`in` needs at least one value"),
        (json!({"dimension": "days", "op": "between", "value": [1]}), "`between` takes two values, not 1"),
        (
            json!({"dimension": "days", "op": "like_prefix", "value": "1"}),
            "it is a whole number, and `like_prefix` compares text",
        ),
        (json!({"dimension": "channel", "op": "is_null", "value": 1}), "`is_null` takes true or false"),
        (json!({"and": []}), "`and` of a condition has no parts"),
    ] {
        let error = refused(condition.clone()).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{condition}");
        assert!(error.to_string().contains(message), "{condition}: {error}");
    }
    let error = refused(json!({"dimension": "chanel", "op": "eq", "value": "online"})).await;
    assert_eq!(error.to_string(), "metric `n` has no dimension `chanel`");
    assert_eq!(error.hint(), Some("did you mean `channel`?"));
}

#[tokio::test]
async fn conditions_have_a_size_that_ends() {
    let one = json!({"dimension": "days", "op": "eq", "value": 3});
    let wide = json!({"or": vec![one.clone(); 201]});
    assert_eq!(refused(wide).await.kind(), ErrorKind::LimitExceeded);
    let deep = (0..17).fold(one, |inner, _| json!({"not": inner}));
    assert_eq!(refused(deep).await.to_string(), "the condition has more than 16 levels");
    let many: Vec<_> = (0..1001).collect();
    let error = refused(json!({"dimension": "days", "op": "in", "value": many})).await;
    assert!(error.to_string().contains("at the most 1000 values"), "{error}");
}

#[test]
fn a_condition_that_is_none_says_what_one_is() {
    for (text, message) in [
        ("{}", "a condition has one of `and`, `or`, `not`"),
        (r#"{"dimension": "a"}"#, "the condition on `a` has no `op`"),
        (r#"{"and": [], "dimension": "a", "op": "eq", "value": 1}"#, "a condition has one of"),
        (r#"{"dimension": "a", "op": "like", "value": 1}"#, "unknown variant `like`"),
        (r#"{"dimension": "a", "op": "eq", "values": 1}"#, "unknown field `values`"),
    ] {
        let error = serde_json::from_str::<Condition>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    let text = r#"{"and":[{"dimension":"a","op":"is_null"},{"not":{"dimension":"b","op":"in","value":[1,2]}}]}"#;
    let condition: Condition = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&condition).unwrap(), text);
    assert_eq!(condition.dimensions(), ["a", "b"]);
    let query = MetricQuery { conditions: Some(condition), ..ask("n") };
    assert_eq!(query.to_string(), format!("metric n conditions={text}"));
}

#[tokio::test]
async fn a_metric_says_how_it_can_be_drilled_into() {
    let declared = "[hierarchies.service]\ntitle = { zh = \"服务\", en = \"Service\" }\n\
                    levels = [\"region.prefecture\", \"channel\", \"late\"]\n";
    let lake = Lake::new().table("approvals.cases", ROWS).await.model("metrics/a.toml", &model(declared));
    let hierarchies = lake.models().summary("n").unwrap().hierarchies;
    let named: Vec<_> =
        hierarchies.iter().map(|h| format!("{} {}: {}", h.name, h.title.en, h.levels.join(" "))).collect();
    assert_eq!(
        named,
        [
            "region Region: region.province region.prefecture region.county region.township",
            "service Service: region.prefecture channel late",
        ]
    );
    for (levels, message) in [
        ("[\"channel\"]", "a hierarchy has two levels at the least"),
        ("[\"channel\", \"region.city\"]", "there is no dimension `region.city`"),
    ] {
        let declared = format!("[hierarchies.h]\ntitle = {{ zh = \"a\", en = \"a\" }}\nlevels = {levels}\n");
        let lake = Lake::new().table("approvals.cases", ROWS).await.model("metrics/a.toml", &model(&declared));
        assert_eq!(lake.faults(), [message]);
    }
}
