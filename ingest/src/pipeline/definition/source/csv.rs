//! `kind = "csv"`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::located;

/// Delimited text, in one or more files; compression by content (gzip, zstd, bzip2, xz; zip and tar archives), encoding
/// detected unless said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
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
    /// `auto`, `utf-8`, `gb18030` (which contains GBK and GB2312), `big5`, `utf-16le` or `utf-16be`. `auto` looks at the
    /// whole file: byte order mark, UTF-16 by its zeros, strict UTF-8, then GB18030 or Big5 by the characters.
    #[serde(default = "auto")]
    pub encoding: String,
    /// One ASCII character, as in `"\t"`.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// One ASCII character, or `none` where quotes are characters like others.
    #[serde(default = "double_quote", skip_serializing_if = "is_double_quote")]
    pub quote: String,
    /// Texts that stand for a missing value, beside the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// `first` (the first line that is left), the number of the line on which the header stands, from 1 (those above it
    /// are left out), or `none`, which needs `columns`.
    #[serde(default, skip_serializing_if = "HeaderDef::is_first")]
    pub header: HeaderDef,
    /// Names of the columns in their order, where the file has no header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Lines at the top that are left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_lines: u64,
    /// What ends the rows: a number of rows at the end that are left out, or a regular expression; the first row that
    /// begins with it is left out with all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<FooterDef>,
    /// Lines that begin with this text are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What becomes of a row with another number of fields than the header.
    #[serde(default, skip_serializing_if = "RaggedDef::is_reject")]
    pub ragged: RaggedDef,
    /// What becomes of a header with a name that is missing or comes twice.
    #[serde(default, skip_serializing_if = "DuplicateNames::is_refuse")]
    pub duplicate_names: DuplicateNames,
    /// Whether blanks inside the header's names are folded: none are left between Chinese characters (`地  区` is
    /// `地区`), one elsewhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fold_names: bool,
}

impl CsvSource {
    /// Text without a place, with every other key as if it were left out.
    pub(crate) fn plain(null_values: &[String]) -> Self {
        Self { null_values: null_values.into(), ..Self::at("") }
    }

    /// The files at `path`, with every other key as if it were left out.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            connection: None,
            entries: None,
            expanded_limit_gib: None,
            encoding: auto(),
            delimiter: comma(),
            quote: double_quote(),
            null_values: Vec::new(),
            header: HeaderDef::default(),
            columns: Vec::new(),
            skip_lines: 0,
            footer: None,
            comment: None,
            ragged: RaggedDef::default(),
            duplicate_names: DuplicateNames::default(),
            fold_names: false,
        }
    }
}

/// Where the names of the columns stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderDef {
    /// On this line, from 1.
    Line(u64),
    /// By a word.
    Word(HeaderWord),
}

/// A header without a line number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderWord {
    /// On the first line that is neither left out nor blank.
    First,
    /// Nowhere.
    None,
}

impl Default for HeaderDef {
    fn default() -> Self {
        Self::Word(HeaderWord::First)
    }
}

impl HeaderDef {
    pub(super) fn is_first(&self) -> bool {
        *self == Self::default()
    }
}

/// What ends the rows of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FooterDef {
    /// So many rows at the end are left out.
    Rows(u64),
    /// The first row that begins with this regular expression, and all behind it, are left out.
    Pattern(String),
}

/// What becomes of a row with another number of fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RaggedDef {
    /// It goes to quarantine.
    #[default]
    Reject,
    /// Fields that lack at its end are missing values, empty ones beyond the header do no harm; a value beyond the
    /// header still sends it to quarantine.
    Pad,
}

impl RaggedDef {
    fn is_reject(&self) -> bool {
        *self == Self::Reject
    }
}

/// What becomes of a header with a name that is missing or comes twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateNames {
    /// The file is not loaded.
    #[default]
    Refuse,
    /// The second `name` is called `name_2`, the third column without a name `column_3`.
    Number,
}

impl DuplicateNames {
    pub(super) fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

located!(CsvSource);

fn auto() -> String {
    "auto".into()
}

fn comma() -> char {
    ','
}

fn double_quote() -> String {
    "\"".into()
}

fn is_double_quote(quote: &String) -> bool {
    quote == "\""
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !value
}
