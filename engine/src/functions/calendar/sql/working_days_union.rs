//! `working_days_union(start, end[, paused_from, paused_to])`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility};

use super::working_days::{SECTION, query_error};
use crate::functions::adapter::{Argument, Dates, coerce, date};
use crate::functions::calendar::{CalendarError, WorkCalendar, WorkingIntervals};

const ARGUMENTS: &[Argument] =
    &[date("start"), date("end"), date("paused_from").optional(), date("paused_to").with_previous()];

/// The functions of working days over many rows.
pub(super) fn aggregate_functions(calendar: &Arc<WorkCalendar>) -> Vec<AggregateUDF> {
    let function = |name, lenient, description: &str| {
        AggregateUDF::new_from_impl(WorkingDaysUnion {
            name,
            lenient,
            calendar: calendar.clone(),
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: SECTION.document(name, ARGUMENTS, description),
        })
    };
    vec![
        function(
            "working_days_union",
            false,
            "Number of working days d that lie in start < d <= end of at least one row, less paused_from < d <= paused_to of that row; rows without start or end do not count.",
        ),
        function("try_working_days_union", true, "Like `working_days_union`, and NULL instead of an error."),
    ]
}

#[derive(Debug)]
struct WorkingDaysUnion {
    name: &'static str,
    /// Whether what the calendar cannot answer is NULL.
    lenient: bool,
    calendar: Arc<WorkCalendar>,
    signature: Signature,
    documentation: Documentation,
}

impl AggregateUDFImpl for WorkingDaysUnion {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name, ARGUMENTS, given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(UnionAccumulator {
            calendar: self.calendar.clone(),
            lenient: self.lenient,
            intervals: WorkingIntervals::default(),
            failed: false,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let bounds = DataType::List(bound_field());
        Ok(vec![
            Arc::new(Field::new(format_state_name(args.name, "bounds"), bounds, false)),
            Arc::new(Field::new(format_state_name(args.name, "failed"), DataType::Boolean, false)),
        ])
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl PartialEq for WorkingDaysUnion {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.calendar.fingerprint()) == (other.name, other.calendar.fingerprint())
    }
}

impl Eq for WorkingDaysUnion {}

impl Hash for WorkingDaysUnion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.calendar.fingerprint()).hash(state);
    }
}

/// The state between two stages is a list of days since 1970-01-01: start, end, start, end.
fn bound_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Int32, false))
}

#[derive(Debug)]
struct UnionAccumulator {
    calendar: Arc<WorkCalendar>,
    lenient: bool,
    intervals: WorkingIntervals,
    /// A row of the group could not be answered, and `lenient` makes the group NULL.
    failed: bool,
}

impl UnionAccumulator {
    /// Ends the query, or the group's answer.
    fn fail(&mut self, error: CalendarError) -> Result<()> {
        if !self.lenient {
            return Err(query_error(error));
        }
        self.failed = true;
        Ok(())
    }
}

impl Accumulator for UnionAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let dates: Vec<Dates> = values.iter().map(Dates::try_new).collect::<Result<_>>()?;
        let rows = values.first().map_or(0, |start| start.len());
        for row in 0..rows {
            let (Some(start), Some(end)) = (dates[0].get(row), dates[1].get(row)) else { continue };
            let pause_day = |position: usize| dates.get(position).and_then(|dates| dates.get(row));
            let added = match (pause_day(2), pause_day(3)) {
                (None, None) => self.intervals.add_days(start, end, None),
                (Some(from), to) => self.intervals.add_days(start, end, Some((from, to))),
                (None, Some(to)) => Err(CalendarError::pause_without_start(to)),
            };
            if let Err(error) = added {
                self.fail(error)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (bounds, failed) = (states[0].as_list::<i32>(), states[1].as_boolean());
        for row in 0..bounds.len() {
            self.failed |= failed.value(row);
            let bounds = bounds.value(row);
            for pair in bounds.as_primitive::<Int32Type>().values().chunks_exact(2) {
                self.intervals.push(pair[0], pair[1]);
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let bounds: Int32Array = self.intervals.as_slice().iter().flat_map(|(start, end)| [*start, *end]).collect();
        let offsets = OffsetBuffer::from_lengths([bounds.len()]);
        let list = ListArray::try_new(bound_field(), offsets, Arc::new(bounds), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list)), ScalarValue::Boolean(Some(self.failed))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.intervals.is_empty() || self.failed {
            return Ok(ScalarValue::Int64(None));
        }
        match self.intervals.working_days(&self.calendar) {
            Ok(days) => Ok(ScalarValue::Int64(Some(days))),
            Err(error) => self.fail(error).map(|()| ScalarValue::Int64(None)),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.intervals.heap_bytes()
    }
}
