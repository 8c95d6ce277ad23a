//! A rollup in the place of a table, where it tells the same.

use std::collections::HashMap;

use chrono::NaiveDate;
use datafusion::execution::SessionState;

use super::frame::Frame;
use super::question::Question;
use super::{Base, Planner, counted};
use crate::error::Result;
use crate::semantic::definition::DimensionKind;
use crate::semantic::models::Models;
use crate::semantic::query::{MetricQuery, RegionMode};
use crate::semantic::rollup::{Needs, Rollup, RollupState, RollupTable, RollupUse};

impl Models {
    /// The rollups that may answer `query`, by what it names: those to have at hand when it is planned. Each rests on
    /// tables that the question reads.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name, where there is no such metric.
    pub fn rollups_for(&self, query: &MetricQuery) -> Result<Vec<&str>> {
        if self.rollups.is_empty() {
            return Ok(Vec::new());
        }
        let models = self.models_under(self.metric(&query.metric)?);
        let read = self.tables_for(query)?;
        let may_keep = |rollup: &Rollup, name: &str| {
            let dimension = name.split_once('.').map_or(name, |(dimension, _)| dimension);
            rollup.shape.dimensions.iter().any(|kept| kept == name || kept == dimension)
        };
        let found = self.rollups.values().filter(|rollup| {
            models.contains(&rollup.model)
                && rollup.joined.iter().all(|table| read.contains(table))
                && query.by.iter().all(|name| may_keep(rollup, name))
        });
        Ok(found.map(|rollup| rollup.name.as_str()).collect())
    }
}

impl Models {
    /// Tells of each scan that `query` needs: the model, the measures, and what is asked of them.
    ///
    /// # Errors
    /// As [`Models::plan`], for what can be told without the tables.
    pub(in crate::semantic) fn each_frame(
        &self,
        query: &MetricQuery,
        session: &SessionState,
        mut told: impl FnMut(usize, &[&str], &Needs<'_>),
    ) -> Result<()> {
        let metric = self.metric(&query.metric)?;
        let question = Question::check(self, metric, query, session)?;
        let tables = HashMap::new();
        let nodes = vec![&question.node];
        let planner = Planner::of(self, &question, nodes, None, &tables, NaiveDate::default(), session);
        let bases = planner.bases(&planner.leaves())?;
        let mut frames: Vec<Vec<&Base>> = Vec::new();
        for base in &bases {
            let is_same = |other: &&Base| (other.model, other.stock, other.span) == (base.model, base.stock, base.span);
            match frames.iter_mut().find(|frame| frame.first().is_some_and(is_same)) {
                Some(frame) => frame.push(base),
                None => frames.push(vec![base]),
            }
        }
        for frame in frames {
            let measures: Vec<_> = frame.iter().map(|base| base.measure.as_str()).collect();
            planner.needs(&frame, |needs| told(frame[0].model, &measures, needs));
        }
        Ok(())
    }
}

impl Planner<'_> {
    /// The frame over the smallest rollup that tells all of `bases` exactly; none where no such is at hand.
    pub(super) fn rolled_frame(&self, bases: &[&Base], names: &[String]) -> Result<Option<Frame<'_>>> {
        let mut fitting: Vec<(&Rollup, &RollupTable)> = Vec::new();
        for table in self.rollups {
            if let Some(rollup) = self.models.rollups.get(&table.name)
                && self.tells(rollup, bases)
            {
                fitting.push((rollup, table));
            }
        }
        fitting.sort_by_key(|(_, table)| (!table.fresh, table.rows.unwrap_or(u64::MAX)));
        let Some((rollup, table)) = fitting.first().copied() else { return Ok(None) };
        let state = if table.fresh { RollupState::Used } else { RollupState::Behind };
        let told = RollupUse { name: table.name.clone(), state };
        let mut uses = self.uses.borrow_mut();
        if !uses.contains(&told) {
            uses.push(told);
        }
        if !table.fresh {
            return Ok(None);
        }
        let Base { stock, span, .. } = bases[0];
        let model = &rollup.rolled;
        Ok(Some(Frame {
            model,
            table: table.plan.clone(),
            joins: Vec::new(),
            keys: self.keys(model),
            filter: self.condition(model)?,
            periods: self.question.periods.as_ref(),
            span: *span,
            stock: *stock,
            measures: bases.iter().zip(names).map(|(b, name)| (counted(model, b), name.clone())).collect(),
        }))
    }

    /// Whether `rollup` tells all of `bases`, which are of one model, span and kind, exactly.
    fn tells(&self, rollup: &Rollup, bases: &[&Base]) -> bool {
        let Base { model, .. } = bases[0];
        let measures = || bases.iter().all(|base| rollup.rolled.measures.contains_key(&base.measure));
        rollup.model == *model
            && measures()
            && self.needs(bases, |needs| rollup.shape.covers(&self.models.models[*model], needs))
    }

    /// What is asked of the model of `bases`.
    pub(super) fn needs<T>(&self, bases: &[&Base], told: impl FnOnce(&Needs<'_>) -> T) -> T {
        let Base { model, stock, span, .. } = bases[0];
        let question = self.question;
        let filtered = question.filter.as_ref().map(|filter| filter.names()).unwrap_or_default();
        let grouped = question.keys.iter().map(|key| key.name.as_str());
        let names: Vec<_> = grouped.chain(filtered.iter().map(String::as_str)).collect();
        let is_region = |name: &&str| {
            let dimension = name.split_once('.').map_or(*name, |(dimension, _)| dimension);
            let found = self.models.models[*model].dimensions.get(dimension);
            found.is_some_and(|found| found.kind == DimensionKind::Region)
        };
        let as_is = question.regions == Some(RegionMode::AsIs) && names.iter().any(is_region);
        told(&Needs { names, as_is, span: *span, periods: question.periods.as_ref(), stock: *stock })
    }
}
