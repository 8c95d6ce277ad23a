//! Values as agencies write them, where the pipeline says so: amounts with units, percentages, serial days.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Builder, Decimal128Builder, StringArray};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use xiangyun_engine::catalog::{ColumnDef, ColumnType, TableDef};
use xiangyun_engine::functions::amounts::{self, AmountError, PERCENT_SCALE, VALUE_SCALE};
use xiangyun_engine::functions::is_missing;

use super::cast::{ColumnPlan, Step};
use super::values::{Unreadable, date, days, plain};
use crate::pipeline::{PipelineDef, WrittenForm};
use crate::source::text::truncated;

/// The last serial day that a spreadsheet has: 9999-12-31.
const LAST_SERIAL: u32 = 2_958_465;

/// A form, with what the contract says of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In units of ten to the power of `exponent` of the currency.
    Amount { currency: &'static str, exponent: u32, precision: u8, scale: u8 },
    /// Times ten to the power of `exponent`.
    Percent { exponent: u32, precision: u8, scale: u8 },
    /// A day or its number.
    ExcelSerial,
    /// A day or `长期`.
    OpenEnd,
}

/// A form that a column cannot have: the key below `written.<column>` that is to blame, what is wrong, and a hint.
pub(crate) type FormFault = (&'static str, String, &'static str);

impl Form {
    /// The form `form` of `column`.
    pub(crate) fn try_new(form: WrittenForm, column: &ColumnDef) -> Result<Self, FormFault> {
        let (name, column_type) = (&column.name, column.column_type);
        let decimal = |hint| match column_type {
            ColumnType::Decimal { precision, scale } => Ok((precision, scale)),
            other => Err(("as", format!("`{name}` is {other} and no decimal"), hint)),
        };
        match form {
            WrittenForm::Amount => {
                let (precision, scale) = decimal("money is exact: declare the column as `decimal(38,6)`")?;
                const HINT: &str =
                    "give the column a `unit` with a currency in its contract, as in `CNY`, `10k CNY` or `万元`";
                let Some(unit) = &column.unit else { return Err(("as", format!("`{name}` has no unit"), HINT)) };
                let Some((currency, exponent)) = currency_unit(unit) else {
                    return Err(("as", format!("the unit of `{name}`, `{unit}`, is none of money"), HINT));
                };
                Ok(Self::Amount { currency, exponent, precision, scale })
            }
            WrittenForm::Percent => {
                let (precision, scale) = decimal("declare the column as a decimal, as in `decimal(12,6)`")?;
                let exponent = if column.unit.as_deref() == Some("%") { 2 } else { 0 };
                Ok(Self::Percent { exponent, precision, scale })
            }
            WrittenForm::ExcelSerial | WrittenForm::OpenEnd if column_type != ColumnType::Date => {
                Err(("as", format!("`{name}` is {column_type} and no date"), "declare the column as `date`"))
            }
            WrittenForm::ExcelSerial => Ok(Self::ExcelSerial),
            WrittenForm::OpenEnd => Ok(Self::OpenEnd),
        }
    }
}

/// A currency's code and a power of ten: `CNY`, `10k CNY`, `100M CNY`, `万元`, `亿美元`.
fn currency_unit(unit: &str) -> Option<(&'static str, u32)> {
    let unit = unit.trim();
    let (scale, currency) = unit.split_once(' ').unwrap_or(("1", unit));
    let exponent = match scale {
        "1" => 0,
        "k" | "1k" => 3,
        "10k" => 4,
        "M" | "1M" | "1m" => 6,
        "100M" | "100m" => 8,
        "bn" | "1bn" => 9,
        _ => return None,
    };
    // What amounts are read with knows the currencies, in whichever way they are written.
    let one = amounts::parse(&format!("1{currency}"));
    let (value, currency) = (one.value?, one.currency?);
    let own = (0..=12).find(|power| 10_i128.pow(power + VALUE_SCALE) == value)?;
    Some((currency, exponent + own))
}

/// Puts the forms that `pipeline` declares into the plans of text columns. A typed source's values are what they are.
pub(crate) fn apply(
    plans: &mut [ColumnPlan],
    pipeline: &PipelineDef,
    table: &TableDef,
) -> Result<(), (String, FormFault)> {
    for plan in plans.iter_mut().filter(|plan| plan.step == Step::Parse) {
        if let (Some(written), Some(column)) = (pipeline.written.get(&plan.name), table.column(&plan.name)) {
            let form = Form::try_new(written.form, column).map_err(|fault| (plan.name.clone(), fault))?;
            plan.step = Step::Written(form);
        }
    }
    Ok(())
}

/// Everything that is wrong with `written`: the keys below it, what, and a hint.
pub(crate) fn faults(pipeline: &PipelineDef, table: &TableDef) -> Vec<(Vec<String>, String, String)> {
    let mut faults = Vec::new();
    for (name, written) in &pipeline.written {
        let at = |key: &str| vec![name.clone(), key.to_owned()];
        let Some(column) = table.column(name) else {
            let hint = "on the left stands the table's column".to_owned();
            faults.push((vec![name.clone()], format!("`{}` has no column `{name}`", table.name), hint));
            continue;
        };
        if let Err((key, message, hint)) = Form::try_new(written.form, column) {
            faults.push((at(key), message, hint.into()));
        }
        let Some(raw) = &written.raw else { continue };
        let hint = || "declare it in the table as text that may be missing".to_owned();
        match table.column(raw) {
            None => faults.push((at("raw"), format!("`{}` has no column `{raw}`", table.name), hint())),
            Some(column) if column.column_type != ColumnType::Text => {
                faults.push((at("raw"), format!("`{raw}` is {} and no text", column.column_type), hint()));
            }
            Some(_) if pipeline.columns.contains_key(raw) => {
                let message = format!("`{raw}` is made of another column already");
                faults.push((at("raw"), message, "leave it out of `columns`".into()));
            }
            Some(_) => {}
        }
    }
    faults
}

/// The column's values; rows that cannot be read are null and listed.
pub(super) fn parse_written(
    texts: &StringArray,
    column_type: ColumnType,
    form: Form,
) -> Result<(ArrayRef, Vec<Unreadable>), ArrowError> {
    let mut bad = Vec::new();
    let mut refuse = |row, text: &str, reason: &'static str, why: String| {
        bad.push(Unreadable { row, reason, message: format!("`{}` {why}", truncated(text, 200)) });
    };
    if matches!(form, Form::ExcelSerial | Form::OpenEnd) {
        let mut builder = Date32Builder::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let read = match form {
                Form::ExcelSerial => serial_day,
                _ => open_end,
            };
            match text.map(read) {
                None => builder.append_null(),
                Some(Ok(day)) => builder.append_value(days(day)),
                Some(Err(why)) => {
                    builder.append_null();
                    refuse(row, text.unwrap_or_default(), "TYPE", format!("is not a date: {why}"));
                }
            }
        }
        return Ok((Arc::new(builder.finish()), bad));
    }
    let mut builder = Decimal128Builder::with_capacity(texts.len()).with_data_type(column_type.arrow());
    for (row, text) in texts.iter().enumerate() {
        match text.map_or(Ok(None), |text| number(text, form)) {
            Ok(value) => builder.append_option(value),
            Err((reason, why)) => {
                builder.append_null();
                refuse(row, text.unwrap_or_default(), reason, why);
            }
        }
    }
    Ok((Arc::new(builder.finish()), bad))
}

/// The unscaled value of an amount or a percentage; none for a missing one.
fn number(text: &str, form: Form) -> Result<Option<i128>, (&'static str, String)> {
    match form {
        Form::Amount { currency, exponent, precision, scale } => {
            let amount = amounts::parse(text);
            if let Some(error) = amount.error {
                return match error {
                    AmountError::Missing => Ok(None),
                    other => Err(amount_fault(other, currency)),
                };
            }
            let found = amount.currency.unwrap_or_default();
            if found != currency {
                let why = format!("is an amount in {found} and the column's is {currency}: it is not converted");
                return Err(("AMOUNT_CURRENCY", why));
            }
            let value = amount.value.unwrap_or_default();
            let fitted = rescaled(value, VALUE_SCALE + exponent, precision, scale);
            fitted.map(Some).map_err(|why| ("AMOUNT_PRECISION", why))
        }
        Form::Percent { exponent, precision, scale } => match amounts::parse_percent(text) {
            _ if is_missing(text) => Ok(None),
            None => Err(("PERCENT", "is no percentage, as in `16.1%`".into())),
            Some(value) => {
                rescaled(value, PERCENT_SCALE - exponent, precision, scale).map(Some).map_err(|why| ("PERCENT", why))
            }
        },
        Form::ExcelSerial | Form::OpenEnd => Ok(None),
    }
}

fn amount_fault(error: AmountError, currency: &str) -> (&'static str, String) {
    match error {
        AmountError::NoUnit => ("AMOUNT_NO_UNIT", "has no unit: 元 or 万元 cannot be told".into()),
        AmountError::NoCurrency => ("AMOUNT_NO_CURRENCY", format!("names no currency, and the column's is {currency}")),
        AmountError::UnknownUnit => ("AMOUNT_UNKNOWN_UNIT", "has a unit that is not known".into()),
        AmountError::Precision => ("AMOUNT_PRECISION", "has too many digits behind the point".into()),
        AmountError::Overflow => ("AMOUNT_OVERFLOW", "has too many digits".into()),
        AmountError::NotANumber | AmountError::Missing => ("AMOUNT_NOT_A_NUMBER", "is no amount".into()),
    }
}

/// A value of `from` digits behind the point as one of `scale`; nothing is rounded.
fn rescaled(value: i128, from: u32, precision: u8, scale: u8) -> Result<i128, String> {
    let scale = u32::from(scale);
    let fitted = if scale >= from {
        value.checked_mul(10_i128.pow(scale - from)).ok_or("has too many digits")?
    } else {
        let divisor = 10_i128.pow(from - scale);
        if value % divisor != 0 {
            return Err("has more digits behind the point than the column".into());
        }
        value / divisor
    };
    if fitted.unsigned_abs() >= 10_u128.pow(u32::from(precision)) {
        return Err("has more digits than the column".into());
    }
    Ok(fitted)
}

/// A day as written, or by its number in the 1900 system, in which 1900 has a 29th of February that never was.
fn serial_day(text: &str) -> Result<NaiveDate, &'static str> {
    let plain = plain(text);
    let number = plain.strip_suffix(".0").unwrap_or(&plain);
    if number.is_empty() || number.len() > 7 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return date(text);
    }
    let serial: u32 = number.parse().map_err(|_| "it is no number of a day")?;
    let epoch = if serial < 60 { (1899, 12, 31) } else { (1899, 12, 30) };
    let start = NaiveDate::from_ymd_opt(epoch.0, epoch.1, epoch.2);
    if serial == 0 || serial == 60 {
        return Err("its number is that of no day");
    }
    if serial > LAST_SERIAL {
        return Err("its number lies beyond the year 9999");
    }
    let day = start.and_then(|start| start.checked_add_days(chrono::Days::new(serial.into())));
    day.ok_or("its number is that of no day")
}

fn open_end(text: &str) -> Result<NaiveDate, &'static str> {
    match text.trim() {
        "长期" | "长期有效" => NaiveDate::from_ymd_opt(9999, 12, 31).ok_or("it is no calendar day"),
        _ => date(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Date32Type, Decimal128Type};

    use super::*;

    fn column(column_type: &str, unit: Option<&str>) -> ColumnDef {
        let unit = unit.map(|unit| format!("unit = \"{unit}\"")).unwrap_or_default();
        toml::from_str(&format!("name = \"c\"\ntype = \"{column_type}\"\n{unit}")).unwrap()
    }

    /// The value, or the reason of each text.
    fn read(texts: &[&str], column: &ColumnDef, form: WrittenForm) -> Vec<Result<Option<i128>, &'static str>> {
        let form = Form::try_new(form, column).unwrap();
        let (array, bad) = parse_written(&StringArray::from(texts.to_vec()), column.column_type, form).unwrap();
        let value = |row: usize| match array.data_type() {
            arrow::datatypes::DataType::Date32 => {
                array.is_valid(row).then(|| i128::from(array.as_primitive::<Date32Type>().value(row)))
            }
            _ => array.is_valid(row).then(|| array.as_primitive::<Decimal128Type>().value(row)),
        };
        (0..texts.len())
            .map(|row| bad.iter().find(|bad| bad.row == row).map_or_else(|| Ok(value(row)), |bad| Err(bad.reason)))
            .collect()
    }

    #[test]
    fn amounts_of_the_domain_specification_in_yuan_and_in_ten_thousands() {
        // Text, and yuan or the reason it is not read.
        let vectors: [(&str, Result<Option<i128>, &str>); 20] = [
            ("100(万元人民币)", Ok(Some(1_000_000))),
            ("100万人民币", Ok(Some(1_000_000))),
            ("100(万元)", Ok(Some(1_000_000))),
            ("1,000(万元人民币)", Ok(Some(10_000_000))),
            ("3.1000(万元)", Ok(Some(31_000))),
            ("500,000(元人民币)", Ok(Some(500_000))),
            ("800亿元", Ok(Some(80_000_000_000))),
            ("1.2万亿元", Ok(Some(1_200_000_000_000))),
            ("１，２３４．５万元", Ok(Some(12_345_000))),
            ("壹佰万元整", Ok(Some(1_000_000))),
            ("0(万元)", Ok(Some(0))),
            ("N/A", Ok(None)),
            ("-", Ok(None)),
            ("…", Ok(None)),
            ("50(万美元)", Err("AMOUNT_CURRENCY")),
            ("7(万港币)", Err("AMOUNT_CURRENCY")),
            ("100(万)", Err("AMOUNT_NO_CURRENCY")),
            ("100()", Err("AMOUNT_NO_UNIT")),
            ("100", Err("AMOUNT_NO_UNIT")),
            ("约一百", Err("AMOUNT_NOT_A_NUMBER")),
        ];
        let texts: Vec<_> = vectors.iter().map(|(text, _)| *text).collect();
        // In 万元 with four digits behind the point the unscaled value is the number of yuan.
        for (unit, column_type, factor) in
            [("CNY", "decimal(38,6)", 1_000_000), ("10k CNY", "decimal(18,4)", 1), ("万元", "decimal(18,4)", 1)]
        {
            let found = read(&texts, &column(column_type, Some(unit)), WrittenForm::Amount);
            for ((text, expected), found) in vectors.iter().zip(found) {
                assert_eq!(found, expected.map(|yuan| yuan.map(|yuan| yuan * factor)), "{text} in {unit}");
            }
        }
        let dollars = read(&["50(万美元)", "1万元"], &column("decimal(18,2)", Some("USD")), WrittenForm::Amount);
        assert_eq!(dollars, [Ok(Some(50_000_000)), Err("AMOUNT_CURRENCY")]);
    }

    #[test]
    fn nothing_is_rounded_into_a_unit() {
        let wan = column("decimal(6,2)", Some("10k CNY"));
        let found = read(&["12345元", "100元", "9999.99万元", "10000万元"], &wan, WrittenForm::Amount);
        assert_eq!(found, [Err("AMOUNT_PRECISION"), Ok(Some(1)), Ok(Some(999_999)), Err("AMOUNT_PRECISION")]);
    }

    #[test]
    fn percentages_are_shares_unless_the_unit_is_percent() {
        let texts = ["16.1%", "１６．１％", "N/A", "30%以上", "2个百分点", "16.1"];
        let bad = Err("PERCENT");
        let share = read(&texts, &column("decimal(12,6)", None), WrittenForm::Percent);
        assert_eq!(share, [Ok(Some(161_000)), Ok(Some(161_000)), Ok(None), bad, bad, bad]);
        let percent = read(&texts, &column("decimal(6,1)", Some("%")), WrittenForm::Percent);
        assert_eq!(percent[0], Ok(Some(161)));
    }

    #[test]
    fn serial_days_are_read_where_they_are_asked_for() {
        let day = |year, month, day| Ok(Some(i128::from(days(NaiveDate::from_ymd_opt(year, month, day).unwrap()))));
        let texts = ["43550", "43550.0", "2019-03-26", "2019年3月26日", "1", "59", "61", "2958465"];
        let found = read(&texts, &column("date", None), WrittenForm::ExcelSerial);
        let march = day(2019, 3, 26);
        let expected =
            [march, march, march, march, day(1900, 1, 1), day(1900, 2, 28), day(1900, 3, 1), day(9999, 12, 31)];
        assert_eq!(found, expected);
        let refused = ["60", "0", "43550.5", "2958466", "19-03-26", "2019-02-29", "20190326"];
        for (text, found) in refused.iter().zip(read(&refused, &column("date", None), WrittenForm::ExcelSerial)) {
            assert_eq!(found, if *text == "20190326" { march } else { Err("TYPE") }, "{text}");
        }
        let ends = read(&["长期", "9999-12-31", "永远"], &column("date", None), WrittenForm::OpenEnd);
        assert_eq!(ends, [day(9999, 12, 31), day(9999, 12, 31), Err("TYPE")]);
    }

    #[test]
    fn a_unit_of_the_contract_is_one_of_money() {
        for (unit, expected) in [
            ("CNY", Some(("CNY", 0))),
            ("10k CNY", Some(("CNY", 4))),
            ("100M CNY", Some(("CNY", 8))),
            ("亿元", Some(("CNY", 8))),
            ("万美元", Some(("USD", 4))),
            ("person", None),
            ("2 CNY", None),
            ("万", None),
        ] {
            assert_eq!(currency_unit(unit), expected, "{unit}");
        }
        for (form, column, what) in [
            (WrittenForm::Amount, column("int64", Some("CNY")), "`c` is int64 and no decimal"),
            (WrittenForm::Amount, column("decimal(38,6)", None), "`c` has no unit"),
            (WrittenForm::ExcelSerial, column("text", None), "`c` is text and no date"),
        ] {
            assert_eq!(Form::try_new(form, &column).unwrap_err().1, what);
        }
    }
}
