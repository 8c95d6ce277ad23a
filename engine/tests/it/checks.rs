//! `Engine::check` finds every view that does not plan, at its place, without any data.

use std::fs;

use xiangyun_engine::Engine;
use xiangyun_engine::project::{Diagnostics, Project};

use crate::support::fixture_project;

fn view(name: &str, sql: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\ntitle = {{ zh = \"视图\", en = \"View\" }}\n\
         description = {{ zh = \"视图\", en = \"View\" }}\nowner = \"tests\"\nsql = '''\n{sql}\n'''\n"
    )
}

/// Message, hint and the text that is pointed at, of each finding about the views.
async fn findings(views: &[(&str, &str)]) -> Vec<(String, Option<String>, String)> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("views")).unwrap();
    for (name, sql) in views {
        fs::write(folder.path().join(format!("views/{name}.toml")), view(name, sql)).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let mut project = Project::load(folder.path(), &mut diagnostics);
    project.tables = fixture_project().tables;
    let mut diagnostics = Diagnostics::default();
    Engine::check(&project, &mut diagnostics).await;
    let shown = |span: std::ops::Range<usize>, text: &str| text.get(span).unwrap_or_default().to_owned();
    diagnostics
        .iter()
        .map(|found| {
            let text = found.span.clone().map(|span| shown(span, &found.source.text)).unwrap_or_default();
            (found.message.clone(), found.hint.clone(), text)
        })
        .collect()
}

#[tokio::test]
async fn sound_views_give_no_findings() {
    let mut diagnostics = Diagnostics::default();
    Engine::check(&fixture_project(), &mut diagnostics).await;
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

#[tokio::test]
async fn a_fault_is_reported_once_at_its_own_view_and_word() {
    let found = findings(&[
        ("approvals.faulty", "SELECT case_id,\n       chanel FROM approvals.cases"),
        ("approvals.above", "SELECT case_id FROM approvals.faulty"),
    ])
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "unknown column `chanel`");
    assert!(found[0].1.as_deref().unwrap().contains("channel"), "{found:?}");
    assert_eq!(found[0].2, "chanel");
}

#[tokio::test]
async fn cycles_duplicates_writes_and_unknown_tables_are_found() {
    let cycle = findings(&[("a.x", "SELECT n FROM a.y"), ("a.y", "SELECT n FROM a.x")]).await;
    assert_eq!(cycle.len(), 2, "{cycle:?}");
    assert!(cycle.iter().all(|(message, ..)| message.contains("depends on itself: `a.")), "{cycle:?}");
    for (sql, message) in [
        ("SELECT a.case_id, b.case_id FROM approvals.cases a, approvals.cases b", "two columns called `case_id`"),
        ("DELETE FROM approvals.cases", "DELETE is refused"),
        ("SELECT 1 AS n FROM approvals.casess", "unknown table `approvals.casess`"),
        ("SELECT {p:Text} AS n", "a view that is not one SELECT without parameters"),
        ("SELEC 1", "expected"),
    ] {
        let found = findings(&[("a.x", sql)]).await;
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(found[0].0.contains(message), "{sql}: {found:?}");
    }
}

const METRICS: &str = "version = 1\ntable = \"approvals.cases\"\ntime_dimension = \"filed_on\"\nfinest_grain = \"month\"\n\
    dimensions.channel = { title = { zh = \"渠道\", en = \"Channel\" } }\nmeasures.cases.expr = \"count(*)\"\n\
    [metrics.cases]\ntitle = { zh = \"办件量\", en = \"Cases\" }\ndescription = { zh = \"办件\", en = \"Cases\" }\n\
    owner = \"tests\"\ntype = \"simple\"\nmeasure = \"cases\"\n";

/// Message, hint and the text that is pointed at, of each finding about a dashboard with these filters and tiles, found when
/// it is loaded or when it is held against the metrics.
async fn dashboard_findings(parts: &str) -> Vec<(String, Option<String>, String)> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("metrics/m.toml", METRICS.to_owned()),
        (
            "dashboards/d.toml",
            format!(
                "version = 1\nname = \"d\"\ntitle = {{ zh = \"板\", en = \"Board\" }}\n\
                 description = {{ zh = \"板\", en = \"Board\" }}\n{parts}"
            ),
        ),
    ] {
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), text).unwrap();
    }
    let mut diagnostics = Diagnostics::default();
    let mut project = Project::load(folder.path(), &mut diagnostics);
    project.tables = fixture_project().tables;
    Engine::check(&project, &mut diagnostics).await;
    let shown = |span: std::ops::Range<usize>, text: &str| text.get(span).unwrap_or_default().to_owned();
    diagnostics
        .iter()
        .map(|found| {
            let text = found.span.clone().map(|span| shown(span, &found.source.text)).unwrap_or_default();
            (found.message.clone(), found.hint.clone(), text)
        })
        .collect()
}

#[tokio::test]
async fn a_dashboard_is_held_against_its_metrics() {
    let tile = |rest: &str| format!("[[tiles]]\nname = \"t\"\nkind = \"table\"\n{rest}\n");
    let good = tile("metric = \"cases\"\nby = [\"channel\"]\ngrain = \"year\"\nrange = { last = \"2 years\" }");
    assert_eq!(dashboard_findings(&good).await, []);
    for (parts, message, hint, at) in [
        (tile("metric = \"casse\""), "there is no metric `casse`", "did you mean `cases`?", "\"casse\""),
        (
            tile("metric = \"cases\"\nby = [\"chanel\"]"),
            "metric `cases` has no dimension `chanel`",
            "did you mean `channel`?",
            "\"chanel\"",
        ),
        (
            tile("metric = \"cases\"\ngrain = \"day\""),
            "metric `cases` cannot be asked by day",
            "ask by month, quarter, year",
            "\"day\"",
        ),
        (
            tile("metric = \"cases\"\nwhere = \"chanel = 'x'\""),
            "metric `cases` has no dimension `chanel`",
            "did you mean `channel`?",
            "\"cases\"",
        ),
        (
            format!(
                "filters = [{{ name = \"w\", title = {{ zh = \"渠\", en = \"W\" }}, dimension = \"chanel\" }}]\n{good}"
            ),
            "no tile has the dimension `chanel`",
            "did you mean `channel`?",
            "\"chanel\"",
        ),
        (
            tile("metric = \"cases\"\nrange = { last = \"12 hours\" }"),
            "`12 hours` is not a number of periods",
            "write as in `12 months`: 1 to 10000 days, weeks, months, quarters or years",
            "range",
        ),
        (format!("{good}{good}"), "two tiles are called `t`", "", "\"t\""),
        (
            good.replace("table", "number"),
            "a number is one figure, and has no groups",
            "use `kind = \"table\"`",
            "[\"channel\"]",
        ),
    ] {
        let found = dashboard_findings(&parts).await;
        assert_eq!(found.len(), 1, "{parts}: {found:?}");
        assert_eq!((found[0].0.as_str(), found[0].1.as_deref().unwrap_or_default()), (message, hint));
        assert!(found[0].2.contains(at), "{at}: {found:?}");
    }
}
