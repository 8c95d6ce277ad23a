//! `pipelines/*.toml`.

mod batch;
mod check;
mod drift;
mod mode;
mod schedule;
mod source;
mod written;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::project::Resource;

pub use batch::{
    BatchCheckDef, BatchRule, ControlTotalRule, DaysOf, DaysPeriod, DaysRule, FoundInRule, OnBatchFail, RowCountRule,
    Share, Tolerance,
};
pub use check::{CheckDef, CheckRule, OnFail};
pub use drift::SchemaPolicy;
pub use mode::{HistoryMode, OnChangedFile, UpsertMode, WriteMode};
pub use schedule::{ArrivalDef, CatchUp, RetryDef, ScheduleDays, ScheduleDef};
pub use source::{
    CkanSource, ColumnarSource, CsvSource, DatabaseRows, DuplicateNames, ExcelSource, FileLocation, FooterDef,
    GeoJsonSource, HeaderDef, HeaderWord, HttpIncrementalDef, HttpSource, JsonSource, MysqlSource, PagingDef,
    PostgresSource, PushSource, RaggedDef, SheetDef, SocrataSource, SourceDef, SqliteSource, SyntheticSource,
    XmlSource, ZeroDates,
};
pub use written::{WrittenDef, WrittenForm};

/// `pipelines/*.toml`: one declared load. Steps: source → optional SQL transform → checks → write mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Name, unique in the project.
    pub name: String,
    /// The table it loads.
    pub table: TableName,
    /// Where the rows come from.
    pub source: SourceDef,
    /// Table column → source column, where their names differ (`uscc = "统一社会信用代码"`).
    #[serde(default)]
    pub columns: IndexMap<String, String>,
    /// Table column → how its values are written, where that is not how its type is read anyway.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub written: IndexMap<String, WrittenDef>,
    /// What is done where the source's columns are not those they were. Unless said, files with other columns than the
    /// first fail the load, and columns that the table does not have are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaPolicy>,
    /// Source column → the name that it has in other files (`"企业名称" = "名称"`): both are one column, of the first name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub renamed: IndexMap<String, String>,
    /// SQL between source and checks.
    pub transform: Option<TransformDef>,
    /// Checks beyond the contract's own (type, nullability).
    #[serde(default)]
    pub checks: Vec<CheckDef>,
    /// Checks of the load as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<BatchCheckDef>,
    /// How many rows may be rejected: a number, or a share of those that were read (`"5%"`). With more, nothing is
    /// committed but the quarantine. Unless said, any number may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejected: Option<Tolerance>,
    /// How rows enter the table.
    pub mode: WriteMode,
    /// With `append`: what to do when a file of a name that was loaded before has other content.
    #[serde(default)]
    pub on_changed_file: OnChangedFile,
    /// What to do with rows whose primary key (all columns where there is none) was seen before in this load.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// When it runs by itself. No part of what makes two loads the same.
    #[serde(skip_serializing)]
    pub schedule: Option<ScheduleDef>,
}

impl PipelineDef {
    /// The source's column that the table's column `name` is made of.
    pub(crate) fn input_of<'a>(&'a self, name: &'a str) -> &'a str {
        let keeps = |written: &&WrittenDef| written.raw.as_deref() == Some(name);
        let written = self.written.iter().find(|(_, written)| keeps(written)).map_or(name, |(column, _)| column);
        self.columns.get(written).map_or(written, String::as_str)
    }
}

impl Resource for PipelineDef {
    const FOLDER: &'static str = "pipelines";
    const KIND: &'static str = "pipeline";
    const VERSION: u32 = 1;
}

/// SQL between source and checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformDef {
    /// One SELECT over `source` (its columns are text, for typed sources typed) and the lake's tables. Rows keep
    /// their file and line when it neither groups nor joins.
    pub sql: String,
}

/// What to do with duplicates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Load the first, count the others as duplicates.
    Remove,
    /// Load all of them, with a warning each.
    Warn,
    /// Load the first, put the others into quarantine.
    #[default]
    Reject,
    /// Load all of them: rows are not compared, which a load without repeated rows need not pay for.
    Keep,
}
