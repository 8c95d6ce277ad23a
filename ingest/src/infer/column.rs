//! What a column seems to hold.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use xiangyun_engine::catalog::{CodeList, ColumnType};
use xiangyun_engine::functions::gov_codes::{Divisions, identity_number, uscc};

use super::{Sample, names};
use crate::check::parse_column;
use crate::source::text::trimmed;

/// Texts that stand for a missing value in many files. `NA` may be a code: it counts where the rest is no text.
const MISSING: [&str; 9] = ["N/A", "-", "--", "…", "—", "null", "NULL", "无", "NA"];

/// Share of the values that a code list must hold for the column to be one of its codes.
const MOSTLY: f64 = 0.95;

/// What a column seems to hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GuessedColumn {
    /// Name in the table.
    pub(super) name: String,
    /// As the file calls it.
    pub(super) header: String,
    pub(super) column_type: ColumnType,
    pub(super) nullable: bool,
    pub(super) code_list: Option<CodeList>,
    /// Texts of the column that stand for a missing value.
    pub(super) missing: Vec<String>,
    /// Every value of the sample is there once.
    pub(super) is_unique: bool,
    /// It seems to tell of persons.
    pub(super) is_personal: bool,
    /// What the header says in brackets.
    pub(super) unit: Option<String>,
    /// Values of the sample, for the reader.
    pub(super) examples: Vec<String>,
    /// Few different texts: perhaps a list.
    pub(super) choices: Option<Vec<String>>,
}

pub(super) fn guess_all(sample: &Sample, divisions: &Divisions, today: NaiveDate) -> Vec<GuessedColumn> {
    let named = names::columns(&sample.names);
    let columns = sample.names.iter().zip(&sample.columns).zip(&sample.types).zip(named);
    columns
        .map(|(((header, values), declared), name)| guess(name, header, values, declared, divisions, today))
        .collect()
}

fn guess(
    name: String,
    header: &str,
    values: &StringArray,
    declared: &DataType,
    divisions: &Divisions,
    today: NaiveDate,
) -> GuessedColumn {
    let all: Vec<&str> = values.iter().flatten().map(trimmed).filter(|text| !text.is_empty()).collect();
    let missing: Vec<&str> = MISSING.into_iter().filter(|text| all.contains(text)).collect();
    let without =
        |left_out: &[&str]| -> Vec<&str> { all.iter().copied().filter(|text| !left_out.contains(text)).collect() };
    let careful: Vec<&str> = missing.iter().copied().filter(|text| *text != "NA").collect();
    let mut texts = without(&careful);
    let mut missing = careful;
    if all.contains(&"NA") && type_of(&without(&MISSING)) != ColumnType::Text {
        missing.push("NA");
        texts = without(&missing);
    }
    let code_list = code_list(&texts, divisions, today);
    let column_type = match (code_list, declared) {
        (Some(_), _) => ColumnType::Text,
        (None, _) if is_code(header) => ColumnType::Text,
        (None, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => type_of(&texts),
        (None, declared) => declared_type(declared).unwrap_or_else(|| type_of(&texts)),
    };
    let different: HashSet<&str> = texts.iter().copied().collect();
    let nullable = texts.len() < values.len();
    let is_choice =
        column_type == ColumnType::Text && code_list.is_none() && different.len() <= 12 && texts.len() >= 50;
    let mut choices: Vec<String> = different.iter().map(|text| (*text).to_owned()).collect();
    choices.sort_unstable();
    GuessedColumn {
        is_personal: code_list == Some(CodeList::IdentityNumber) || is_personal(header) || mostly(&texts, is_mobile),
        unit: unit(header),
        examples: examples(&texts),
        is_unique: !nullable && different.len() == texts.len() && texts.len() > 1,
        choices: is_choice.then_some(choices),
        missing: missing.into_iter().map(str::to_owned).collect(),
        header: header.to_owned(),
        column_type,
        nullable,
        code_list,
        name,
    }
}

/// The strictest type that every text is a value of. A text that begins with a zero, and one of many digits that a
/// number would lose, is a code.
fn type_of(texts: &[&str]) -> ColumnType {
    if texts.is_empty() {
        return ColumnType::Text;
    }
    let fits = |column_type| {
        let (_, bad) = parse_column(&StringArray::from(texts.to_vec()), column_type);
        bad.is_empty()
    };
    let is_code = |text: &&str| {
        let digits = text.trim_start_matches(['+', '-']);
        digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
            || digits.len() >= 15 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if texts.iter().any(is_code) {
        return ColumnType::Text;
    }
    let are_truths = texts.iter().all(|text| ["是", "否", "true", "false", "TRUE", "FALSE"].contains(text));
    if are_truths {
        return ColumnType::Boolean;
    }
    // Eight digits in a row are a number before they are a day, unless all of them are days of a century around now.
    let are_days = texts.iter().all(|text| text.len() == 8 && (text.starts_with("19") || text.starts_with("20")));
    if fits(ColumnType::Int64) && !(are_days && fits(ColumnType::Date)) {
        return ColumnType::Int64;
    }
    if fits(ColumnType::Date) {
        return ColumnType::Date;
    }
    if fits(ColumnType::Timestamp) {
        return ColumnType::Timestamp;
    }
    let fraction = |text: &&str| text.split_once(['.', '．']).map_or(0, |(_, digits)| digits.chars().count());
    let whole = |text: &&str| text.split(['.', '．']).next().unwrap_or_default().chars().count();
    let scale = texts.iter().map(fraction).max().unwrap_or(0);
    let digits = texts.iter().map(whole).max().unwrap_or(0) + scale;
    if scale <= 12 && digits <= 38 {
        let (scale, precision) = (scale as u8, 18_u8.max((digits + 4).min(38) as u8));
        if fits(ColumnType::Decimal { precision, scale }) {
            return ColumnType::Decimal { precision, scale };
        }
    }
    if fits(ColumnType::Float64) { ColumnType::Float64 } else { ColumnType::Text }
}

/// The type that a typed file declares, where the contract knows it.
fn declared_type(declared: &DataType) -> Option<ColumnType> {
    Some(match declared {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Float64,
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        integer if integer.is_integer() => ColumnType::Int64,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            ColumnType::Decimal { precision: *precision, scale: scale.unsigned_abs() }
        }
        _ => return None,
    })
}

fn code_list(texts: &[&str], divisions: &Divisions, today: NaiveDate) -> Option<CodeList> {
    if mostly(texts, |text| text.len() == 18 && uscc::is_valid(text)) {
        return Some(CodeList::Uscc);
    }
    if mostly(texts, |text| text.len() == 18 && identity_number::is_valid(text, today)) {
        return Some(CodeList::IdentityNumber);
    }
    let is_division = |text: &str| matches!(text.len(), 6 | 9 | 12) && divisions.is_known(text);
    mostly(texts, is_division).then_some(CodeList::Division)
}

fn mostly(texts: &[&str], holds: impl Fn(&str) -> bool) -> bool {
    let held = texts.iter().filter(|text| holds(text)).count();
    held > 0 && held as f64 >= MOSTLY * texts.len() as f64
}

/// Codes are text, whatever they are made of.
fn is_code(header: &str) -> bool {
    ["代码", "编码", "编号", "号码"].iter().any(|word| header.contains(word))
}

fn is_personal(header: &str) -> bool {
    ["姓名", "身份证", "手机", "电话", "法人代表", "法定代表人", "联系人"].iter().any(|word| header.contains(word))
}

fn is_mobile(text: &str) -> bool {
    text.len() == 11 && text.starts_with('1') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `注册资金（万元）` → `万元`.
fn unit(header: &str) -> Option<String> {
    let start = header.find(['(', '（'])?;
    let inner = header[start..].trim_matches(|c| matches!(c, '(' | '（' | ')' | '）')).trim();
    let inner = inner.strip_prefix("单位").map_or(inner, |rest| rest.trim_start_matches([':', '：']));
    (!inner.is_empty()).then(|| inner.to_owned())
}

/// A few values that occur often.
fn examples(texts: &[&str]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    texts.iter().take(1000).for_each(|text| *counts.entry(text).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), *text));
    counts.into_iter().take(3).map(|(text, _)| text.chars().take(40).collect()).collect()
}
