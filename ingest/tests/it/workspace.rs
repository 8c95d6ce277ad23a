//! A project and a lake of its own for each test.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use tempfile::TempDir;
use xiangyun_engine::clock::{Clock, system_clock};
use xiangyun_engine::project::{Diagnostics, Project};
use xiangyun_engine::query::{Limits, SqlRequest};
use xiangyun_engine::storage::{Storage, StorageOptions};
use xiangyun_engine::{Engine, EngineOptions, Principal, Result};
use xiangyun_ingest::connection::Secrets;
use xiangyun_ingest::progress::Silent;
use xiangyun_ingest::{Declarations, Ingest, LoadOptions, LoadReport};

pub(crate) struct Lake {
    pub(crate) folder: Option<TempDir>,
    pub(crate) ingest: Ingest,
}

/// The contract of the enterprise files; `amount` is the plain 万元人民币 capital, made by the transform.
pub(crate) fn enterprise_table() -> String {
    let text = ["source_year", "name", "uscc", "enterprise_type", "registered_capital_raw", "business_scope"];
    let mut columns: Vec<String> = text
        .iter()
        .chain(&["province", "prefecture", "address"])
        .map(|name| {
            let list = if *name == "uscc" { ", code_list = \"uscc\"" } else { "" };
            format!("{{ name = \"{name}\", type = \"text\", nullable = true{list} }}")
        })
        .collect();
    columns.push("{ name = \"registered_on\", type = \"date\" }".into());
    columns.push("{ name = \"capital_wan\", type = \"decimal(18,4)\", nullable = true }".into());
    format!(
        r#"version = 1
name = "market.enterprises"
agency = "测试"
owner = "tests"
level = "general-1"
sharing = "none"
sharing_conditions = "tests"
title = {{ zh = "企业", en = "enterprises" }}
description = {{ zh = "企业", en = "enterprises" }}
columns = [{}]
"#,
        columns.join(",\n")
    )
}

/// The columns of the enterprise files.
pub(crate) const ENTERPRISE_COLUMNS: &str = "source_year, name, uscc, registered_on, enterprise_type, \
                                             registered_capital_raw, business_scope, province, prefecture, address";

/// Loads `path`; `select` gives the table's columns but the capital, which is added.
pub(crate) fn enterprise_pipeline(path: &str, select: &str, duplicates: &str) -> String {
    format!(
        r#"version = 1
name = "enterprises"
table = "market.enterprises"
source = {{ kind = "csv", path = "{path}" }}
mode = "replace"
duplicates = "{duplicates}"
transform = {{ sql = """select {select},
  case when registered_capital_raw like '%(万元人民币)'
       then cast(replace(replace(registered_capital_raw, '(万元人民币)', ''), ',', '') as decimal(18,4)) end as capital_wan
  from rows_of_source""" }}
"#
    )
    .replace("rows_of_source", "source")
}

/// As [`enterprise_pipeline`], for a file with the original Chinese header in its original order.
pub(crate) fn chinese_enterprise_pipeline(path: &str, duplicates: &str) -> String {
    let select = r#"substr("注册日期", 1, 4) as source_year, "企业名称" as name, "统一社会信用代码" as uscc,
        "注册日期" as registered_on, "企业类型" as enterprise_type, "注册资金" as registered_capital_raw,
        "经营范围" as business_scope, "所在省份" as province, "地区" as prefecture, "注册地址" as address"#;
    enterprise_pipeline(path, select, duplicates)
        .replace("registered_capital_raw like", "\"注册资金\" like")
        .replace("replace(registered_capital_raw,", "replace(\"注册资金\",")
}

impl Lake {
    /// A project of these files over an empty lake.
    pub(crate) async fn open(files: &[(&str, &[u8])]) -> Self {
        Self::open_at(files, system_clock()).await
    }

    /// As [`Self::open`], at a time that the test sets.
    pub(crate) async fn open_at(files: &[(&str, &[u8])], clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::create_dir_all(folder.path().join("lake")).unwrap();
        let ingest = open_over(folder.path(), local(folder.path()).await, clock).await;
        Self { folder: Some(folder), ingest }
    }

    /// A project that is there already.
    pub(crate) async fn at(root: &Path) -> Self {
        Self { folder: None, ingest: open_over(root, local(root).await, system_clock()).await }
    }

    /// As [`Self::at`], with the lake in `storage`.
    pub(crate) async fn over(root: &Path, storage: Storage) -> Self {
        Self { folder: None, ingest: open_over(root, storage, system_clock()).await }
    }

    /// The project's folder, for a lake that [`Self::open`] made.
    pub(crate) fn root(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.root().join(path), bytes).unwrap();
    }

    pub(crate) async fn load(&self, pipeline: &str) -> Result<LoadReport> {
        self.ingest.load(pipeline, &LoadOptions::default(), Arc::new(Silent)).await
    }

    /// Rows as texts.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        let context = self.ingest.engine().query_as(Principal::system());
        let batches = context.sql(SqlRequest::new(sql)).await.unwrap().collect().await.unwrap();
        batches.iter().flat_map(rows).collect()
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let row = |row| batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect();
    (0..batch.num_rows()).map(row).collect()
}

async fn local(root: &Path) -> Storage {
    let url = format!("file://{}", root.join("lake").display());
    Storage::open(&StorageOptions { url, ..StorageOptions::default() }).await.unwrap()
}

async fn open_over(root: &Path, storage: Storage, clock: Arc<dyn Clock>) -> Ingest {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(root, &mut diagnostics);
    let declarations = Declarations::load(&project, &mut diagnostics);
    let faults: Vec<_> = diagnostics.iter().map(|fault| fault.message.clone()).collect();
    assert!(!diagnostics.has_errors(), "{faults:?}");
    let options = EngineOptions { project: Arc::new(project), storage, limits: Limits::default(), clock };
    Ingest::open(Engine::open(options).await.unwrap(), declarations, Secrets::default()).await.unwrap()
}
