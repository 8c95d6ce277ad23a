//! How the columns of a source's files differ: files of one source may be years apart.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::{SourceBatch, SourceError};

/// Different columns that the files of one source may have together.
const COLUMN_LIMIT: usize = 20_000;

/// How the files of a source differ in their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Number of files.
    pub files: usize,
    /// The columns that some files lack.
    pub partial: Vec<PartialColumn>,
    /// The columns that are of one type in some files and of another in others.
    pub widened: Vec<WidenedColumn>,
}

/// A column that some files lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialColumn {
    /// Its name.
    pub name: String,
    /// The files that have it, by their number in the source's order.
    pub present: Vec<Range<usize>>,
    /// The first file that has it.
    pub first_with: String,
    /// The first file that lacks it.
    pub first_without: String,
}

/// A column whose files have different types, all of which one type holds without loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidenedColumn {
    /// Its name.
    pub name: String,
    /// Its type in the first file that has it.
    pub from: DataType,
    /// The type that holds them all.
    pub to: DataType,
    /// The first file of another type.
    pub file: String,
}

impl Drift {
    /// The column called `name`, where some files lack it.
    pub fn partial(&self, name: &str) -> Option<&PartialColumn> {
        self.partial.iter().find(|column| column.name == name)
    }
}

impl PartialColumn {
    /// Number of files that have it.
    pub fn count(&self) -> usize {
        self.present.iter().map(Range::len).sum()
    }

    /// Whether some file has both columns.
    pub fn meets(&self, other: &Self) -> bool {
        self.present.iter().any(|own| other.present.iter().any(|range| own.start < range.end && range.start < own.end))
    }
}

/// A column on its way to the source's.
struct Found {
    field: Field,
    present: Vec<Range<usize>>,
    first_type: DataType,
    widened_in: Option<usize>,
}

/// The columns of all files: those of the first in its order, then what others add, in theirs.
///
/// # Errors
/// [`SourceError::HeaderDiffers`] for a column whose types in two files no type holds without loss, and for more
/// different columns than a table could have.
pub(super) fn union<'a>(files: &[(&'a str, SchemaRef)]) -> Result<(SchemaRef, Drift), SourceError> {
    let mut found: Vec<Found> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let first: &'a str = files.first().map_or("", |(path, _)| path);
    let differs = |path: &str, difference: String| SourceError::HeaderDiffers {
        path: path.into(),
        first: first.into(),
        difference,
    };
    for (number, (path, schema)) in files.iter().enumerate() {
        // Almost all files have the columns of the one before them.
        for field in schema.fields() {
            let Some(place) = places.get(field.name()) else {
                if found.len() == COLUMN_LIMIT {
                    let difference = format!("the files have more than {COLUMN_LIMIT} different columns together");
                    return Err(differs(path, difference));
                }
                places.insert(field.name().clone(), found.len());
                let (present, first_type) = (std::iter::once(number..number + 1).collect(), field.data_type().clone());
                let field = field.as_ref().clone();
                found.push(Found { field, present, first_type, widened_in: None });
                continue;
            };
            let column = &mut found[*place];
            match column.present.last_mut() {
                Some(range) if range.end == number => range.end += 1,
                _ => column.present.push(number..number + 1),
            }
            let (known, own) = (column.field.data_type(), field.data_type());
            if known == own {
                continue;
            }
            let Some(common) = common_type(known, own) else {
                let difference = format!("column `{}` is {own} and not {known}", field.name());
                return Err(differs(path, difference));
            };
            column.widened_in.get_or_insert(number);
            column.field = column.field.clone().with_data_type(common);
        }
    }
    let mut drift = Drift { files: files.len(), ..Drift::default() };
    let mut fields = Vec::with_capacity(found.len());
    for column in found {
        let name = column.field.name().clone();
        if let Some(file) = column.widened_in {
            let (from, to) = (column.first_type, column.field.data_type().clone());
            drift.widened.push(WidenedColumn { name: name.clone(), from, to, file: files[file].0.into() });
        }
        if matches!(&column.present[..], [all] if *all == (0..files.len())) {
            fields.push(column.field);
            continue;
        }
        let missing = if column.present[0].start > 0 { 0 } else { column.present[0].end };
        drift.partial.push(PartialColumn {
            name,
            first_with: files[column.present[0].start].0.into(),
            first_without: files[missing].0.into(),
            present: column.present,
        });
        fields.push(column.field.with_nullable(true));
    }
    Ok((Arc::new(Schema::new(fields)), drift))
}

/// The type that holds the values of both without loss: no digit goes, no number becomes text (a code would have lost
/// its zeros), no whole number of 19 digits becomes a float.
fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Dictionary, Float32, Float64, LargeUtf8, Null, Timestamp, Utf8, Utf8View};
    if left == right {
        return Some(left.clone());
    }
    match (left, right) {
        (Null, other) | (other, Null) => Some(other.clone()),
        (Dictionary(_, values), other) | (other, Dictionary(_, values)) => common_type(values, other),
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => Some(Utf8),
        (Timestamp(one, zone), Timestamp(other, other_zone)) if zone == other_zone => {
            // Nanoseconds do not reach as far as the others.
            let is_fine = [one, other].contains(&&TimeUnit::Nanosecond);
            (!is_fine).then(|| Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        (Float32, Float64) | (Float64, Float32) => Some(Float64),
        (Float32 | Float64, whole) | (whole, Float32 | Float64) => (whole_digits(whole)? < 15).then_some(Float64),
        (Decimal128(..), _) | (_, Decimal128(..)) => {
            let ((whole, scale), (other_whole, other_scale)) = (decimal_digits(left)?, decimal_digits(right)?);
            let (whole, scale) = (whole.max(other_whole), scale.max(other_scale));
            (whole + scale <= 38).then(|| Decimal128(whole + scale, scale as i8))
        }
        (left, right) if left.is_integer() && right.is_integer() => {
            let widest = whole_digits(left)?.max(whole_digits(right)?);
            (widest < 20).then_some(DataType::Int64)
        }
        _ => None,
    }
}

/// Decimal digits that the values of an integer type may have.
fn whole_digits(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        _ => return None,
    })
}

/// Digits before and behind the point.
fn decimal_digits(data_type: &DataType) -> Option<(u8, u8)> {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            Some((precision.checked_sub(scale)?, scale))
        }
        other => Some((whole_digits(other)?, 0)),
    }
}

/// The rows with the source's columns in their order and types; those that the file lacks are missing values.
pub(super) fn in_schema(rows: SourceBatch, schema: &SchemaRef) -> Result<SourceBatch, SourceError> {
    if rows.batch.schema_ref() == schema {
        return Ok(rows);
    }
    let fit = |batch: &RecordBatch| -> Result<RecordBatch, ArrowError> {
        let count = batch.num_rows();
        let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
            Some(column) => widened(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), count)),
        };
        let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    };
    match fit(&rows.batch) {
        Ok(batch) => Ok(SourceBatch { batch, ..rows }),
        Err(error) => {
            let path = rows.file.to_string();
            Err(SourceError::HeaderDiffers { first: path.clone(), path, difference: error.to_string() })
        }
    }
}

fn widened(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    cast_with_options(column, wanted, &CastOptions { safe: false, ..CastOptions::default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::{Array, AsArray, Int32Array, UInt64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
        let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    #[test]
    fn columns_come_and_go() {
        let (text, old) = (DataType::Utf8, schema(&[("a", DataType::Utf8), ("b", DataType::Utf8)]));
        let new = schema(&[("c", text.clone()), ("b", text.clone()), ("a", text)]);
        let files = [("1", old.clone()), ("2", new.clone()), ("3", old), ("4", new)];
        let (union, drift) = union(&files).unwrap();
        let names: Vec<_> = union.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "b", "c"], "another order is no other column");
        let [column] = &drift.partial[..] else { panic!("{drift:?}") };
        assert_eq!((column.name.as_str(), &column.present[..], column.count()), ("c", &[1..2, 3..4][..], 2));
        assert_eq!((column.first_with.as_str(), column.first_without.as_str()), ("2", "1"));
    }

    #[test]
    fn types_are_widened_without_loss_or_refused() {
        use DataType::{Date32, Decimal128, Float64, Int32, Int64, UInt64, Utf8};
        for (left, right, common) in [
            (Int32, Int64, Some(Int64)),
            (Int32, Float64, Some(Float64)),
            (Int64, Float64, None),
            (UInt64, Int64, None),
            (Int64, Decimal128(10, 2), Some(Decimal128(21, 2))),
            (Decimal128(38, 0), Decimal128(10, 2), None),
            (Decimal128(10, 4), Decimal128(12, 2), Some(Decimal128(14, 4))),
            (Int64, Utf8, None),
            (Date32, Utf8, None),
            (Utf8, DataType::LargeUtf8, Some(Utf8)),
        ] {
            assert_eq!(common_type(&left, &right), common, "{left} and {right}");
            assert_eq!(common_type(&right, &left), common, "{right} and {left}");
        }
        let error = union(&[("1", schema(&[("n", Int64)])), ("2", schema(&[("n", Utf8)]))]).unwrap_err();
        assert_eq!(error.to_string(), "`2` has other columns than `1`: column `n` is Utf8 and not Int64");
    }

    #[test]
    fn rows_take_the_wider_type() {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int32Array::from(vec![7])) as ArrayRef)]).unwrap();
        let lines = UInt64Array::from(vec![1]);
        let rows = SourceBatch { batch, file: "f".into(), lines, unreadable: Vec::new(), bytes: 0 };
        let wide = in_schema(rows, &schema(&[("m", DataType::Utf8), ("n", DataType::Int64)])).unwrap();
        assert_eq!(wide.batch["n"].as_primitive::<Int64Type>().value(0), 7);
        assert!(wide.batch["m"].is_null(0));
    }
}
