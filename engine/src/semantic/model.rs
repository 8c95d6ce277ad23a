//! One model file, typed against its table.

use std::sync::Arc;

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, lit, when};
use indexmap::IndexMap;

use chrono::NaiveDate;

use super::definition::{DimensionKind, EmptyPeriods, SemanticModelDef, TimeGrain};
use super::error::suggest;
use super::expression::{Aggregation, Fault, is_number, parse_aggregate, parse_scalar};
use super::join::{self, Join, joined};
use super::period::{Periods, date, days_since_epoch, hour_number};
use crate::catalog::{Bilingual, TableName, is_identifier};
use crate::functions::calendar::{self, china_time::midnight_seconds};
use crate::project::{Document, Project};

/// Names that the answer's own columns have.
const RESERVED: [&str; 3] = ["period", "value", "reason"];

/// What the compiler has to know about a table or view.
#[derive(Debug, Clone)]
pub struct TableShape {
    /// Its columns.
    pub schema: SchemaRef,
    /// Whether it is, or rests on, data made by the seeded generator.
    pub synthetic: bool,
    /// The columns by which its rows are unique; none where that is not declared, as of a view.
    pub primary_key: Vec<String>,
    /// What it is made of, where it is a view.
    pub view: Option<ViewShape>,
}

/// What a view is made of.
#[derive(Debug, Clone)]
pub struct ViewShape {
    /// The tables under it, over whatever other views.
    pub tables: Vec<TableName>,
    /// Its plan and those of the views under it, as text.
    pub plan: String,
    /// Whether it depends on nothing but its tables.
    pub is_immutable: bool,
    /// Whether each of its rows comes of one row of its only table.
    pub is_row_wise: bool,
}

/// A model whose expressions are typed.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) document: Document<SemanticModelDef>,
    pub(super) table: TableName,
    pub(super) synthetic: bool,
    pub(super) time: Option<TimeColumn>,
    pub(super) finest: TimeGrain,
    /// The month with which a year begins, from 1.
    pub(super) year_start: u32,
    /// Tables that dimensions look up, each behind those it needs.
    pub(super) joins: IndexMap<String, Join>,
    pub(super) dimensions: IndexMap<String, Dimension>,
    pub(super) measures: IndexMap<String, Measure>,
    /// The columns that its expressions may use: the table's, and those of the joins.
    pub(super) schema: Arc<DFSchema>,
    /// What its table is made of, where it is a view.
    pub(super) view: Option<ViewShape>,
}

/// Something to group by.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    pub(super) expr: Expr,
    pub(super) data_type: DataType,
    pub(super) kind: DimensionKind,
    pub(super) title: Bilingual,
}

/// An aggregate.
#[derive(Debug, Clone)]
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
    pub(super) fn of(name: &str, data_type: &DataType) -> Option<Self> {
        let instant = match data_type {
            DataType::Date32 => None,
            DataType::Timestamp(unit, zone) => Some((*unit, zone.clone())),
            _ => return None,
        };
        Some(Self { name: name.into(), instant })
    }

    /// A column called `name` of dates, or of instants.
    pub(super) fn of_periods(name: &str, grain: TimeGrain) -> Self {
        let instant = (grain == TimeGrain::Hour).then(|| (TimeUnit::Microsecond, Some("UTC".into())));
        Self { name: name.into(), instant }
    }

    /// Its type in a table.
    pub(super) fn data_type(&self) -> DataType {
        match &self.instant {
            None => DataType::Date32,
            Some((unit, zone)) => DataType::Timestamp(*unit, zone.clone()),
        }
    }

    /// The column's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A column of the same type called `name`.
    pub(super) fn called(&self, name: &str) -> Self {
        Self { name: name.into(), instant: self.instant.clone() }
    }

    /// This column and `other`, comparable: as they are where they are of one type, else the days they fall on.
    pub(super) fn beside(&self, other: &Self) -> (Expr, Expr) {
        if self.instant == other.instant {
            return (self.raw(), other.raw());
        }
        (self.china_date(self.raw()), other.china_date(other.raw()))
    }

    /// The column as it is stored.
    pub(super) fn raw(&self) -> Expr {
        Expr::Column(Column::new_unqualified(&self.name))
    }

    /// The date in China that `raw`, a value of this column, falls on.
    pub(super) fn china_date(&self, raw: Expr) -> Expr {
        if self.instant.is_none() { raw } else { calendar::china_date().call(vec![raw]) }
    }

    /// Whether it tells the hour.
    pub(super) fn is_instant(&self) -> bool {
        self.instant.is_some()
    }

    /// What the period that holds `raw`, a value of this column, is told by while periods are filled in: its first
    /// day, or the number of its hour.
    pub(super) fn slot(&self, raw: Expr, periods: &Periods) -> Expr {
        match (periods.grain, &self.instant) {
            (TimeGrain::Hour, Some((_, zone))) => hour_number(raw, zone.as_deref()),
            _ => periods.truncate(self.china_date(raw)),
        }
    }

    /// `raw`, a value of this column, or the beginning of `first` where it lies before.
    pub(super) fn not_before(&self, raw: Expr, first: Option<NaiveDate>) -> Result<Expr, DataFusionError> {
        let Some(bound) = first.map(|first| self.midnight(first)) else { return Ok(raw) };
        when(raw.clone().lt(bound.clone()), bound).otherwise(raw)
    }

    /// `raw`, a value of this column, or the last moment of `last` where it lies behind.
    pub(super) fn not_after(&self, raw: Expr, last: Option<NaiveDate>) -> Result<Expr, DataFusionError> {
        let Some(last) = last else { return Ok(raw) };
        match (&self.instant, last.succ_opt()) {
            (Some((unit, zone)), Some(next)) => {
                let bound = scaled(*unit, zone.clone(), self.midnight_of(next), -1);
                when(raw.clone().gt(bound.clone()), bound).otherwise(raw)
            }
            _ => when(raw.clone().gt(self.midnight(last)), self.midnight(last)).otherwise(raw),
        }
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
        match &self.instant {
            None => date(day),
            Some((unit, zone)) => scaled(*unit, zone.clone(), self.midnight_of(day), 0),
        }
    }

    /// The same in seconds since 1970.
    fn midnight_of(&self, day: NaiveDate) -> i64 {
        let days = days_since_epoch(day);
        // A column without a zone holds readings of a clock in China.
        let has_zone = self.instant.as_ref().is_some_and(|(_, zone)| zone.is_some());
        if has_zone { midnight_seconds(days) } else { i64::from(days) * 86_400 }
    }
}

/// A timestamp so many seconds after 1970, and `more` of its units.
fn scaled(unit: TimeUnit, zone: Option<Arc<str>>, seconds: i64, more: i64) -> Expr {
    let scaled = |per_second: i64| Some(seconds.saturating_mul(per_second).saturating_add(more));
    lit(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(scaled(1), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(scaled(1_000), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(scaled(1_000_000), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(scaled(1_000_000_000), zone),
    })
}

/// A fault and the key it stands at.
pub(super) type Located = (Vec<String>, Fault);

/// What a project's tables and views are, for a model's names.
pub(super) struct Surroundings<'a> {
    pub(super) project: &'a Project,
    pub(super) shapes: &'a HashMap<TableName, TableShape>,
    pub(super) session: &'a SessionState,
}

impl Model {
    /// Types every expression of `document` against `shape`. What is faulty is left out and reported.
    pub(super) fn compile(
        document: &Document<SemanticModelDef>,
        shape: &TableShape,
        around: &Surroundings<'_>,
        faults: &mut Vec<Located>,
    ) -> Self {
        let def = &document.def;
        let time = match def.time_dimension.as_deref().map(|name| time_column(name, shape)).transpose() {
            Ok(time) => time,
            Err(fault) => {
                faults.push((vec!["time_dimension".into()], fault));
                None
            }
        };
        faults.extend(check_time(def, time.as_ref()));
        let joined = join::compile(def, shape, time.as_ref(), around.project, around.shapes, faults);
        let schema = match DFSchema::try_from(Schema::new(joined.fields)) {
            Ok(schema) => schema,
            Err(error) => {
                faults.push((vec!["table".into()], error.into()));
                DFSchema::empty()
            }
        };
        let dimensions = dimensions(def, &schema, &joined.faulty, around.session, faults);
        let measures = measures(def, &schema, around.session, faults);
        Self {
            document: document.clone(),
            table: def.table.clone(),
            synthetic: shape.synthetic,
            time,
            finest: def.finest_grain.unwrap_or(TimeGrain::Day),
            year_start: def.fiscal_year_start.filter(|month| (1..=12).contains(month)).unwrap_or(1),
            joins: joined.joins,
            dimensions,
            measures,
            schema: Arc::new(schema),
            view: shape.view.clone(),
        }
    }

    /// Periods in this model's years.
    pub(super) fn periods(&self, grain: TimeGrain) -> Periods {
        Periods::new(grain, self.year_start)
    }

    /// The joins that `expressions` need, in the order in which they are attached.
    pub(super) fn joins_of<'e>(&self, expressions: impl Iterator<Item = &'e Expr>) -> Vec<&Join> {
        let columns: Vec<_> = expressions.flat_map(Expr::column_refs).map(|column| column.name().to_owned()).collect();
        join::needed(&self.joins, &columns)
    }
}

/// What is said of periods.
fn check_time(def: &SemanticModelDef, time: Option<&TimeColumn>) -> Vec<Located> {
    let mut faults = Vec::new();
    let mut report = |key: &str, fault: Fault| faults.push((vec![key.to_owned()], fault));
    match def.finest_grain {
        Some(TimeGrain::Hour) if time.is_some_and(|time| !time.is_instant()) => {
            let fault = Fault::new("hours are told of timestamps, and the time dimension is a date");
            report("finest_grain", fault.hint("use `day`"));
        }
        Some(TimeGrain::WorkingDay) => {
            let fault = Fault::new("data has a finest grain of the calendar, and working days are counted from days");
            report("finest_grain", fault.hint("use `day`"));
        }
        _ => {}
    }
    if let Some(month) = def.fiscal_year_start.filter(|month| !(1..=12).contains(month)) {
        report("fiscal_year_start", Fault::new(format!("a year begins with a month from 1 to 12, not {month}")));
    }
    faults
}

fn dimensions(
    def: &SemanticModelDef,
    schema: &DFSchema,
    faulty_joins: &[String],
    session: &SessionState,
    faults: &mut Vec<Located>,
) -> IndexMap<String, Dimension> {
    let mut dimensions = IndexMap::new();
    for (name, dimension) in &def.dimensions {
        let sql = dimension.expr.clone().unwrap_or_else(|| format!("\"{name}\""));
        let typed = check_name(name).and_then(|()| {
            let (expr, data_type) = parse_scalar(session, &sql, schema)?;
            check_dimension_type(dimension.kind, &data_type)?;
            Ok(Dimension { expr, data_type, kind: dimension.kind, title: dimension.title.clone() })
        });
        match typed {
            Ok(typed) => {
                dimensions.insert(name.clone(), typed);
            }
            // A faulty join was reported, and its columns are missing because of that alone.
            Err(_) if faulty_joins.iter().any(|join| sql.contains(&format!("{join}."))) => {}
            Err(fault) => faults.push((vec!["dimensions".into(), name.clone(), "expr".into()], fault)),
        }
    }
    dimensions
}

fn measures(
    def: &SemanticModelDef,
    schema: &DFSchema,
    session: &SessionState,
    faults: &mut Vec<Located>,
) -> IndexMap<String, Measure> {
    let mut measures = IndexMap::new();
    for (name, measure) in &def.measures {
        let mut report =
            |key: &str, fault: Fault| faults.push((vec!["measures".into(), name.clone(), key.into()], fault));
        match parse_measure(session, &measure.expr, schema, name) {
            Ok(aggregation) => {
                if !is_number(&aggregation.data_type) {
                    let found = &aggregation.data_type;
                    report("expr", Fault::new(format!("a measure is a number, not {found}")));
                }
                if measure.stock && def.time_dimension.is_none() {
                    let fault = Fault::new("a stock is measured at a moment, and the model has no time_dimension");
                    report("stock", fault);
                }
                if measure.empty_periods == EmptyPeriods::Zero && !aggregation.zero_of_nothing {
                    report("empty_periods", Fault::new("only sums and counts are zero where nothing happened"));
                }
                let (stock, empty) = (measure.stock, measure.empty_periods);
                measures.insert(name.clone(), Measure { aggregation, stock, empty });
            }
            Err(fault) => report("expr", fault),
        }
    }
    measures
}

/// A measure speaks about its own table's rows.
fn parse_measure(session: &SessionState, sql: &str, schema: &DFSchema, name: &str) -> Result<Aggregation, Fault> {
    let aggregation = parse_aggregate(session, sql, schema, name)?;
    let foreign = aggregation.aggregates.iter().flat_map(Expr::column_refs).find(|c| joined(c.name()).is_some());
    match foreign {
        None => Ok(aggregation),
        Some(column) => {
            let name = column.name();
            let message = format!(
                "a measure speaks about its own table: `{name}` would count once for each row that refers to it"
            );
            Err(Fault::new(message).hint("make a dimension of it, or a measure of a model over that table"))
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
