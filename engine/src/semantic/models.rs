//! All models of a project: their metrics by name, and what hangs on what.

use std::collections::{BTreeMap, HashMap};

use datafusion::execution::SessionState;
use indexmap::IndexMap;

use super::definition::{DimensionKind, MetricDef, MetricKind, TimeGrain};
use super::error::SemanticError;
use super::formula::{Formula, Leaf, Node};
use super::lookback::Lookback;
use super::model::{Dimension, Model, TableShape};
use super::query::MetricSummary;
use super::region::Level;
use crate::catalog::TableName;
use crate::error::Result;
use crate::project::{Diagnostics, Project, nearest};

/// The semantic models of a project, every expression typed against the contracts.
#[derive(Debug, Default)]
pub struct Models {
    pub(super) models: Vec<Model>,
    pub(super) metrics: IndexMap<String, Metric>,
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

    /// The metrics, in the order of their names.
    pub fn summaries(&self) -> Vec<MetricSummary> {
        let ordered: BTreeMap<_, _> = self.metrics.iter().collect();
        ordered.into_values().map(|metric| self.summarize(metric)).collect()
    }

    /// The metric called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is none.
    pub fn summary(&self, name: &str) -> Result<MetricSummary> {
        Ok(self.summarize(self.metric(name)?))
    }

    /// The tables and views that metric `name` reads: those the query has to pin.
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
        let models = self.models_under(metric);
        if models.iter().any(|model| self.models[*model].time.is_none()) {
            return Vec::new();
        }
        let finest = models.iter().map(|model| self.models[*model].finest).max().unwrap_or(TimeGrain::Day);
        let leaves = self.expand(metric, Lookback::default());
        let fits = |grain: &TimeGrain| leaves.leaves().iter().all(|leaf| leaf.lookback.fits(*grain));
        TimeGrain::ALL.into_iter().filter(|grain| *grain >= finest).filter(fits).collect()
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

    pub(super) fn summarize(&self, metric: &Metric) -> MetricSummary {
        let kind = match &metric.def.kind {
            MetricKind::Simple { .. } => "simple",
            MetricKind::Ratio { .. } => "ratio",
            MetricKind::Derived { .. } => "derived",
            MetricKind::Cumulative { .. } => "cumulative",
        };
        MetricSummary {
            name: metric.name.clone(),
            title: metric.def.title.clone(),
            description: metric.def.description.clone(),
            definition_version: metric.def.definition_version,
            kind: kind.into(),
            unit: metric.def.unit.clone(),
            owner: metric.def.owner.clone(),
            table: self.models[metric.home].table.to_string(),
            grains: self.grains(metric),
            dimensions: self.dimension_names(metric),
        }
    }
}
