//! Metrics as the catalogue shows them.

use std::collections::BTreeMap;

use super::definition::{DimensionKind, MetricKind};
use super::formula::{Formula, Leaf};
use super::lookback::Lookback;
use super::models::{Metric, Models};
use super::query::{Additivity, Hierarchy, MetricSummary};
use super::region::Level;
use crate::catalog::TableName;
use crate::error::Result;

impl Models {
    /// The metrics, in the order of their names.
    pub fn summaries(&self) -> Vec<MetricSummary> {
        self.summaries_seen(|_| true)
    }

    /// As [`Self::summaries`], without the dimensions that read a table which `sees` refuses.
    pub fn summaries_seen(&self, sees: impl Fn(&TableName) -> bool) -> Vec<MetricSummary> {
        let ordered: BTreeMap<_, _> = self.metrics.iter().collect();
        ordered.into_values().map(|metric| self.summarize_seen(metric, &sees)).collect()
    }

    /// The metric called `name`.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is none.
    pub fn summary(&self, name: &str) -> Result<MetricSummary> {
        self.summary_seen(name, |_| true)
    }

    /// As [`Self::summary`], without the dimensions that read a table which `sees` refuses.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is none.
    pub fn summary_seen(&self, name: &str, sees: impl Fn(&TableName) -> bool) -> Result<MetricSummary> {
        Ok(self.summarize_seen(self.metric(name)?, &sees))
    }

    pub(super) fn summarize(&self, metric: &Metric) -> MetricSummary {
        self.summarize_seen(metric, &|_| true)
    }

    fn summarize_seen(&self, metric: &Metric, sees: &impl Fn(&TableName) -> bool) -> MetricSummary {
        let kind = match &metric.def.kind {
            MetricKind::Simple { .. } => "simple",
            MetricKind::Ratio { .. } => "ratio",
            MetricKind::Derived { .. } => "derived",
            MetricKind::Cumulative { .. } => "cumulative",
            MetricKind::Change { .. } => "change",
        };
        let hidden = self.dimension_tables(metric).into_iter().filter(|(_, tables)| !tables.iter().all(|t| sees(t)));
        let hidden: Vec<_> = hidden.map(|(name, _)| name).collect();
        let shown = |name: &String| !hidden.contains(&name.split_once('.').map_or(name.as_str(), |(name, _)| name));
        let dimensions: Vec<_> = self.dimension_names(metric).into_iter().filter(shown).collect();
        let whole = self.expand(metric, Lookback::default());
        let approximate = whole.leaves().iter().any(|leaf| self.measure(leaf).aggregation.approximate);
        let starts: Vec<_> = self.models_under(metric).into_iter().map(|model| &self.models[model]).collect();
        let one = starts.iter().all(|model| model.time.is_some() && model.year_start == starts[0].year_start);
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
            hierarchies: self.hierarchies(metric, &dimensions),
            dimensions,
            additive: self.additivity(metric),
            approximate,
            fiscal_year_start: one.then(|| self.year_start(metric)),
        }
    }

    /// The levels of region dimensions, and what the metric's own model declares of dimensions that it may be asked by.
    fn hierarchies(&self, metric: &Metric, dimensions: &[String]) -> Vec<Hierarchy> {
        let is_asked_by = |name: &String| dimensions.contains(name);
        let mut hierarchies = Vec::new();
        for (name, dimension) in self.dimensions(metric) {
            if dimension.kind == DimensionKind::Region && dimensions.iter().any(|known| known == name) {
                let levels = Level::ALL.iter().map(|level| format!("{name}.{}", level.name())).collect();
                hierarchies.push(Hierarchy { name: name.into(), title: dimension.title.clone(), levels });
            }
        }
        for (name, declared) in &self.models[metric.home].document.def.hierarchies {
            let levels: Vec<_> = declared.levels.iter().filter(|level| is_asked_by(level)).cloned().collect();
            if levels.len() > 1 {
                hierarchies.push(Hierarchy { name: name.clone(), title: declared.title.clone(), levels });
            }
        }
        hierarchies
    }

    fn additivity(&self, metric: &Metric) -> Additivity {
        let Formula::Measure { measure, window } = &metric.formula else {
            return Additivity { groups: false, periods: false };
        };
        let measure = &self.models[metric.home].measures[measure];
        let groups = measure.aggregation.additive;
        Additivity { groups, periods: groups && !measure.stock && window.is_none() }
    }

    fn measure(&self, leaf: &Leaf) -> &super::model::Measure {
        &self.models[leaf.model].measures[&leaf.measure]
    }
}
