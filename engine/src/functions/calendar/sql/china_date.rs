//! `china_date`.

use std::sync::Arc;

use arrow::array::Date32Array;
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use crate::functions::adapter::{Argument, Section, date, scalar};

const SECTION: Section = Section("Days in China");
const AT: &[Argument] = &[date("at")];

/// The day that an instant has in China.
pub(crate) fn china_date() -> ScalarUDF {
    scalar(
        SECTION,
        "china_date",
        AT,
        DataType::Date32,
        "The day that an instant has in China, summer times of 1986-1991 included; a timestamp without a zone keeps the day that it shows.",
        |rows| {
            let days = rows.date(0)?;
            Ok(Arc::new(rows.iter().map(|row| days.get(row)).collect::<Date32Array>()))
        },
    )
}
