//! `written` of a pipeline: how an agency writes the values of a column.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the values of a column are written, where that is not how its type is read anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenDef {
    /// In which form.
    #[serde(rename = "as")]
    pub form: WrittenForm,
    /// The table's text column that keeps the value as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// A form in which values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenForm {
    /// Amounts of money with their unit, as in `1,234.5万元`, `100(万元人民币)`, `800亿元`, for a decimal column whose
    /// contract has a unit with a currency, as in `CNY` or `10k CNY`. They are brought into that unit. Another currency is
    /// rejected and not converted, as is an amount without unit or currency.
    Amount,
    /// Percentages, as in `16.1%`, for a decimal column: 0.161, or 16.1 where the contract's unit is `%`.
    Percent,
    /// Days as Excel counts them, as in `43550` for 2019-03-26, or as they are written otherwise.
    ExcelSerial,
    /// A day, or `长期` for one that never comes, which is 9999-12-31.
    OpenEnd,
}
