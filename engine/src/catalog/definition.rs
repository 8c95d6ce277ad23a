//! What the project says a table or a view should be: the contract.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::OptimizeDef;
use super::table_name::TableName;
use crate::project::Resource;

/// A text in Chinese and English; screens and reports show both or the reader's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A column's type: one spelling each, the same in contracts, `system.columns` and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^(text|int64|float64|boolean|date|timestamp|decimal\([0-9]+, ?[0-9]+\))$"))]
pub enum ColumnType {
    /// `text`: UTF-8. Codes are text.
    Text,
    /// `int64`.
    Int64,
    /// `float64`: never for money.
    Float64,
    /// `boolean`.
    Boolean,
    /// `date`: a calendar day.
    Date,
    /// `timestamp`: an instant, microseconds, UTC.
    Timestamp,
    /// `decimal(p,s)`, p from 1 to 38.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
}

/// Why a text is no column type.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a column type: use text, int64, float64, boolean, date, timestamp or decimal(p,s)")]
pub struct InvalidColumnType(String);

impl ColumnType {
    /// The Arrow type that tables store and queries see.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = InvalidColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidColumnType(text.into());
        Ok(match text {
            "text" => Self::Text,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            other => {
                let inner =
                    other.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(invalid)?;
                let (precision, scale) = inner.split_once(',').ok_or_else(invalid)?;
                let precision = precision.trim().parse().map_err(|_| invalid())?;
                let scale = scale.trim().parse().map_err(|_| invalid())?;
                if !(1..=38).contains(&precision) || scale > precision {
                    return Err(invalid());
                }
                Self::Decimal { precision, scale }
            }
        })
    }
}

impl TryFrom<String> for ColumnType {
    type Error = InvalidColumnType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(value: ColumnType) -> Self {
        value.to_string()
    }
}

/// Data level by GB/T 43697-2024; annex H splits general into four (1 public, 4 strictest).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataLevel {
    /// 一般数据 1: public.
    #[serde(rename = "general-1")]
    General1,
    /// 一般数据 2.
    #[serde(rename = "general-2")]
    General2,
    /// 一般数据 3.
    #[serde(rename = "general-3")]
    General3,
    /// 一般数据 4.
    #[serde(rename = "general-4")]
    General4,
    /// 重要数据.
    Important,
    /// 核心数据.
    Core,
}

/// How a table may be shared between agencies: 政务信息资源目录编制指南(试行), 2017. Jilin's wording
/// (无条件共享 / 授权共享 / 非共享) maps one to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SharingType {
    /// 无条件共享.
    Unconditional,
    /// 有条件共享 (Jilin: 授权共享): `sharing_conditions` must say which.
    Conditional,
    /// 不予共享 (Jilin: 非共享): `sharing_conditions` must give the legal basis.
    None,
}

/// How often an agency promises new data (更新周期).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdatePeriod {
    /// 每日.
    Daily,
    /// 每周.
    Weekly,
    /// 每月.
    Monthly,
    /// 每季度.
    Quarterly,
    /// 每年.
    Yearly,
    /// 不定期: no promise.
    Irregular,
}

/// The freshness promise: overdue when now > last data date + period + grace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// How often new data comes.
    pub period: UpdatePeriod,
    /// Working days allowed after the period's end.
    #[serde(default)]
    pub grace_working_days: u32,
    /// The date or timestamp column whose greatest value is the data date.
    pub column: Option<String>,
}

/// The code list that a text column's values belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CodeList {
    /// Unified social credit code, GB 32100-2015.
    Uscc,
    /// Resident identity number, GB 11643-1999.
    IdentityNumber,
    /// Administrative division, GB/T 2260 (6 digits) or statistical (9 or 12 digits).
    Division,
    /// Industry, GB/T 4754-2017.
    Industry,
}

/// One column of a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnDef {
    /// Column name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// Type: `text`, `int64`, `float64`, `boolean`, `date`, `timestamp` or `decimal(p,s)`.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether a value may be missing; it may not unless this says so.
    #[serde(default)]
    pub nullable: bool,
    /// Title shown to people.
    pub title: Option<Bilingual>,
    /// What the column means.
    pub description: Option<Bilingual>,
    /// Unit of the value, as in `CNY`, `10k CNY`, `person`, `working day`.
    pub unit: Option<String>,
    /// Data level, where stricter than the table's.
    pub level: Option<DataLevel>,
    /// Code list that the values belong to.
    pub code_list: Option<CodeList>,
    /// Whether rows are looked up by this column's value: files get a Bloom filter of it, which says quickly that a value
    /// is not in them where the sort order does not.
    #[serde(default)]
    pub lookup: bool,
}

/// `tables/*.toml`: a table's contract with the agency that owns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// `schema.table`; the schema is the agency's short name.
    pub name: TableName,
    /// The agency's full name (信息资源提供方).
    pub agency: String,
    /// Title (信息资源名称).
    pub title: Bilingual,
    /// Description (信息资源摘要).
    pub description: Bilingual,
    /// Made by the seeded generator: shown wherever the table is shown.
    #[serde(default)]
    pub synthetic: bool,
    /// Who answers for the data.
    pub owner: String,
    /// Data level of the table.
    pub level: DataLevel,
    /// Sharing between agencies (共享类型).
    pub sharing: SharingType,
    /// Conditions of sharing, or the legal basis of a refusal.
    pub sharing_conditions: Option<String>,
    /// Licence under which the data may be passed on.
    pub license: Option<String>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// Columns that identify a row.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Columns whose values split the table into folders.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// Columns by which rows are sorted within a file.
    #[serde(default)]
    pub sort_by: Vec<String>,
    /// Freshness promise.
    pub freshness: Option<Freshness>,
    /// Sizes of the table's files.
    #[serde(default)]
    pub optimize: OptimizeDef,
    /// The columns, in order.
    pub columns: Vec<ColumnDef>,
}

impl Resource for TableDef {
    const FOLDER: &'static str = "tables";
    const KIND: &'static str = "table";
    const VERSION: u32 = 1;
}

impl TableDef {
    /// The Arrow schema that the table should have, in the contract's order.
    pub fn arrow_schema(&self) -> arrow::datatypes::SchemaRef {
        let fields =
            self.columns.iter().map(|c| arrow::datatypes::Field::new(&c.name, c.column_type.arrow(), c.nullable));
        std::sync::Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// `views/*.toml`: a named query over tables and other views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewDef {
    /// Version of this file's format: 1.
    pub version: u32,
    /// `schema.view`.
    pub name: TableName,
    /// Title.
    pub title: Bilingual,
    /// Description.
    pub description: Bilingual,
    /// Who answers for the definition.
    pub owner: String,
    /// One SELECT over schema-qualified tables and views.
    pub sql: String,
}

impl Resource for ViewDef {
    const FOLDER: &'static str = "views";
    const KIND: &'static str = "view";
    const VERSION: u32 = 1;
}
