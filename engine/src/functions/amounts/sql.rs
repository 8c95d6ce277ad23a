//! `parse_amount`, `parse_percent`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, NullBufferBuilder, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use super::amount::{self, Amount, AmountError, RAW_SCALE, VALUE_SCALE};
use super::percent::{self, PERCENT_SCALE};
use crate::functions::adapter::{Argument, Rows, Section, scalar, text};

const SECTION: Section = Section("Amounts and percentages");
const TEXT: &[Argument] = &[text("text")];
const VALUE: DataType = DataType::Decimal128(38, VALUE_SCALE as i8);
const RAW: DataType = DataType::Decimal128(38, RAW_SCALE as i8);
const PERCENT: DataType = DataType::Decimal128(38, PERCENT_SCALE as i8);

/// The functions of amounts.
pub(in crate::functions) fn scalar_functions() -> Vec<ScalarUDF> {
    vec![
        scalar(
            SECTION,
            "parse_amount",
            TEXT,
            DataType::Struct(fields()),
            "An amount such as 100(万元人民币) as {value, raw, unit, currency, error}: value in units of the currency, error MISSING, NOT_A_NUMBER, NO_UNIT, UNKNOWN_UNIT, NO_CURRENCY (with a value), PRECISION, OVERFLOW or NULL.",
            parse_amount,
        ),
        scalar(
            SECTION,
            "parse_percent",
            TEXT,
            PERCENT,
            "A percentage such as 16.1% as a fraction, 0.161; NULL for bounds, percentage points and all else.",
            |rows| {
                let texts = rows.text(0)?;
                let values = rows.iter().map(|row| percent::parse(texts.get(row)?)).collect::<Decimal128Array>();
                Ok(Arc::new(values.with_data_type(PERCENT)))
            },
        ),
    ]
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("value", VALUE, true),
        Field::new("raw", RAW, true),
        Field::new("unit", DataType::Utf8, true),
        Field::new("currency", DataType::Utf8, true),
        Field::new("error", DataType::Utf8, true),
    ])
}

fn parse_amount(rows: &Rows<'_>) -> Result<ArrayRef> {
    let texts = rows.text(0)?;
    let mut given = NullBufferBuilder::new(rows.iter().len());
    let amounts: Vec<Amount> = rows
        .iter()
        .map(|row| {
            let text = texts.get(row);
            given.append(text.is_some());
            text.map(amount::parse).unwrap_or_default()
        })
        .collect();
    let column = |of: fn(&Amount) -> Option<i128>, data_type| {
        Arc::new(amounts.iter().map(of).collect::<Decimal128Array>().with_data_type(data_type))
    };
    let texts = |of: fn(&Amount) -> Option<&'static str>| Arc::new(amounts.iter().map(of).collect::<StringArray>());
    let columns: Vec<ArrayRef> = vec![
        column(|amount| amount.value, VALUE),
        column(|amount| amount.raw, RAW),
        texts(|amount| amount.unit),
        texts(|amount| amount.currency),
        texts(|amount| amount.error.map(AmountError::code)),
    ];
    Ok(Arc::new(StructArray::try_new(fields(), columns, given.finish())?))
}
