//! `kind = "excel"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::csv::{DuplicateNames, FooterDef, HeaderDef};
use super::location::located;

/// Sheets of workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods, told by content. Cells come as text: numbers without an
/// exponent, days as `2024-03-05`, formulas as the values they had when the workbook was saved. A sheet is named
/// `file.xlsx/Sheet1` in reports, its rows have the numbers that the sheet shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExcelSource {
    /// File, folder or glob below the project's root, `/`-separated, or an `s3://`, `https://` or `http://` URL; below
    /// the connection's URL where it names one and no scheme.
    pub path: String,
    /// Connection of `connections/*.toml` by which a remote `path` is reached.
    pub connection: Option<String>,
    /// Pattern of the entries that are read of zip and tar archives; all of them unless said.
    pub entries: Option<String>,
    /// GiB that a file may have when it is decompressed, and all that is read of an archive. Unless said it is 1,024, and no
    /// more than 1,000 times the compressed size.
    pub expanded_limit_gib: Option<u64>,
    /// The sheet by its name or its number from 1; a name with `*` or `?` is a pattern, and means every sheet that it
    /// fits. The first visible sheet unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<SheetDef>,
    /// Name of a column that is added and holds the sheet's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet_column: Option<String>,
    /// `first` (the first row with more than one cell filled, so that titles are passed over), the number of the row on
    /// which the header begins, from 1 (those above it are left out), or `none`, which needs `columns`.
    #[serde(default, skip_serializing_if = "HeaderDef::is_first")]
    pub header: HeaderDef,
    /// Rows of the header, 10 at most. Names of several rows are joined by a dot, as in `收入.税收`; a merged cell names all
    /// that it covers. Unless said, as many as the merged cells of the header's first row reach down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_rows: Option<u64>,
    /// Names of the columns in their order from column A, where the sheet has no header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What ends the rows: a number of rows at the end that are left out, or a regular expression; the first row that
    /// begins with it is left out with all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<FooterDef>,
    /// Whether the value of merged cells below the header is that of every cell they cover, as categories on the left
    /// are meant; otherwise it is that of the first. Not known of .xlsb.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fill_merged: bool,
    /// Texts that stand for a missing value, beside the empty one. A row with an error in a cell (`#N/A`) is rejected
    /// unless the error is named here.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// What becomes of a header with a name that is missing or comes twice.
    #[serde(default, skip_serializing_if = "DuplicateNames::is_refuse")]
    pub duplicate_names: DuplicateNames,
    /// Whether blanks and line breaks inside the header's names are folded: none are left between Chinese characters
    /// (`地  区` is `地区`), one elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fold_names: bool,
}

/// Which sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SheetDef {
    /// By its number, from 1, charts not counted.
    Number(u64),
    /// By its name, or a pattern of names.
    Name(String),
}

impl ExcelSource {
    /// The files at `path`, with every other key as if it were left out.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            connection: None,
            entries: None,
            expanded_limit_gib: None,
            sheet: None,
            sheet_column: None,
            header: HeaderDef::default(),
            header_rows: None,
            columns: Vec::new(),
            footer: None,
            fill_merged: false,
            null_values: Vec::new(),
            duplicate_names: DuplicateNames::default(),
            fold_names: false,
        }
    }
}

located!(ExcelSource);
