//! All models of a project: their metrics by name, and what hangs on what.

use std::collections::HashMap;

use datafusion::execution::SessionState;
use indexmap::IndexMap;

use super::definition::{DimensionKind, MetricDef, TimeGrain};
use super::error::SemanticError;
use super::formula::{Formula, Leaf, Node};
use super::lookback::Lookback;
use super::model::{Dimension, Model, TableShape};
use super::query::MetricQuery;
use super::region::Level;
use super::rollup::Rollup;
use crate::catalog::TableName;
use crate::error::Result;
use crate::project::{Diagnostics, Project, nearest};

/// The semantic models of a project, every expression typed against the contracts.
#[derive(Debug, Default)]
pub struct Models {
    pub(super) models: Vec<Model>,
    pub(super) metrics: IndexMap<String, Metric>,
    pub(super) rollups: IndexMap<String, Rollup>,
}

/// A metric whose parts exist and fit.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: String,
    /// The model whose file declares it.
    pub(super) home: usize,
    pub(super) def: MetricDef,
    pub(super) formula: Formula,
}

impl Models {
    /// Types the models of `project`. `shapes` holds the columns of every table and view that plans; what a faulty
    /// view takes with it was reported with the view. Faults go to `diagnostics`, and what is faulty is left out.
    pub fn compile(
        project: &Project,
        shapes: &HashMap<TableName, TableShape>,
        session: &SessionState,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        super::compile::compile(project, shapes, session, diagnostics)
    }

    /// The tables and views that metric `name` reads, whatever it is grouped by. A question may need more:
    /// [`Self::tables_for`].
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is no such metric.
    pub fn tables(&self, name: &str) -> Result<Vec<TableName>> {
        let mut tables: Vec<_> =
            self.models_under(self.metric(name)?).into_iter().map(|model| self.models[model].table.clone()).collect();
        tables.sort();
        tables.dedup();
        Ok(tables)
    }

    /// The tables and views that `query` reads: those it has to pin. Tables that are joined are among them where the
    /// question names a dimension that needs them, or may do so in `where`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is no such metric.
    pub fn tables_for(&self, query: &MetricQuery) -> Result<Vec<TableName>> {
        let mut tables = self.tables(&query.metric)?;
        let metric = self.metric(&query.metric)?;
        for (dimension, joined) in self.dimension_tables(metric) {
            if asks(query, dimension) {
                tables.extend(joined.into_iter().cloned());
            }
        }
        tables.sort();
        tables.dedup();
        Ok(tables)
    }

    /// The tables that are joined for each dimension of a metric.
    pub(super) fn dimension_tables<'a>(&'a self, metric: &'a Metric) -> Vec<(&'a str, Vec<&'a TableName>)> {
        let models = self.models_under(metric);
        let tables = |name: &str| {
            let models = models.iter().map(|model| &self.models[*model]);
            let joins = models.filter_map(|model| {
                let dimension = model.dimensions.get(name)?;
                Some(model.joins_of(std::iter::once(&dimension.expr)))
            });
            joins.flatten().map(|join| &join.table).collect()
        };
        self.dimensions(metric).into_iter().map(|(name, _)| (name, tables(name))).collect()
    }

    pub(super) fn metric(&self, name: &str) -> Result<&Metric, SemanticError> {
        self.metrics.get(name).ok_or_else(|| SemanticError::UnknownMetric {
            name: name.into(),
            nearest: nearest(name, self.metrics.keys().map(String::as_str)).map(Into::into),
        })
    }

    /// The metric's formula with every input replaced by its own formula.
    pub(super) fn expand(&self, metric: &Metric, lookback: Lookback) -> Node {
        let home = metric.home;
        let leaf = |measure: &String, window| Leaf { model: home, measure: measure.clone(), window, lookback };
        match &metric.formula {
            Formula::Measure { measure, window } => Node::Leaf(leaf(measure, *window)),
            Formula::Ratio { numerator, denominator } => {
                Node::Ratio { numerator: leaf(numerator, None), denominator: leaf(denominator, None) }
            }
            Formula::Derived { expr, inputs } => {
                let inputs = inputs.iter().map(|(name, input)| {
                    let node = self.expand(&self.metrics[&input.metric], lookback.and(input.lookback));
                    (name.clone(), node, !input.lookback.is_none())
                });
                Node::Derived { expr: expr.clone(), inputs: inputs.collect() }
            }
        }
    }

    /// The models that a metric reads, each once.
    pub(super) fn models_under(&self, metric: &Metric) -> Vec<usize> {
        let mut models: Vec<_> =
            self.expand(metric, Lookback::default()).leaves().into_iter().map(|leaf| leaf.model).collect();
        models.sort_unstable();
        models.dedup();
        models
    }

    /// The dimensions that every model under the metric has, of one kind, in the order of its own model.
    pub(super) fn dimensions<'a>(&'a self, metric: &'a Metric) -> Vec<(&'a str, &'a Dimension)> {
        let models = self.models_under(metric);
        let home = models.first().copied().unwrap_or(metric.home);
        let order = if models.contains(&metric.home) { metric.home } else { home };
        let shared = |name: &str, kind: DimensionKind| {
            models.iter().all(|model| self.models[*model].dimensions.get(name).is_some_and(|d| d.kind == kind))
        };
        let dimensions = self.models[order].dimensions.iter();
        dimensions.filter(|(name, d)| shared(name, d.kind)).map(|(name, d)| (name.as_str(), d)).collect()
    }

    /// The grains that the metric can be asked by, finest first.
    pub(super) fn grains(&self, metric: &Metric) -> Vec<TimeGrain> {
        let models: Vec<_> = self.models_under(metric).into_iter().map(|model| &self.models[model]).collect();
        if models.iter().any(|model| model.time.is_none()) {
            return Vec::new();
        }
        let whole = self.expand(metric, Lookback::default());
        let leaves = whole.leaves();
        let fits = |grain: &TimeGrain| {
            leaves.iter().all(|leaf| leaf.lookback.fits(*grain) && leaf.window.is_none_or(|window| window.fits(*grain)))
        };
        let told = |grain: &TimeGrain| models.iter().all(|model| model.finest.nests_in(*grain));
        // Where years begin with different months, quarters may still be the same.
        let starts: Vec<_> = models.iter().map(|model| model.year_start).collect();
        let one = |of: &dyn Fn(u32) -> u32| starts.iter().all(|start| of(*start) == of(starts[0]));
        let common = |grain: &TimeGrain| match grain {
            TimeGrain::Year => one(&|start| start),
            TimeGrain::Quarter => one(&|start| start % 3),
            _ => true,
        };
        TimeGrain::ALL.into_iter().filter(|grain| told(grain) && common(grain) && fits(grain)).collect()
    }

    /// The month with which years begin in the first of the metric's models: that of all, where the grain asks for it.
    pub(super) fn year_start(&self, metric: &Metric) -> u32 {
        self.models_under(metric).first().map_or(1, |model| self.models[*model].year_start)
    }

    /// The names that `by` and `where` may use.
    pub(super) fn dimension_names(&self, metric: &Metric) -> Vec<String> {
        let mut names = Vec::new();
        for (name, dimension) in self.dimensions(metric) {
            names.push(name.to_owned());
            if dimension.kind == DimensionKind::Region {
                names.extend(Level::ALL.iter().map(|level| format!("{name}.{}", level.name())));
            }
        }
        names
    }
}

/// Whether `query` names `dimension`, or may do so: the text of `where` is read word by word, and a text that only looks
/// like the name costs no more than a table that is pinned in vain.
fn asks(query: &MetricQuery, dimension: &str) -> bool {
    let is_level = |name: &str| name.split_once('.').map_or(name, |(name, _)| name) == dimension;
    let by_condition = query.conditions.iter().flat_map(|conditions| conditions.dimensions()).any(is_level);
    let text = query.filter.as_deref().unwrap_or_default().to_lowercase();
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    query.by.iter().any(|name| is_level(name)) || by_condition || words.any(|word| word == dimension)
}
