//! Tables that are looked up for each row of a model: declared, checked not to multiply rows, and attached to a plan.
//!
//! The columns of a join have names with a dot, as in `enterprise.industry`, in expressions as in plans. A name with a dot
//! is one name and never a table's column, so that a model's own columns are never shadowed.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Column, JoinType, NullEquality, Result as PlanResult};
use datafusion::functions_window::lead_lag::lead_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition};
use indexmap::IndexMap;

use super::definition::{AsOfDef, JoinDef, SemanticModelDef};
use super::error::suggest;
use super::expression::Fault;
use super::model::{Located, TableShape, TimeColumn};
use crate::catalog::{TableName, is_identifier};
use crate::project::Project;

/// A table that is looked up for each row; a row has one partner at the most.
#[derive(Debug)]
pub(super) struct Join {
    name: String,
    /// The other table.
    pub(super) table: TableName,
    /// Whether it is, or rests on, data made by the seeded generator.
    pub(super) synthetic: bool,
    /// Columns that must be equal: the rows' and the other table's.
    on: Vec<(String, String)>,
    as_of: Option<AsOf>,
    /// The joins by whose columns it is looked up.
    needs: Vec<String>,
}

/// Which version of a row counts.
#[derive(Debug)]
struct AsOf {
    /// Of the model's rows.
    day: TimeColumn,
    /// Of the joined rows, under the names that they have behind the join.
    from: TimeColumn,
    to: Option<TimeColumn>,
    next: TimeColumn,
}

/// A model's joins, each behind those it needs, and the columns that expressions may use.
pub(super) struct Joined {
    pub(super) joins: IndexMap<String, Join>,
    pub(super) fields: Vec<FieldRef>,
    /// Joins that were reported.
    pub(super) faulty: Vec<String>,
}

/// The joins that `columns` come from and those they need, in the order in which they are attached.
pub(super) fn needed<'j>(joins: &'j IndexMap<String, Join>, columns: &[String]) -> Vec<&'j Join> {
    let mut wanted: Vec<&str> = Vec::new();
    let mut names: Vec<&str> = columns.iter().filter_map(|name| joined(name)).collect();
    while let Some(name) = names.pop() {
        if let Some(join) = joins.get(name)
            && !wanted.contains(&name)
        {
            wanted.push(name);
            names.extend(join.needs.iter().map(String::as_str));
        }
    }
    joins.iter().filter(|(name, _)| wanted.contains(&name.as_str())).map(|(_, join)| join).collect()
}

/// The join that a column comes from.
pub(super) fn joined(column: &str) -> Option<&str> {
    column.split_once('.').map(|(join, _)| join)
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

impl Join {
    /// `rows` with the partner of each, or nulls.
    pub(super) fn attach(&self, rows: LogicalPlanBuilder, table: LogicalPlan) -> PlanResult<LogicalPlanBuilder> {
        let mut side = LogicalPlanBuilder::from(table);
        let mut columns: Vec<_> = side.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(as_of) = &self.as_of {
            side = side.window([self.next_version(as_of)?])?;
            columns.push(NEXT.into());
        }
        let side = side.project(columns.iter().map(|name| column(name).alias(self.named(name))))?.build()?;
        let keys = (
            self.on.iter().map(|(local, _)| Column::new_unqualified(local)).collect::<Vec<_>>(),
            self.on.iter().map(|(_, other)| Column::new_unqualified(self.named(other))).collect::<Vec<_>>(),
        );
        let held = self.as_of.as_ref().map(AsOf::held);
        rows.join_detailed(side, JoinType::Left, keys, held, NullEquality::NullEqualsNothing)
    }

    /// Where the version behind each one begins. A version ends there at the latest, whatever its end says: so no day
    /// has two, and the join cannot multiply rows even where intervals overlap.
    fn next_version(&self, as_of: &AsOf) -> PlanResult<Expr> {
        let from = as_of.from.name().strip_prefix(&format!("{}.", self.name)).unwrap_or_default().to_owned();
        let call = WindowFunction::new(WindowFunctionDefinition::WindowUDF(lead_udwf()), vec![column(&from)]);
        let partition = self.on.iter().map(|(_, other)| column(other)).collect();
        let call = Expr::from(call).partition_by(partition).order_by(vec![column(&from).sort(true, false)]);
        Ok(call.build()?.alias(NEXT))
    }

    fn named(&self, column: &str) -> String {
        named(&self.name, column)
    }
}

/// Where the version behind a version begins. No column of a table has such a name.
const NEXT: &str = "#next";

fn named(join: &str, column: &str) -> String {
    format!("{join}.{column}")
}

impl AsOf {
    /// Whether a version held on a row's day.
    fn held(&self) -> Expr {
        let (from, day) = self.from.beside(&self.day);
        let begun = from.lt_eq(day);
        let ends = self.to.iter().chain([&self.next]);
        ends.fold(begun, |held, end| {
            let (end, day) = end.beside(&self.day);
            held.and(end.clone().is_null().or(day.lt(end)))
        })
    }
}

/// Checks the joins of a model over `shape`, whose time dimension is `time`. What is faulty is reported and left out.
pub(super) fn compile(
    def: &SemanticModelDef,
    shape: &TableShape,
    time: Option<&TimeColumn>,
    project: &Project,
    shapes: &HashMap<TableName, TableShape>,
    faults: &mut Vec<Located>,
) -> Joined {
    let mut found =
        Joined { joins: IndexMap::new(), fields: shape.schema.fields().iter().cloned().collect(), faulty: Vec::new() };
    let mut pending: Vec<(&String, &JoinDef)> = def.joins.iter().collect();
    while !pending.is_empty() {
        let settled = |name: &str| found.joins.contains_key(name) || found.faulty.iter().any(|known| known == name);
        let undeclared = |name: &str| !def.joins.contains_key(name);
        let ready = pending.iter().position(|(_, join)| {
            join.on.keys().filter_map(|local| joined(local)).all(|name| settled(name) || undeclared(name))
        });
        let Some(ready) = ready else {
            for (name, _) in pending.drain(..) {
                let fault = Fault::new(format!("join `{name}` is looked up by its own columns, by way of other joins"));
                faults.push((path(name, &["on"]), fault));
                found.faulty.push(name.clone());
            }
            break;
        };
        let (name, join) = pending.remove(ready);
        if join.on.keys().filter_map(|local| joined(local)).any(|parent| found.faulty.iter().any(|f| f == parent)) {
            found.faulty.push(name.clone());
            continue;
        }
        let draft = Draft { name, def: join, time, project, shapes };
        match draft.check(&found.fields) {
            Ok((join, fields)) => {
                found.fields.extend(fields);
                found.joins.insert(name.clone(), join);
            }
            Err(located) => {
                faults.extend(located);
                found.faulty.push(name.clone());
            }
        }
    }
    found
}

fn path(join: &str, rest: &[&str]) -> Vec<String> {
    ["joins", join].into_iter().chain(rest.iter().copied()).map(Into::into).collect()
}

/// A join as declared, and what it is held against.
struct Draft<'a> {
    name: &'a str,
    def: &'a JoinDef,
    time: Option<&'a TimeColumn>,
    project: &'a Project,
    shapes: &'a HashMap<TableName, TableShape>,
}

impl Draft<'_> {
    /// The join, and the columns it adds to `fields`.
    fn check(&self, fields: &[FieldRef]) -> Result<(Join, Vec<FieldRef>), Vec<Located>> {
        let at = |rest: &[&str], fault: Fault| vec![(path(self.name, rest), fault)];
        let name = self.name;
        if !is_identifier(name) {
            let fault = Fault::new(format!("`{name}` is not a name"));
            return Err(at(&[], fault.hint("use lower-case letters, digits and underscores")));
        }
        let Some(other) = self.shapes.get(&self.def.table) else {
            return Err(self.missing_table().map(|fault| (path(name, &["table"]), fault)).into_iter().collect());
        };
        if self.def.on.is_empty() {
            return Err(at(&["on"], Fault::new(format!("join `{name}` names no columns that must be equal"))));
        }
        let mut faults = Vec::new();
        for (local, foreign) in &self.def.on {
            if let Err(fault) = equal_columns(fields, local, other, &self.def.table, foreign) {
                faults.push((path(name, &["on", local]), fault));
            }
        }
        let as_of = match self.def.as_of.as_ref().map(|as_of| self.as_of(as_of, fields, other)).transpose() {
            Ok(as_of) => as_of,
            Err((key, fault)) => {
                faults.push((path(name, &["as_of", key]), fault));
                None
            }
        };
        if faults.is_empty()
            && let Err(fault) = self.unique(other)
        {
            faults.push((path(name, &["on"]), fault));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let added = other.schema.fields().iter().map(|field| {
            // Nullable whatever the table says: a row may have no partner.
            Arc::new(Field::new(named(name, field.name()), field.data_type().clone(), true))
        });
        let join = Join {
            name: name.into(),
            table: self.def.table.clone(),
            synthetic: other.synthetic,
            on: self.def.on.iter().map(|(local, foreign)| (local.clone(), foreign.clone())).collect(),
            as_of,
            needs: self.def.on.keys().filter_map(|local| joined(local)).map(Into::into).collect(),
        };
        Ok((join, added.collect()))
    }

    /// `None` for a view that is declared and did not plan, which was reported at the view.
    fn missing_table(&self) -> Option<Fault> {
        let table = &self.def.table;
        if self.project.table(table).is_some() || self.project.view(table).is_some() {
            return None;
        }
        let names: Vec<_> = self.project.tables.iter().map(|table| table.def.name.to_string()).collect();
        Some(Fault::new(format!("there is no table `{table}`")).hint(suggest(&table.to_string(), &names)))
    }

    fn as_of(&self, def: &AsOfDef, fields: &[FieldRef], other: &TableShape) -> Result<AsOf, (&'static str, Fault)> {
        let day = match (&def.day, self.time) {
            (Some(day), _) => moment(fields, day, day).map_err(|fault| ("day", fault))?,
            (None, Some(time)) => time.clone(),
            (None, None) => {
                let fault = Fault::new("the model has no time_dimension, so that it is not known as of when");
                return Err(("day", fault.hint("name a date or timestamp column of the model as `day`")));
            }
        };
        let versions: Vec<FieldRef> = other.schema.fields().iter().cloned().collect();
        let of_version = |key: &'static str, column: &str| {
            moment(&versions, column, &named(self.name, column)).map_err(|fault| (key, fault))
        };
        let from = of_version("valid_from", &def.valid_from)?;
        let to = def.valid_to.as_deref().map(|column| of_version("valid_to", column)).transpose()?;
        let next = from.called(&named(self.name, NEXT));
        Ok(AsOf { day, from, to, next })
    }

    /// Each row has one partner at the most: the other table's key is among the columns that must be equal, or tells
    /// versions apart of which one is chosen.
    fn unique(&self, other: &TableShape) -> Result<(), Fault> {
        let quoted =
            |names: &mut dyn Iterator<Item = &str>| names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let table = &self.def.table;
        let by = quoted(&mut self.def.on.values().map(String::as_str));
        let message = format!("`{table}` is not unique by {by}: joining would count a row several times");
        if other.primary_key.is_empty() {
            let hint = match self.project.view(table) {
                Some(_) => "a view has no primary key: join its tables, or put the model over a view that joins",
                None => "declare the `primary_key` of its contract",
            };
            return Err(Fault::new(message).hint(hint));
        }
        let chosen = self.def.as_of.as_ref().map(|as_of| as_of.valid_from.as_str());
        let covered = |key: &String| self.def.on.values().any(|column| column == key) || chosen == Some(key.as_str());
        if other.primary_key.iter().all(covered) {
            return Ok(());
        }
        let key = quoted(&mut other.primary_key.iter().map(String::as_str));
        let hint = format!(
            "its primary key is {key}: join by all of it, or choose one version of a history by `as_of` with its \
             `valid_from`"
        );
        Err(Fault::new(message).hint(hint))
    }
}

/// A column of `fields` that tells when, called `called` behind the join.
fn moment(fields: &[FieldRef], name: &str, called: &str) -> Result<TimeColumn, Fault> {
    let data_type = type_of(fields, name)?;
    TimeColumn::of(called, data_type)
        .ok_or_else(|| Fault::new(format!("column `{name}` is {data_type}, not a date or timestamp")))
}

fn equal_columns(
    fields: &[FieldRef],
    local: &str,
    other: &TableShape,
    table: &TableName,
    foreign: &str,
) -> Result<(), Fault> {
    let ours = type_of(fields, local)?;
    let columns: Vec<FieldRef> = other.schema.fields().iter().cloned().collect();
    let theirs = type_of(&columns, foreign)
        .map_err(|fault| Fault { message: format!("`{table}` has no column `{foreign}`"), ..fault })?;
    if class(ours) != class(theirs) {
        return Err(Fault::new(format!("`{local}` is {ours} and `{foreign}` of `{table}` is {theirs}: never equal")));
    }
    Ok(())
}

fn type_of<'f>(fields: &'f [FieldRef], name: &str) -> Result<&'f DataType, Fault> {
    match fields.iter().find(|field| field.name() == name) {
        Some(field) => Ok(field.data_type()),
        None => {
            let names: Vec<_> = fields.iter().map(|field| field.name().clone()).collect();
            Err(Fault::new(format!("there is no column `{name}`")).hint(suggest(name, &names)))
        }
    }
}

/// Types that can be equal have one class: layouts of text and widths of whole numbers do not matter.
fn class(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        whole if whole.is_integer() => DataType::Int64,
        other => other.clone(),
    }
}
