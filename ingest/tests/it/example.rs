//! The example project loads as its README says. The figures are those of the files' publishers, not of a first load.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use xiangyun_engine::Principal;
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::semantic::MetricQuery;
use xiangyun_ingest::pipeline::SourceDef;
use xiangyun_ingest::progress::Silent;
use xiangyun_ingest::{LoadOptions, LoadOutcome};

use crate::workspace::Lake;

/// Pipelines that read files, and the rows that their files have.
const FILES: [(&str, u64); 6] = [
    ("divisions", 44_703),
    ("divisions_history", 6_823),
    ("holidays", 678),
    ("gdp", 310),
    ("census_population", 11),
    ("prefecture_boundaries", 9),
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The example's files of declarations and data over an empty lake.
async fn example() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jilin");
    for part in ["tables", "views", "pipelines", "data", "metrics", "dashboards", "alerts"] {
        copy(&source.join(part), &folder.path().join(part));
    }
    fs::create_dir(folder.path().join("lake")).unwrap();
    let lake = Lake::at(folder.path()).await;
    (folder, lake)
}

#[tokio::test(flavor = "multi_thread")]
async fn published_records_load_whole_and_add_up_to_the_published_totals() {
    let (_folder, lake) = example().await;
    for (pipeline, rows) in FILES {
        let run = lake.load(pipeline).await.unwrap().run;
        let counts = (run.rows_read, run.rows_loaded, run.rows_rejected, run.rows_duplicate, run.warnings);
        assert_eq!(counts, (rows, rows, 0, 0, 0), "{pipeline}");
        let found = lake.sql(&format!("select count(*) from {}", run.table)).await;
        assert_eq!(found, [[rows.to_string()]], "{pipeline}");
        assert_eq!(lake.load(pipeline).await.unwrap().outcome, LoadOutcome::Unchanged, "{pipeline}");
    }
    // National Bureau of Statistics: units a level in the country and in Jilin.
    let levels = "select level, count(*), count(*) filter (where code12 like '22%') from stats.divisions \
                  group by level order by level";
    let expected = [["1", "31", "1"], ["2", "342", "9"], ["3", "2978", "69"], ["4", "41352", "1075"]];
    assert_eq!(lake.sql(levels).await, expected);
    // Yearbook: Jilin's product in 2011, and its three sectors.
    let gdp = "select gdp_100m_yuan, primary_100m_yuan + secondary_100m_yuan + tertiary_100m_yuan \
               from stats.gdp where province_code = '220000' and year = 2011";
    assert_eq!(lake.sql(gdp).await, [["10568.83", "10568.83"]]);
    let years = "select count(distinct year), count(distinct province_code), min(year), max(year) from stats.gdp";
    assert_eq!(lake.sql(years).await, [["10", "31", "2002", "2011"]]);
    // Seventh census: 24,073,453 persons. The column of 2000 counts Meihekou within Tonghua as well.
    let census = "select sum(census_2020_wan) * 10000 = 24073453, sum(census_2000_wan), count(*) - count(code) \
                  from stats.census_population";
    assert_eq!(lake.sql(census).await, [["true", "2741.9865", "1"]]);
    // Gongzhuling's two last codes, and the outlines of the prefectures.
    let codes = "select code, start_year, end_year from civil.divisions_history \
                 where name = '公主岭市' and code in ('220381', '220184') order by code";
    assert_eq!(lake.sql(codes).await, [["220184", "2020", ""], ["220381", "1990", "2020"]]);
    let outlines = "select min(code), max(code), count(geometry) from natres.prefecture_boundaries";
    assert_eq!(lake.sql(outlines).await, [["220100", "222400", "9"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn synthetic_records_balance_at_a_small_scale() {
    let (_folder, lake) = example().await;
    let options = LoadOptions { scale: Some(0.01), ..LoadOptions::default() };
    let mut loaded = 0;
    for document in lake.ingest.pipelines().iter().filter(|document| is_synthetic(&document.def.source)) {
        let name = &document.def.name;
        let report = lake.ingest.load(name, &options, Arc::new(Silent)).await.unwrap();
        let run = &report.run;
        assert!(run.rows_loaded > 0, "{name}");
        assert_eq!(run.rows_read, run.rows_loaded + run.rows_rejected + run.rows_duplicate, "{name}");
        // The generator keeps the contracts: nothing it makes is refused or warned of.
        let refused = (run.rows_rejected, run.rows_duplicate, run.warnings);
        assert_eq!(refused, (0, 0, 0), "{name}: {:?} {:?}", report.rejects.first(), report.warnings.first());
        let found = lake.sql(&format!("select count(*) from {}", run.table)).await;
        assert_eq!(found, [[run.rows_loaded.to_string()]], "{name}");
        let again = lake.ingest.load(name, &options, Arc::new(Silent)).await.unwrap();
        assert_eq!(again.outcome, LoadOutcome::Unchanged, "{name}");
        loaded += 1;
    }
    assert_eq!(loaded, 9);
    // 200,000 cases at scale 1.
    assert_eq!(lake.sql("select count(*) from approvals.cases").await, [["2000"]]);
}

fn is_synthetic(source: &SourceDef) -> bool {
    matches!(source, SourceDef::Synthetic(_))
}

/// Everything that the example declares, synthetic records at a small scale.
async fn loaded() -> (TempDir, Lake) {
    let (folder, lake) = example().await;
    let options = LoadOptions { scale: Some(0.002), ..LoadOptions::default() };
    for document in lake.ingest.pipelines() {
        lake.ingest.load(&document.def.name, &options, Arc::new(Silent)).await.unwrap();
    }
    (folder, lake)
}

/// Every cell of every row; binary floats to twelve digits, since sums of them depend on the order of the rows.
fn cells(batches: &[arrow::array::RecordBatch]) -> Vec<Vec<String>> {
    let cell = |column: &arrow::array::ArrayRef, row| {
        let text = arrow::util::display::array_value_to_string(column, row).unwrap();
        match column.data_type() {
            arrow::datatypes::DataType::Float64 if !text.is_empty() => format!("{:.12e}", text.parse::<f64>().unwrap()),
            _ => text,
        }
    };
    let rows = |batch: &arrow::array::RecordBatch| {
        (0..batch.num_rows())
            .map(|row| batch.columns().iter().map(|column| cell(column, row)).collect())
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(rows).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sql_of_every_metric_gives_its_figures_and_no_tile_of_the_dashboard_fails() {
    let (_folder, lake) = loaded().await;
    let context = lake.ingest.engine().query_as(Principal::system());
    let day = |text: &str| Some(text.parse().unwrap());
    let (mut compared, mut unwritten) = (0, Vec::new());
    for metric in context.metrics() {
        let plain = MetricQuery { metric: metric.name.clone(), ..MetricQuery::default() };
        let mut queries = Vec::new();
        // The coarsest grain: the plan is the same as for the others, and has the fewest periods.
        match metric.grains.last() {
            Some(grain) => {
                let by: Vec<_> = metric.dimensions.iter().take(1).cloned().collect();
                queries.push(MetricQuery { grain: Some(*grain), by, order: vec!["-value".into()], ..plain.clone() });
            }
            None => queries.push(plain.clone()),
        }
        if !metric.grains.is_empty() {
            let by: Vec<_> = metric.dimensions.iter().filter(|name| name.ends_with(".prefecture")).cloned().collect();
            let filter = by.first().map(|name| format!("{name} is not null"));
            queries.push(MetricQuery { from: day("2010-01-01"), to: day("2018-12-31"), by, filter, ..plain.clone() });
        }
        for query in queries {
            // Some cannot be asked without a range, or with one: those are not compared.
            let Ok(answer) = context.metric(query.clone()).await else { continue };
            let schema = answer.result.schema.clone();
            let expected = cells(&answer.result.collect().await.unwrap());
            let pins = context.pin_metrics([query.metric.as_str()]).await;
            let explained = context.explain_metric(&pins, &query).await.unwrap();
            let Some(sql) = explained.sql else {
                unwritten.push(format!("{query}: {}", explained.sql_missing.unwrap_or_default()));
                continue;
            };
            let result =
                context.sql(SqlRequest::new(&sql)).await.unwrap_or_else(|error| panic!("{}: {sql}", error.chain()));
            assert_eq!(result.schema.fields(), schema.fields(), "{query}: {sql}");
            let found = result.collect().await.unwrap_or_else(|error| panic!("{}: {sql}", error.chain()));
            assert_eq!(cells(&found), expected, "{query}: {sql}");
            compared += 1;
        }
    }
    assert!(unwritten.is_empty(), "{unwritten:#?}");
    assert!(compared >= 30, "{compared}");

    let dashboard = context.dashboard("services").unwrap();
    let pins = context.pin_metrics(dashboard.tiles.iter().map(|tile| tile.metric.as_str())).await;
    let questions = context.tile_questions(&pins, dashboard, &Default::default()).await;
    let queries: Vec<_> = questions.into_iter().map(|question| question.query.unwrap()).collect();
    let answers: Vec<_> =
        context.metrics_over(&pins, &queries).await.into_iter().map(|answer| answer.unwrap()).collect();
    // The two numbers are one query, and so are the two lines.
    assert!(answers[0].result.id == answers[1].result.id && answers[2].result.id == answers[3].result.id);
    for (answer, tile) in answers.into_iter().zip(&dashboard.tiles) {
        let found = answer.result.collect().await.unwrap();
        assert!(found.iter().any(|batch| batch.num_rows() > 0), "{}", tile.name);
    }
}
