//! `pipelines/*.toml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::project::Resource;

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
    /// SQL between source and checks.
    pub transform: Option<TransformDef>,
    /// Checks beyond the contract's own (type, nullability).
    #[serde(default)]
    pub checks: Vec<CheckDef>,
    /// How rows enter the table.
    pub mode: WriteMode,
    /// What to do with rows whose primary key (all columns where there is none) was seen before in this load.
    #[serde(default)]
    pub duplicates: Duplicates,
}

impl Resource for PipelineDef {
    const FOLDER: &'static str = "pipelines";
    const KIND: &'static str = "pipeline";
    const VERSION: u32 = 1;
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceDef {
    /// Delimited text.
    Csv(CsvSource),
    /// A GeoJSON FeatureCollection: a row a feature, its geometry as GeoJSON text in `geometry`.
    #[serde(rename = "geojson")]
    GeoJson(GeoJsonSource),
    /// The seeded generator.
    Synthetic(SyntheticSource),
}

/// Delimited text, in one or more files; compression by content (gzip, zstd), encoding detected unless said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// File or glob below the project's root, `/`-separated.
    pub path: String,
    /// `auto` (byte order mark, then strict UTF-8, then GB18030), `utf-8` or `gb18030`.
    #[serde(default = "auto")]
    pub encoding: String,
    /// One character.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
}

fn auto() -> String {
    "auto".into()
}

fn comma() -> char {
    ','
}

/// A GeoJSON FeatureCollection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeoJsonSource {
    /// File below the project's root.
    pub path: String,
}

/// The seeded generator: the same seed, dataset and scale give the same rows everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSource {
    /// Which records, as in `approval_cases`.
    pub dataset: String,
    /// Seed.
    pub seed: u64,
    /// Multiplies the data set's usual number of rows.
    #[serde(default = "one")]
    pub scale: f64,
}

fn one() -> f64 {
    1.0
}

/// SQL between source and checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformDef {
    /// One SELECT over `source` (its columns are text, for typed sources typed) and the lake's tables. Rows keep
    /// their file and line when it neither groups nor joins.
    pub sql: String,
}

/// How rows enter the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Adds rows; the same file is added once, however often it is sent.
    Append,
    /// Replaces all rows; running it again with the same content does nothing.
    Replace,
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

/// A check of a column or row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckDef {
    /// The column; none for `expression`.
    pub column: Option<String>,
    /// What must hold.
    pub rule: CheckRule,
    /// What to do where it does not.
    #[serde(default)]
    pub on_fail: OnFail,
}

/// What must hold. A missing value passes every rule but `not-null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckRule {
    /// A value is there.
    NotNull,
    /// A valid unified social credit code (GB 32100-2015).
    Uscc,
    /// A valid resident identity number (GB 11643-1999).
    IdentityNumber,
    /// A division code that was in use at some time.
    Division,
    /// One of these texts.
    OneOf(Vec<String>),
    /// Matches this regular expression as a whole.
    Pattern(String),
    /// Lies between both, inclusive; written as text in the column's type.
    Between(String, String),
    /// This SQL predicate over the row's columns is true.
    Expression(String),
}

/// What to do where a check does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// The row goes to quarantine.
    #[default]
    Reject,
    /// The row is loaded and counted.
    Warn,
    /// The run fails; nothing is committed.
    Stop,
}
