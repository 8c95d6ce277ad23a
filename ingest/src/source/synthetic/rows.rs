//! Rows as they are written, column by column, into a record batch.

use std::fmt::{Arguments, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use xiangyun_engine::catalog::ColumnType;

use super::days::{Day, Instant};

/// A column of a data set: name, type, nullable.
pub(super) type Column = (&'static str, ColumnType, bool);

/// Money: yuan with six places.
pub(super) const MONEY: ColumnType = ColumnType::Decimal { precision: 38, scale: 6 };

pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |(name, kind, nullable): &Column| Field::new(*name, kind.arrow(), *nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[derive(Debug)]
enum Values {
    Text(StringBuilder),
    Int64(Int64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Money(Decimal128Builder),
}

/// Rows under construction. A row's values are given in the columns' order.
#[derive(Debug)]
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Values>,
    /// The column that the next value belongs to.
    next: usize,
    len: usize,
}

impl Rows {
    pub(super) fn new(columns: &[Column], rows: usize) -> Self {
        let values = |(name, kind, _): &Column| match kind {
            ColumnType::Text => Values::Text(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Int64 => Values::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Date => Values::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => {
                Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
            ColumnType::Decimal { .. } => {
                Values::Money(Decimal128Builder::with_capacity(rows).with_data_type(kind.arrow()))
            }
            ColumnType::Float64 => unreachable!("no data set has a float column, `{name}` neither"),
        };
        Self { schema: schema(columns), columns: columns.iter().map(values).collect(), next: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The column whose turn it is.
    fn turn(&mut self) -> &mut Values {
        let column = self.next;
        self.next = (column + 1) % self.columns.len();
        self.len += usize::from(self.next == 0);
        &mut self.columns[column]
    }

    pub(super) fn text<'a>(&mut self, value: impl Into<Option<&'a str>>) -> &mut Self {
        match self.turn() {
            Values::Text(column) => column.append_option(value.into()),
            other => mismatch("text", other),
        }
        self
    }

    /// A text that is put together, as in `format_args!("P{number:06}")`.
    pub(super) fn format(&mut self, value: Arguments<'_>) -> &mut Self {
        match self.turn() {
            Values::Text(column) => {
                // Writing into a builder only grows its buffer, which cannot fail; the empty value ends the text.
                let _ = column.write_fmt(value);
                column.append_value("");
            }
            other => mismatch("text", other),
        }
        self
    }

    pub(super) fn int(&mut self, value: i64) -> &mut Self {
        match self.turn() {
            Values::Int64(column) => column.append_value(value),
            other => mismatch("int64", other),
        }
        self
    }

    pub(super) fn flag(&mut self, value: bool) -> &mut Self {
        match self.turn() {
            Values::Boolean(column) => column.append_value(value),
            other => mismatch("boolean", other),
        }
        self
    }

    pub(super) fn date(&mut self, value: impl Into<Option<Day>>) -> &mut Self {
        match self.turn() {
            Values::Date(column) => column.append_option(value.into()),
            other => mismatch("date", other),
        }
        self
    }

    pub(super) fn timestamp(&mut self, value: impl Into<Option<Instant>>) -> &mut Self {
        match self.turn() {
            Values::Timestamp(column) => column.append_option(value.into()),
            other => mismatch("timestamp", other),
        }
        self
    }

    /// Whole fen, 1/100 yuan.
    pub(super) fn fen(&mut self, value: i64) -> &mut Self {
        match self.turn() {
            Values::Money(column) => column.append_value(i128::from(value) * 10_000),
            other => mismatch("decimal", other),
        }
        self
    }

    /// The rows so far as a batch; starts anew.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let finish = |values: &mut Values| -> ArrayRef {
            match values {
                Values::Text(column) => Arc::new(column.finish()),
                Values::Int64(column) => Arc::new(column.finish()),
                Values::Boolean(column) => Arc::new(column.finish()),
                Values::Date(column) => Arc::new(column.finish()),
                Values::Timestamp(column) => Arc::new(column.finish()),
                Values::Money(column) => Arc::new(column.finish()),
            }
        };
        self.len = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), self.columns.iter_mut().map(finish).collect())
    }
}

/// Every data set is generated in a test, so a value out of its order never leaves the workshop.
fn mismatch(given: &str, column: &Values) -> ! {
    unreachable!("a data set gave a {given} value to {column:?}")
}
