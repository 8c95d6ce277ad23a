//! The figures of the real files, where `XIANGYUN_REAL_DATA` names their folder.

use std::path::PathBuf;

use xiangyun_ingest::LoadOutcome;

use crate::workspace::{
    ENTERPRISE_COLUMNS as COLUMNS, Lake, chinese_enterprise_pipeline, enterprise_pipeline, enterprise_table,
};

fn real(file: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("XIANGYUN_REAL_DATA") else {
        eprintln!("SKIPPED: XIANGYUN_REAL_DATA is not set, so `{file}` was not loaded");
        return None;
    };
    Some(std::fs::canonicalize(PathBuf::from(folder).join(file)).unwrap().to_str().unwrap().to_owned())
}

async fn enterprises(path: &str, select: &str, duplicates: &str) -> Lake {
    let pipeline = enterprise_pipeline(path, select, duplicates);
    Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn jilin_loads_to_the_published_sums() {
    let Some(path) = real("enterprise_jilin_1978-2019.csv.gz") else { return };
    let sums = "select count(*), count(capital_wan), sum(capital_wan) from market.enterprises";
    let lake = enterprises(&path, COLUMNS, "warn").await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!(report.run.rows_loaded, 70_268);
    let invalid = lake.sql("select count(*) from market.enterprises where not uscc_is_valid(uscc)").await;
    assert_eq!(invalid, [["4"]]);
    // Four invalid codes and four repeated rows.
    assert_eq!((report.run.warnings, report.run.rows_rejected), (8, 0));
    assert_eq!(lake.sql(sums).await, [["70268", "38898", "72685427.3184"]]);
    assert_eq!(lake.load("enterprises").await.unwrap().outcome, LoadOutcome::Unchanged);

    let lake = enterprises(&path, COLUMNS, "remove").await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_duplicate), (70_268, 70_264, 4));
    assert_eq!(lake.sql(sums).await, [["70264", "38895", "72685260.4184"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gb18030_file_gives_the_rows_of_its_utf8_twin() {
    let Some(path) = real("dirty_enterprise_jilin_2005.gb18030.csv.gz") else { return };
    let Some(twin) = real("enterprise_jilin_1978-2019.csv.gz") else { return };
    let pipeline = chinese_enterprise_pipeline(&path, "warn");
    let gb = Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())])
        .await;
    let report = gb.load("enterprises").await.unwrap();
    assert_eq!(report.run.sources[0].encoding.as_deref(), Some("GB18030"));
    assert_eq!(report.run.rows_loaded, 5_110);
    let utf8 = enterprises(&twin, COLUMNS, "warn").await;
    utf8.load("enterprises").await.unwrap();
    let rows =
        format!("select {COLUMNS}, capital_wan from market.enterprises where source_year = '2005' order by uscc, name");
    assert_eq!(gb.sql(&rows).await, utf8.sql(&rows).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_row_ends_in_quarantine() {
    let Some(path) = real("enterprise_malformed_rows.csv") else { return };
    let pipeline = chinese_enterprise_pipeline(&path, "warn");
    let lake =
        Lake::open(&[("tables/e.toml", enterprise_table().as_bytes()), ("pipelines/e.toml", pipeline.as_bytes())])
            .await;
    let report = lake.load("enterprises").await.unwrap();
    assert_eq!((report.run.rows_read, report.run.rows_loaded, report.run.rows_rejected), (7, 0, 7));
    let found = lake.sql("select file, line, reason from system.quarantine order by line").await;
    let expected: Vec<_> = (2..=8).map(|line| vec![path.clone(), line.to_string(), "FIELD_COUNT".into()]).collect();
    assert_eq!(found, expected);
}
