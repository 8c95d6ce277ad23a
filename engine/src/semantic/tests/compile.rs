//! Faults of model files.

use super::{CASES, Lake, cases, metric};
use crate::Engine;
use crate::project::{Diagnostics, Project};

/// A model over the cases with `body` behind its head.
async fn faults(body: &str) -> Vec<String> {
    let text = format!("version = 1\ntable = \"approvals.cases\"\ntime_dimension = \"decided_on\"\n{body}");
    Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text).faults()
}

#[tokio::test]
async fn a_sound_model_has_no_faults_and_says_what_can_be_asked() {
    let models = cases().await.models();
    let growth = models.summary("share_change").unwrap();
    assert_eq!(growth.kind, "derived");
    assert_eq!(growth.dimensions, ["channel"]);
    // Looking back a month makes no sense by quarter or year.
    assert_eq!(growth.grains.iter().map(|grain| grain.name()).collect::<Vec<_>>(), ["day", "month"]);
    let names: Vec<_> = models.summaries().into_iter().map(|summary| summary.name).collect();
    assert!(names.is_sorted() && names.len() == 9, "{names:?}");
}

#[tokio::test]
async fn expressions_are_typed_against_the_table() {
    let title = "title = { zh = \"a\", en = \"a\" }";
    for (body, message) in [
        ("measures.m.expr = \"sum(fees)\"".to_owned(), "there is no column `fees`"),
        ("measures.m.expr = \"days\"".to_owned(), "a measure must aggregate"),
        ("measures.m.expr = \"sum(days) + days\"".to_owned(), "column `days` stands outside an aggregate"),
        ("measures.m.expr = \"max(channel)\"".to_owned(), "a measure is a number, not Utf8"),
        (
            "measures.m.expr = \"count(*) over ()\"".to_owned(),
            "an expression of a model may not hold a window function",
        ),
        ("measures.m.expr = \"count(*) + (select 1)\"".to_owned(), "an expression of a model may not hold a subquery"),
        (format!("[dimensions.d]\n{title}\nexpr = \"sum(days)\""), "an aggregate cannot stand here"),
        (
            format!("[dimensions.d]\n{title}\nexpr = \"days\"\nkind = \"region\""),
            "a region dimension holds division codes",
        ),
        (format!("[dimensions.period]\n{title}\nexpr = \"days\""), "`period` is a column of every answer"),
        (format!("[dimensions.chanel]\n{title}"), "there is no column `chanel`"),
        (
            "measures.m = { expr = \"avg(days)\", empty_periods = \"zero\" }".to_owned(),
            "only sums and counts are zero where nothing happened",
        ),
    ] {
        let found = faults(&body).await;
        assert!(found.len() == 1 && found[0].starts_with(message), "{body}: {found:?}");
    }
}

#[tokio::test]
async fn a_fault_has_a_hint_and_a_place() {
    let text = "version = 1\ntable = \"approvals.cases\"\nmeasures.m.expr = \"sum(dayz)\"\n";
    let lake = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", text);
    let (_, diagnostics) = lake.compile();
    let fault = diagnostics.iter().next().unwrap();
    assert_eq!(fault.hint.as_deref(), Some("did you mean `days`?"));
    assert_eq!(fault.source.path.to_str(), Some("metrics/a.toml"));
}

#[tokio::test]
async fn metrics_name_measures_and_metrics_that_exist() {
    let measure = "measures.m.expr = \"count(*)\"\nmeasures.a.expr = \"avg(days)\"\n";
    for (rest, message) in [
        ("type = \"simple\"\nmeasure = \"n\"", "there is no measure `n`"),
        ("type = \"ratio\"\nnumerator = \"m\"\ndenominator = \"mm\"", "there is no measure `mm`"),
        ("type = \"cumulative\"\nmeasure = \"a\"\nwindow = \"all-time\"", "only sums and counts can be added up"),
        ("type = \"derived\"\nexpr = \"a\"\ninputs.a.metric = \"nobody\"", "there is no metric `nobody`"),
        (
            "type = \"derived\"\nexpr = \"a\"\ninputs.a = { metric = \"base\", offset = \"last year\" }",
            "`last year` is not an offset",
        ),
        ("type = \"derived\"\nexpr = \"a + b\"\ninputs.a.metric = \"base\"", "there is no column `b`"),
        ("type = \"derived\"\nexpr = \"a > 1\"\ninputs.a.metric = \"base\"", "a metric is a number, not Boolean"),
        (
            "type = \"derived\"\nexpr = \"a\"\ninputs.a.metric = \"base\"\ninputs.b.metric = \"base\"",
            "input `b` is not used",
        ),
    ] {
        let body = format!("{measure}{}{}", metric("base", "type = \"simple\"\nmeasure = \"m\""), metric("x", rest));
        let found = faults(&body).await;
        assert!(found.len() == 1 && found[0].starts_with(message), "{rest}: {found:?}");
    }
}

#[tokio::test]
async fn a_cycle_is_reported_at_every_file_it_goes_through() {
    let head = "version = 1\ntable = \"approvals.cases\"\n";
    let a = format!("{head}{}", metric("a", "type = \"derived\"\nexpr = \"x\"\ninputs.x.metric = \"b\""));
    let b = format!("{head}{}", metric("b", "type = \"derived\"\nexpr = \"x\"\ninputs.x.metric = \"a\""));
    let lake =
        Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &a).model("metrics/b.toml", &b);
    let (models, diagnostics) = lake.compile();
    let found: Vec<_> = diagnostics.iter().map(|fault| (fault.source.path.to_str().unwrap(), &fault.message)).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, "metrics/a.toml");
    assert!(found[0].1.starts_with("metric `a` is computed from itself, by way of `b` in metrics/b.toml"), "{found:?}");
    assert_eq!(found[1].0, "metrics/b.toml");
    assert!(models.summary("a").is_err());
}

#[tokio::test]
async fn one_name_in_two_files_is_reported_in_both() {
    let text = format!(
        "version = 1\ntable = \"approvals.cases\"\nmeasures.m.expr = \"count(*)\"\n{}",
        metric("twice", "type = \"simple\"\nmeasure = \"m\"")
    );
    let lake = Lake::new().table("approvals.cases", CASES).await;
    let lake = lake.model("metrics/a.toml", &text).model("metrics/b.toml", &text);
    let found = lake.faults();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("metrics/a.toml") && found[1].contains("metrics/b.toml"), "{found:?}");
}

#[tokio::test]
async fn what_needs_time_needs_a_time_dimension() {
    let head = "version = 1\ntable = \"approvals.cases\"\n";
    for (measure, rest, message) in [
        (
            "\"count(*)\"",
            "type = \"cumulative\"\nmeasure = \"m\"\nwindow = \"all-time\"",
            "a cumulative metric adds up over time",
        ),
        (
            "\"count(*)\"",
            "type = \"derived\"\nexpr = \"a\"\ninputs.a = { metric = \"base\", offset = \"1 year\" }",
            "the model of `approvals.cases` has no time_dimension",
        ),
    ] {
        let base = metric("base", "type = \"simple\"\nmeasure = \"m\"");
        let text = format!("{head}measures.m.expr = {measure}\n{base}{}", metric("x", rest));
        let lake = Lake::new().table("approvals.cases", CASES).await.model("metrics/a.toml", &text);
        let found = lake.faults();
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
}

#[tokio::test]
async fn an_unknown_table_is_reported_and_the_rest_of_the_project_stands() {
    let lake = cases().await.model("metrics/b.toml", "version = 1\ntable = \"approvals.case\"\n");
    assert_eq!(lake.faults(), ["there is no table or view `approvals.case`"]);
}

#[tokio::test]
async fn the_example_that_ships_is_sound() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jilin");
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(&root, &mut diagnostics);
    Engine::check(&project, &mut diagnostics).await;
    let found: Vec<_> = diagnostics.iter().map(|d| format!("{}: {}", d.source.path.display(), d.message)).collect();
    assert!(!project.models.is_empty() && found.is_empty(), "{found:#?}");
}
