//! From declared rollups to those that can be kept exactly; the others are refused with a reason.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, cast};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::cover::{Shape, is_daily};
use super::state::{State, split, stored};
use super::{KeptKey, Rollup};
use crate::catalog::is_identifier;
use crate::catalog::system::SYSTEM_SCHEMA;
use crate::project::{Document, Project};
use crate::semantic::definition::{DimensionKind, RollupDef, SemanticModelDef, TimeGrain};
use crate::semantic::error::suggest;
use crate::semantic::expression::{Aggregation, Fault, is_immutable};
use crate::semantic::lookback::Lookback;
use crate::semantic::model::{Dimension, Located, Measure, Model, Surroundings, TimeColumn};
use crate::semantic::models::Models;
use crate::semantic::plan::column;
use crate::semantic::region::Level;

/// The column that says in which period rows lie. No dimension is called so.
const PERIOD: &str = "period";
/// Version of what is kept and how: raised where the same definition would be kept otherwise.
const FORMAT: u32 = 1;

/// Checks the rollups of every model and adds those that can be kept. Averages of integers among their measures are
/// computed from an exact sum from then on, with the rollup and without.
pub(in crate::semantic) fn compile(
    models: &mut Models,
    around: &Surroundings<'_>,
) -> Vec<(Document<SemanticModelDef>, Vec<String>, Fault)> {
    let mut faults = Vec::new();
    let mut rollups: IndexMap<String, Rollup> = IndexMap::new();
    let mut exact: Vec<(usize, String, Aggregation)> = Vec::new();
    for (at, model) in models.models.iter().enumerate() {
        let document = &model.document;
        for (name, def) in &document.def.rollups {
            let mut report = |located: Vec<Located>| {
                faults.extend(located.into_iter().map(|(mut path, fault)| {
                    path.splice(0..0, ["rollups".to_owned(), name.clone()]);
                    (document.clone(), path, fault)
                }));
            };
            if let Some(first) = rollups.get(name) {
                let there = models.models[first.model].document.place_of(&["rollups", name]);
                let fault = Fault::new(format!("rollup `{name}` is declared in {there} too"));
                report(vec![(vec![], fault.hint("rollup names are unique in the project"))]);
                continue;
            }
            let draft = Draft { models, model, at, name, def, around };
            match draft.check() {
                Ok(Some((rollup, averages))) => {
                    exact.extend(averages.into_iter().map(|(measure, aggregation)| (at, measure, aggregation)));
                    rollups.insert(name.clone(), rollup);
                }
                Ok(None) => {}
                Err(located) => report(located),
            }
        }
    }
    for (model, measure, aggregation) in exact {
        if let Some(measure) = models.models[model].measures.get_mut(&measure) {
            measure.aggregation = aggregation;
        }
    }
    models.rollups = rollups;
    faults
}

/// Why a rollup of `shape` with `measures` over `model` cannot be kept; none where it can.
pub(super) fn refusal(
    models: &Models,
    project: &Project,
    model: usize,
    shape: &Shape,
    measures: &[String],
    session: &SessionState,
) -> Option<String> {
    let def = RollupDef {
        dimensions: shape.dimensions.clone(),
        grain: shape.grain,
        measures: measures.to_vec(),
        metrics: Vec::new(),
    };
    let shapes = HashMap::new();
    let around = Surroundings { project, shapes: &shapes, session };
    let draft = Draft { models, model: &models.models[model], at: model, name: "rollup", def: &def, around: &around };
    match draft.check() {
        Ok(Some(_)) => None,
        Ok(None) => Some("a part of its model is faulty".into()),
        Err(faults) => faults.into_iter().next().map(|(_, fault)| fault.message),
    }
}

/// A rollup as declared, and what it is held against.
struct Draft<'a> {
    models: &'a Models,
    model: &'a Model,
    at: usize,
    name: &'a str,
    def: &'a RollupDef,
    around: &'a Surroundings<'a>,
}

/// The measures of a rollup.
struct Kept {
    /// As the rollup's table tells them.
    measures: IndexMap<String, Measure>,
    states: Vec<State>,
    /// Those that are computed otherwise from now on.
    exact: Vec<(String, Aggregation)>,
}

/// A rollup, and the measures that are computed otherwise from now on.
type Checked = (Rollup, Vec<(String, Aggregation)>);

fn at(key: &str, fault: Fault) -> Located {
    (vec![key.to_owned()], fault)
}

impl Draft<'_> {
    /// The rollup, with the measures that are computed otherwise from now on; none where a part was reported elsewhere.
    fn check(&self) -> Result<Option<Checked>, Vec<Located>> {
        let mut faults = Vec::new();
        if !is_identifier(self.name) {
            let fault = Fault::new(format!("`{}` is not a name", self.name));
            faults.push((vec![], fault.hint("use lower-case letters, digits and underscores")));
        }
        faults.extend(self.view_fault().map(|fault| (vec![], fault)));
        if self.model.document.def.time_dimension.is_some() && self.model.time.is_none() {
            return Ok(None);
        }
        faults.extend(self.grain_fault().map(|fault| at("grain", fault)));
        let keys = self.keys(&mut faults);
        let measures = self.measures(&mut faults);
        let kept = measures.map(|names| self.kept(&names, &mut faults));
        if !faults.is_empty() {
            return Err(faults);
        }
        let (Some(keys), Some(kept)) = (keys, kept) else { return Ok(None) };
        Ok(Some(self.rollup(keys, kept)))
    }

    fn view_fault(&self) -> Option<Fault> {
        let (table, view) = (&self.model.table, self.model.view.as_ref()?);
        if !view.is_immutable {
            let fault = Fault::new(format!("the view `{table}` depends on the time at which it is asked"));
            return Some(fault.hint("what is kept would be wrong the next day"));
        }
        let foreign = view.tables.iter().find(|name| name.schema() == SYSTEM_SCHEMA);
        foreign.map(|name| Fault::new(format!("the view `{table}` reads `{name}`, of which there are no versions")))
    }

    fn grain_fault(&self) -> Option<Fault> {
        let grains = "as in `grain = \"day\"`";
        match (&self.model.time, self.def.grain) {
            (None, None) => None,
            (None, Some(_)) => Some(Fault::new("the model has no time_dimension, so a rollup of it has no grain")),
            (Some(_), None) => {
                let fault = Fault::new(format!("rollup `{}` does not say by which periods it is kept", self.name));
                Some(fault.hint(grains))
            }
            (Some(_), Some(TimeGrain::WorkingDay)) => {
                let fault = Fault::new("working days are counted from days, and the calendar may change");
                Some(fault.hint("use `day`, which answers questions by working day too"))
            }
            (Some(time), Some(TimeGrain::Hour)) if !time.is_instant() => {
                Some(Fault::new("hours are told of timestamps, and the time dimension is a date").hint("use `day`"))
            }
            (Some(_), Some(_)) => None,
        }
    }

    /// The dimensions; none where one was reported elsewhere.
    fn keys(&self, faults: &mut Vec<Located>) -> Option<Vec<(KeptKey, String)>> {
        let mut keys: Vec<(KeptKey, String)> = Vec::new();
        let mut whole = true;
        for (index, asked) in self.def.dimensions.iter().enumerate() {
            let mut report = |fault: Fault| faults.push((vec!["dimensions".into(), index.to_string()], fault));
            if keys.iter().any(|(_, known)| known == asked) {
                report(Fault::new(format!("dimension `{asked}` is named twice")));
                continue;
            }
            match self.key(asked) {
                Ok(Some(key)) => keys.push((key, asked.clone())),
                Ok(None) => whole = false,
                Err(fault) => report(fault),
            }
        }
        whole.then_some(keys)
    }

    fn key(&self, asked: &str) -> Result<Option<KeptKey>, Fault> {
        let (name, level) = match asked.split_once('.') {
            Some((name, level)) => (name, Some(level)),
            None => (asked, None),
        };
        let Some(dimension) = self.model.dimensions.get(name) else {
            if self.model.document.def.dimensions.contains_key(name) {
                return Ok(None);
            }
            let known: Vec<_> = self.model.dimensions.keys().cloned().collect();
            return Err(Fault::new(format!("there is no dimension `{name}`")).hint(suggest(name, &known)));
        };
        let is_region = dimension.kind == DimensionKind::Region;
        let level = match level {
            None => None,
            Some(text) => {
                let found = Level::ALL.into_iter().find(|level| level.name() == text).filter(|_| is_region);
                let levels: Vec<_> = Level::ALL.iter().map(|level| format!("{name}.{}", level.name())).collect();
                let fault = || Fault::new(format!("there is no dimension `{asked}`"));
                Some(found.ok_or_else(|| match is_region {
                    true => fault().hint(format!("there are {}", levels.join(", "))),
                    false => fault().hint("only region dimensions have levels"),
                })?)
            }
        };
        if !is_immutable(&dimension.expr) {
            let fault = Fault::new(format!("dimension `{name}` depends on the time at which it is asked"));
            return Err(fault.hint("what is kept would be wrong the next day"));
        }
        let data_type = if level.is_some() { DataType::Utf8 } else { dimension.data_type.clone() };
        let Some(stored) = stored(&data_type) else {
            let fault = Fault::new(format!("dimension `{name}` is {data_type}, by which nothing is kept exactly"));
            return Err(fault.hint("use texts, whole numbers, decimals, dates or timestamps with a zone"));
        };
        Ok(Some(KeptKey { column: asked.replace('.', "#"), expr: dimension.expr.clone(), level, data_type, stored }))
    }

    /// The names of the measures that it keeps; none where one was reported elsewhere.
    fn measures(&self, faults: &mut Vec<Located>) -> Option<Vec<String>> {
        let declared = &self.model.document.def;
        let (mut names, mut whole): (Vec<String>, bool) = (Vec::new(), true);
        for (index, measure) in self.def.measures.iter().enumerate() {
            if !declared.measures.contains_key(measure) {
                let known: Vec<_> = declared.measures.keys().cloned().collect();
                let fault = Fault::new(format!("there is no measure `{measure}`")).hint(suggest(measure, &known));
                faults.push((vec!["measures".into(), index.to_string()], fault));
            } else if self.model.measures.contains_key(measure) {
                names.push(measure.clone());
            } else {
                whole = false;
            }
        }
        for (index, metric) in self.def.metrics.iter().enumerate() {
            if !declared.metrics.contains_key(metric) {
                let known: Vec<_> = declared.metrics.keys().cloned().collect();
                let fault =
                    Fault::new(format!("this file declares no metric `{metric}`")).hint(suggest(metric, &known));
                faults.push((vec!["metrics".into(), index.to_string()], fault));
                continue;
            }
            let Some(metric) = self.models.metrics.get(metric) else {
                whole = false;
                continue;
            };
            let node = self.models.expand(metric, Lookback::default());
            names.extend(node.leaves().iter().filter(|leaf| leaf.model == self.at).map(|leaf| leaf.measure.clone()));
        }
        if whole && names.is_empty() && faults.is_empty() {
            let fault = Fault::new(format!("rollup `{}` keeps nothing", self.name));
            faults.push((vec![], fault.hint("name `measures`, or `metrics` of this file")));
        }
        let mut unique: Vec<String> = Vec::new();
        names.into_iter().for_each(|name| {
            if !unique.contains(&name) {
                unique.push(name)
            }
        });
        whole.then_some(unique)
    }

    fn kept(&self, names: &[String], faults: &mut Vec<Located>) -> Kept {
        let mut kept = Kept { measures: IndexMap::new(), states: Vec::new(), exact: Vec::new() };
        for name in names {
            let Some(measure) = self.model.measures.get(name) else { continue };
            if let Err(fault) = self.keep(name, measure, &mut kept) {
                let key = if self.def.measures.contains(name) { "measures" } else { "metrics" };
                faults
                    .push(at(key, Fault { message: format!("measure `{name}` {}", fault.message), hint: fault.hint }));
            }
        }
        kept
    }

    fn keep(&self, name: &str, measure: &Measure, kept: &mut Kept) -> Result<(), Fault> {
        if measure.stock && !self.def.grain.is_some_and(is_daily) {
            let fault =
                Fault::new("is a stock, of which the last day of a period counts: only days tell which that is");
            return Err(fault.hint("use `grain = \"day\"`"));
        }
        let aggregation = &measure.aggregation;
        if let Some(aggregate) = aggregation.aggregates.iter().find(|aggregate| !is_immutable(aggregate)) {
            return Err(Fault::new(format!("depends on the time at which it is asked: `{aggregate}`")));
        }
        let (mut aggregates, mut rows, mut is_exact) = (Vec::new(), Vec::new(), false);
        let (mut parts, mut whole): (IndexMap<String, Expr>, IndexMap<String, Expr>) =
            (IndexMap::new(), IndexMap::new());
        for aggregate in &aggregation.aggregates {
            let split = split(self.around.session, &self.model.schema, aggregate, &kept.states)?;
            let called = aggregate.schema_name().to_string();
            aggregates.extend(split.states.iter().map(State::of_parts));
            parts.insert(called.clone(), split.figure);
            match split.exact {
                Some((exact, figure)) => {
                    is_exact = true;
                    rows.extend(exact);
                    whole.insert(called, figure);
                }
                None => rows.push(aggregate.clone()),
            }
            for state in split.states {
                if !kept.states.iter().any(|known| known.column == state.column) {
                    kept.states.push(state);
                }
            }
        }
        let of = |figures: &IndexMap<String, Expr>, over: &Expr| -> Result<Expr, Fault> {
            let replaced = over.clone().transform_up(|node| {
                Ok(match &node {
                    Expr::Column(found) => match figures.get(&found.name) {
                        // Taken as it is: what it is made of has columns of the same names.
                        Some(figure) => Transformed::yes(figure.clone()),
                        None => Transformed::no(node),
                    },
                    _ => Transformed::no(node),
                })
            })?;
            Ok(replaced.data)
        };
        let mut sketch = aggregation.sketch.clone();
        if let Some(sketch) = &mut sketch {
            sketch.column = of(&parts, &sketch.column)?;
        }
        let rolled =
            Aggregation { aggregates, figure: of(&parts, &aggregation.figure)?, sketch, ..aggregation.clone() };
        kept.measures.insert(name.to_owned(), Measure { aggregation: rolled, ..measure.clone() });
        if is_exact {
            let exact =
                Aggregation { aggregates: rows, figure: of(&whole, &aggregation.figure)?, ..aggregation.clone() };
            kept.exact.push((name.to_owned(), exact));
        }
        Ok(())
    }

    fn rollup(&self, keys: Vec<(KeptKey, String)>, kept: Kept) -> Checked {
        let model = self.model;
        let time = self.def.grain.map(|grain| TimeColumn::of_periods(PERIOD, grain));
        let mut dimensions = IndexMap::new();
        for (key, name) in &keys {
            let declared = name.split_once('.').map_or(name.as_str(), |(name, _)| name);
            if let Some(dimension) = model.dimensions.get(declared) {
                let expr = match key.stored == key.data_type {
                    true => column(&key.column),
                    false => cast(column(&key.column), key.data_type.clone()),
                };
                let dimension = Dimension { expr, data_type: key.data_type.clone(), ..dimension.clone() };
                dimensions.insert(name.clone(), dimension);
            }
        }
        let shape = Shape { dimensions: keys.iter().map(|(_, name)| name.clone()).collect(), grain: self.def.grain };
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
        let mut fields: Vec<_> = time.iter().map(|time| Field::new(time.name(), time.data_type(), true)).collect();
        fields.extend(keys.iter().map(|key| Field::new(&key.column, key.stored.clone(), true)));
        fields.extend(kept.states.iter().map(|state| Field::new(&state.column, state.data_type.clone(), true)));
        let schema = Arc::new(Schema::new(fields));
        let joins = model.joins_of(keys.iter().map(|key| &key.expr));
        let joined: Vec<_> = joins.into_iter().map(|join| join.table.clone()).collect();
        let mut tables = model.view.as_ref().map_or_else(|| vec![model.table.clone()], |view| view.tables.clone());
        let adds_up = model.view.as_ref().is_none_or(|view| view.is_row_wise)
            && tables.first().is_some_and(|first| !joined.contains(first));
        for table in &joined {
            if !tables.contains(table) {
                tables.push(table.clone());
            }
        }
        let rolled = Model {
            document: model.document.clone(),
            table: model.table.clone(),
            synthetic: model.synthetic,
            time,
            finest: model.finest,
            year_start: model.year_start,
            joins: IndexMap::new(),
            dimensions,
            measures: kept.measures,
            schema: Arc::clone(&model.schema),
            view: None,
        };
        let definition = self.definition(&shape, &schema, &kept.states);
        let name = self.name.to_owned();
        let (model, states) = (self.at, kept.states);
        let rollup = Rollup { name, model, shape, keys, states, rolled, joined, tables, adds_up, schema, definition };
        (rollup, kept.exact)
    }

    /// A hash of all that decides what is kept: what is declared, the types of the columns, and what functions know.
    fn definition(&self, shape: &Shape, schema: &Schema, states: &[State]) -> [u8; 32] {
        let def = &self.model.document.def;
        let mut parts = vec![FORMAT.to_string(), env!("CARGO_PKG_VERSION").to_owned(), def.table.to_string()];
        parts.push(format!("{:?} {:?} {:?}", def.time_dimension, self.model.year_start, shape));
        for name in &shape.dimensions {
            let name = name.split_once('.').map_or(name.as_str(), |(name, _)| name);
            let dimension = self.model.dimensions.get(name);
            parts.push(format!("{name} {}", dimension.map(|found| found.expr.to_string()).unwrap_or_default()));
        }
        parts.extend(states.iter().map(|state| format!("{} {}", state.of_rows(), state.of_parts())));
        parts.extend(schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())));
        // The types of the columns that are used; those of joined tables decide whom a row is joined with.
        let keys = shape.dimensions.iter().filter_map(|name| self.model.dimensions.get(name.split('.').next()?));
        let used = keys.map(|key| key.expr.clone()).chain(states.iter().map(State::of_rows));
        let used: Vec<_> = used.flat_map(|expr| expr.column_refs().into_iter().cloned().collect::<Vec<_>>()).collect();
        let columns = self
            .model
            .schema
            .fields()
            .iter()
            .filter(|field| field.name().contains('.') || used.iter().any(|column| column.name() == field.name()));
        parts.extend(columns.map(|field| format!("{} {}", field.name(), field.data_type())));
        parts.push(format!("{:?}", def.joins));
        parts.extend(self.model.view.iter().map(|view| view.plan.clone()));
        parts.extend(self.around.project.calendar.iter().map(|year| year.source.text.clone()));
        let mut hash = Sha256::new();
        for part in parts {
            // Each with its length, so that no two lists of parts read alike.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}
