//! One model file, typed against its table.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, lit};
use indexmap::IndexMap;

use chrono::NaiveDate;

use super::definition::{DimensionKind, EmptyPeriods, SemanticModelDef, TimeGrain};
use super::error::suggest;
use super::expression::{Aggregation, Fault, is_number, parse_aggregate, parse_scalar};
use super::period::{date, days_since_epoch};
use crate::catalog::{Bilingual, TableName, is_identifier};
use crate::functions::calendar::{self, china_time::midnight_seconds};
use crate::project::Document;

/// Names that the answer's own columns have.
const RESERVED: [&str; 3] = ["period", "value", "reason"];

/// What the compiler has to know about a table or view.
#[derive(Debug, Clone)]
pub struct TableShape {
    /// Its columns.
    pub schema: SchemaRef,
    /// Whether it is, or rests on, data made by the seeded generator.
    pub synthetic: bool,
}

/// A model whose expressions are typed.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) document: Document<SemanticModelDef>,
    pub(super) table: TableName,
    pub(super) synthetic: bool,
    pub(super) time: Option<TimeColumn>,
    pub(super) finest: TimeGrain,
    pub(super) dimensions: IndexMap<String, Dimension>,
    pub(super) measures: IndexMap<String, Measure>,
}

/// Something to group by.
#[derive(Debug)]
pub(super) struct Dimension {
    pub(super) expr: Expr,
    pub(super) data_type: DataType,
    pub(super) kind: DimensionKind,
    pub(super) title: Bilingual,
}

/// An aggregate.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) aggregation: Aggregation,
    pub(super) stock: bool,
    pub(super) empty: EmptyPeriods,
}

/// The column that tells when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeColumn {
    name: String,
    /// A timestamp's unit and zone; `None` for a date.
    instant: Option<(TimeUnit, Option<Arc<str>>)>,
}

impl TimeColumn {
    /// The column called `name` of type `data_type`; `None` where that tells no time.
    fn of(name: &str, data_type: &DataType) -> Option<Self> {
        let instant = match data_type {
            DataType::Date32 => None,
            DataType::Timestamp(unit, zone) => Some((*unit, zone.clone())),
            _ => return None,
        };
        Some(Self { name: name.into(), instant })
    }

    /// The column's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The column as it is stored.
    pub(super) fn raw(&self) -> Expr {
        Expr::Column(Column::new_unqualified(&self.name))
    }

    /// The date in China that `raw`, a value of this column, falls on.
    pub(super) fn china_date(&self, raw: Expr) -> Expr {
        if self.instant.is_none() { raw } else { calendar::china_date().call(vec![raw]) }
    }

    /// Rows from `first` to `last`, both inclusive, as a comparison of the bare column, so that files can be pruned.
    pub(super) fn within(&self, first: Option<NaiveDate>, last: Option<NaiveDate>) -> Option<Expr> {
        let lower = first.map(|first| self.raw().gt_eq(self.midnight(first)));
        let upper = last.map(|last| match (&self.instant, last.succ_opt()) {
            (Some(_), Some(next)) => self.raw().lt(self.midnight(next)),
            _ => self.raw().lt_eq(self.midnight(last)),
        });
        lower.into_iter().chain(upper).reduce(Expr::and)
    }

    /// The instant at which `day` begins in China, as a literal of the column's type.
    fn midnight(&self, day: NaiveDate) -> Expr {
        let Some((unit, zone)) = &self.instant else { return date(day) };
        let days = days_since_epoch(day);
        // A column without a zone holds readings of a clock in China.
        let seconds = if zone.is_some() { midnight_seconds(days) } else { i64::from(days) * 86_400 };
        let scaled = |per_second: i64| Some(seconds.saturating_mul(per_second));
        lit(match unit {
            TimeUnit::Second => ScalarValue::TimestampSecond(scaled(1), zone.clone()),
            TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(scaled(1_000), zone.clone()),
            TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(scaled(1_000_000), zone.clone()),
            TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(scaled(1_000_000_000), zone.clone()),
        })
    }
}

/// A fault and the key it stands at.
pub(super) type Located = (Vec<String>, Fault);

impl Model {
    /// Types every expression of `document` against `shape`. What is faulty is left out and reported.
    pub(super) fn compile(
        document: &Document<SemanticModelDef>,
        shape: &TableShape,
        session: &SessionState,
        faults: &mut Vec<Located>,
    ) -> Self {
        let def = &document.def;
        let mut report = |path: &[&str], fault: Fault| {
            faults.push((path.iter().map(ToString::to_string).collect(), fault));
        };
        let schema = match DFSchema::try_from(shape.schema.as_ref().clone()) {
            Ok(schema) => schema,
            Err(error) => {
                report(&["table"], error.into());
                DFSchema::empty()
            }
        };
        let time = def
            .time_dimension
            .as_deref()
            .and_then(|name| time_column(name, shape).map_err(|fault| report(&["time_dimension"], fault)).ok());
        let mut dimensions = IndexMap::new();
        for (name, dimension) in &def.dimensions {
            let typed = check_name(name).and_then(|()| {
                let sql = dimension.expr.clone().unwrap_or_else(|| format!("\"{name}\""));
                let (expr, data_type) = parse_scalar(session, &sql, &schema)?;
                check_dimension_type(dimension.kind, &data_type)?;
                Ok(Dimension { expr, data_type, kind: dimension.kind, title: dimension.title.clone() })
            });
            match typed {
                Ok(typed) => {
                    dimensions.insert(name.clone(), typed);
                }
                Err(fault) => report(&["dimensions", name, "expr"], fault),
            }
        }
        let mut measures = IndexMap::new();
        for (name, measure) in &def.measures {
            match parse_aggregate(session, &measure.expr, &schema, name) {
                Ok(aggregation) => {
                    if !is_number(&aggregation.data_type) {
                        let found = &aggregation.data_type;
                        report(&["measures", name, "expr"], Fault::new(format!("a measure is a number, not {found}")));
                    }
                    if measure.stock && def.time_dimension.is_none() {
                        let fault = Fault::new("a stock is measured at a moment, and the model has no time_dimension");
                        report(&["measures", name, "stock"], fault);
                    }
                    if measure.empty_periods == EmptyPeriods::Zero && !aggregation.additive {
                        let fault = Fault::new("only sums and counts are zero where nothing happened");
                        report(&["measures", name, "empty_periods"], fault);
                    }
                    let (stock, empty) = (measure.stock, measure.empty_periods);
                    measures.insert(name.clone(), Measure { aggregation, stock, empty });
                }
                Err(fault) => report(&["measures", name, "expr"], fault),
            }
        }
        Self {
            document: document.clone(),
            table: def.table.clone(),
            synthetic: shape.synthetic,
            time,
            finest: def.finest_grain.unwrap_or(TimeGrain::Day),
            dimensions,
            measures,
        }
    }
}

fn time_column(name: &str, shape: &TableShape) -> Result<TimeColumn, Fault> {
    let Ok(field) = shape.schema.field_with_name(name) else {
        let names: Vec<_> = shape.schema.fields().iter().map(|field| field.name().clone()).collect();
        return Err(Fault::new(format!("there is no column `{name}`")).hint(suggest(name, &names)));
    };
    TimeColumn::of(name, field.data_type())
        .ok_or_else(|| Fault::new(format!("column `{name}` is {}, not a date or timestamp", field.data_type())))
}

fn check_name(name: &str) -> Result<(), Fault> {
    if RESERVED.contains(&name) {
        return Err(Fault::new(format!("`{name}` is a column of every answer, and no name for a dimension")));
    }
    if !is_identifier(name) {
        return Err(
            Fault::new(format!("`{name}` is not a name")).hint("use lower-case letters, digits and underscores")
        );
    }
    Ok(())
}

fn check_dimension_type(kind: DimensionKind, data_type: &DataType) -> Result<(), Fault> {
    let is_text = matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    if kind == DimensionKind::Region && !is_text {
        return Err(Fault::new(format!("a region dimension holds division codes, which are text, not {data_type}")));
    }
    if data_type.is_nested() || matches!(data_type, DataType::Null | DataType::Interval(_)) {
        return Err(Fault::new(format!("values of type {data_type} cannot be grouped by")));
    }
    Ok(())
}
