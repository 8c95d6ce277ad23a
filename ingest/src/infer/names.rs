//! Names for tables and columns, which are lower-case ASCII, from the headers that agencies write.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use xiangyun_engine::catalog::{TableName, is_identifier};
use xiangyun_engine::{Error, ErrorKind, Result};

use super::file_name;

/// Headers that agencies use often, as their column is usually called. The longest that a header holds decides.
const KNOWN: [(&str, &str); 65] = [
    ("统一社会信用代码", "uscc"),
    ("信用代码", "uscc"),
    ("企业名称", "name"),
    ("单位名称", "name"),
    ("机构名称", "name"),
    ("姓名", "person_name"),
    ("名称", "name"),
    ("身份证号码", "identity_number"),
    ("身份证号", "identity_number"),
    ("身份证", "identity_number"),
    ("法人代表", "legal_representative"),
    ("法定代表人", "legal_representative"),
    ("注册日期", "registered_on"),
    ("成立日期", "established_on"),
    ("登记日期", "registered_on"),
    ("受理日期", "accepted_on"),
    ("受理时间", "accepted_at"),
    ("申请日期", "filed_on"),
    ("申请时间", "filed_at"),
    ("办结日期", "decided_on"),
    ("办结时间", "decided_at"),
    ("日期", "date"),
    ("时间", "time"),
    ("年份", "year"),
    ("年度", "year"),
    ("年", "year"),
    ("季度", "quarter"),
    ("月份", "month"),
    ("月", "month"),
    ("企业类型", "enterprise_type"),
    ("类型", "type"),
    ("类别", "category"),
    ("注册资金", "registered_capital"),
    ("注册资本", "registered_capital"),
    ("经营范围", "business_scope"),
    ("注册地址", "address"),
    ("地址", "address"),
    ("所在省份", "province"),
    ("省份", "province"),
    ("所在地区", "region"),
    ("行政区划代码", "region_code"),
    ("区划代码", "region_code"),
    ("地区代码", "region_code"),
    ("行政区划", "region"),
    ("地区", "region"),
    ("城市", "city"),
    ("区县", "county"),
    ("街道", "township"),
    ("乡镇", "township"),
    ("事项名称", "matter_name"),
    ("事项编码", "matter_code"),
    ("事项", "matter"),
    ("办件编号", "case_id"),
    ("编号", "number"),
    ("编码", "code"),
    ("代码", "code"),
    ("序号", "sequence_number"),
    ("金额", "amount"),
    ("数量", "quantity"),
    ("人数", "persons"),
    ("户数", "households"),
    ("生产总值", "gdp"),
    ("行业", "industry"),
    ("状态", "status"),
    ("备注", "remark"),
];

/// A name for each header, each once.
pub(super) fn columns(headers: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let named = headers.iter().enumerate().map(|(index, header)| {
        let wanted = column(header).unwrap_or_else(|| format!("column_{}", index + 1));
        let mut name = wanted.clone();
        let mut again = 2;
        while !taken.insert(name.clone()) {
            name = format!("{wanted}_{again}");
            again += 1;
        }
        name
    });
    named.collect()
}

fn column(header: &str) -> Option<String> {
    let plain: String = header.nfkc().collect();
    // What stands in brackets is a unit or a remark.
    let plain = plain.split(['(', '（', '[', '【']).next().unwrap_or_default().trim().to_owned();
    if let Some(name) = ascii(&plain) {
        return Some(name);
    }
    // Headers are padded within: `地  区`.
    let plain: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
    let found = KNOWN.iter().filter(|(known, _)| plain.contains(known)).max_by_key(|(known, _)| known.chars().count());
    found.map(|(_, name)| (*name).to_owned())
}

/// `Filed On` and `filedOn` → `filed_on`; none for other scripts.
fn ascii(text: &str) -> Option<String> {
    if text.is_empty() || !text.is_ascii() {
        return None;
    }
    let mut name = String::new();
    let mut after_lower = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && after_lower {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
            after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        } else {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            after_lower = false;
        }
    }
    let name: String = name.trim_matches('_').chars().take(63).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("column_{name}") } else { name };
    is_identifier(&name).then_some(name)
}

/// `data/permits-2019.csv.gz` → `agency.permits_2019`.
pub(super) fn table(path: &str) -> Result<TableName> {
    let stem = file_name(path).split('.').next().unwrap_or_default().replace(['*', '?'], "");
    let name = ascii(&stem).unwrap_or_else(|| "records".into());
    TableName::try_new("agency", &name).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, error.to_string()).with_hint("name the table by `--table schema.table`")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn headers_become_identifiers() {
        let headers = [
            "企业名称",
            "统一社会信用代码",
            "注册资金（万元）",
            "Filed On",
            "filedOn",
            "地  区",
            "曲线",
            "2019",
            "名称",
        ];
        let named = columns(&headers.map(str::to_owned));
        assert_eq!(
            named,
            [
                "name",
                "uscc",
                "registered_capital",
                "filed_on",
                "filed_on_2",
                "region",
                "column_7",
                "column_2019",
                "name_2"
            ]
        );
    }

    #[test]
    fn a_table_is_called_as_its_file() {
        assert_eq!(table("data/Permits-2019.csv.gz").unwrap().to_string(), "agency.permits_2019");
        assert_eq!(table("data/许可.csv").unwrap().to_string(), "agency.records");
    }
}
