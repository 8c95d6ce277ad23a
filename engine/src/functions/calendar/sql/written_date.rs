//! `parse_chinese_date`, `parse_period`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Argument, Rows, Section, scalar, text};
use crate::functions::calendar::china_time::to_days;
use crate::functions::calendar::{Period, parse_date, parse_period};

const SECTION: Section = Section("Dates as written");
const TEXT: &[Argument] = &[text("text")];

/// The functions of written dates.
pub(super) fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        scalar(
            SECTION,
            "parse_chinese_date",
            TEXT,
            DataType::Date32,
            "A day such as 2019年3月26日, 2019/3/26, 20190326, 二〇一九年三月二十六日 or an Excel serial number; 长期 is 9999-12-31; NULL for all else.",
            |rows| {
                let texts = rows.text(0)?;
                let days = rows.iter().map(|row| parse_date(texts.get(row)?).map(to_days));
                Ok(Arc::new(days.collect::<Date32Array>()))
            },
        ),
        scalar(
            SECTION,
            "parse_period",
            TEXT,
            DataType::Struct(fields()),
            "A day, month, quarter, half or year such as 2019年第一季度 as {start, end, grain}, both days included; NULL for all else.",
            periods,
        ),
    ]
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("start", DataType::Date32, true),
        Field::new("end", DataType::Date32, true),
        Field::new("grain", DataType::Utf8, true),
    ])
}

fn periods(rows: &Rows<'_>) -> Result<ArrayRef> {
    let texts = rows.text(0)?;
    let periods: Vec<Option<Period>> = rows.iter().map(|row| parse_period(texts.get(row)?)).collect();
    let days = |of: fn(&Period) -> i32| Arc::new(periods.iter().map(|p| p.as_ref().map(of)).collect::<Date32Array>());
    let grains: StringArray = periods.iter().map(|period| period.map(|period| period.grain.name())).collect();
    let columns: Vec<ArrayRef> =
        vec![days(|period| to_days(period.start)), days(|period| to_days(period.end)), Arc::new(grains)];
    let given: NullBuffer = periods.iter().map(Option::is_some).collect();
    Ok(Arc::new(StructArray::try_new(fields(), columns, Some(given))?))
}
