//! From a [`MetricQuery`] to a logical plan.
//!
//! A metric is taken down to its measures. Each model becomes one frame: a single scan that aggregates all measures
//! asked of it by group and period, with the missing periods filled in. Frames of several models are joined on groups
//! and periods; running sums and earlier figures are windows over that small table; value and reason follow from its
//! columns.

mod fill_limit;
mod frame;
mod question;
mod rolled;
mod series;
mod shared;

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::NaiveDate;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

pub(super) use self::frame::column;
use self::frame::{Counted, Frame, PERIOD};
use self::question::Question;
pub(super) use self::question::Span;
use self::series::{Along, along, join, own_name};
use super::definition::TimeGrain;
use super::error::SemanticError;
use super::filter::Filter;
use super::formula::{Figure, Leaf, LeafColumns, Node};
use super::join::Join;
use super::model::Model;
use super::models::{Metric, Models};
use super::period::{date, date_of_period, day_instant, interval};
use super::query::{MetricColumn, MetricColumnRole, MetricQuery, MetricSummary, RegionMode};
use super::region::{Level, Regions};
use super::rollup::{RollupTable, RollupUse};
use crate::catalog::{Bilingual, TableName};
use crate::error::Result;

pub use shared::{ShareKey, SharedPlan};

/// A metric query, planned.
#[derive(Debug)]
pub struct MetricPlan {
    /// What was asked about.
    pub metric: MetricSummary,
    /// How regions are read.
    pub regions: Option<RegionMode>,
    /// The period's length.
    pub grain: Option<TimeGrain>,
    /// The answer's columns, in the plan's order.
    pub columns: Vec<MetricColumn>,
    /// Any of the tables under it is synthetic.
    pub synthetic: bool,
    /// The rollups that it reads, and those that it would read if they were not behind.
    pub rollups: Vec<RollupUse>,
    /// The plan, unoptimized.
    pub plan: LogicalPlan,
}

impl Models {
    /// Plans `query`. `tables` holds a plan of every table and view that [`Models::tables_for`] names, pinned and as the
    /// principal may see it; `today` is what regions "as is" mean. The query's `limit` is no part of the plan: whoever
    /// runs it cuts the rows, and so knows that there were more.
    ///
    /// # Errors
    /// `NotFound` for an unknown metric; `InvalidInput` for what does not fit it, with the nearest name or what to give
    /// instead; `Sql` where the tables have changed under the model.
    pub fn plan(
        &self,
        query: &MetricQuery,
        session: &SessionState,
        tables: &HashMap<TableName, LogicalPlan>,
        today: NaiveDate,
    ) -> Result<MetricPlan> {
        self.plan_over(query, session, tables, &[], today)
    }

    /// As [`Self::plan`], where `rollups` may be read in the place of their tables: those of
    /// [`Models::rollups_for`] that are there.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_over(
        &self,
        query: &MetricQuery,
        session: &SessionState,
        tables: &HashMap<TableName, LogicalPlan>,
        rollups: &[RollupTable],
        today: NaiveDate,
    ) -> Result<MetricPlan> {
        let metric = self.metric(&query.metric)?;
        let question = Question::check(self, metric, query, session)?;
        let regions = match question.regions {
            Some(mode) => Some(Regions::try_new(session, mode, today)?),
            None => None,
        };
        let nodes = vec![&question.node];
        let mut planner = Planner::of(self, &question, nodes, regions.as_ref(), tables, today, session);
        planner.rollups = rollups;
        let plan = planner.plan()?;
        let synthetic = planner.is_synthetic(metric)?;
        Ok(MetricPlan {
            metric: self.summarize(metric),
            regions: question.regions,
            grain: question.grain(),
            columns: columns(&question),
            synthetic,
            rollups: planner.uses.into_inner(),
            plan,
        })
    }
}

struct Planner<'a> {
    models: &'a Models,
    question: &'a Question<'a>,
    /// What is computed over the question's groups and periods: the figure that it asks for, and those of other metrics that
    /// ask for the same.
    nodes: Vec<&'a Node>,
    regions: Option<&'a Regions>,
    tables: &'a HashMap<TableName, LogicalPlan>,
    today: NaiveDate,
    session: &'a SessionState,
    /// Rollups that may be read in the place of tables.
    rollups: &'a [RollupTable],
    /// What became of them.
    uses: RefCell<Vec<RollupUse>>,
}

/// A measure as one frame computes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Base {
    model: usize,
    measure: String,
    stock: bool,
    span: Span,
    /// Whether it is the sketch, to be put together over periods.
    as_sketch: bool,
}

impl<'a> Planner<'a> {
    #[allow(clippy::too_many_arguments, reason = "all that a plan depends on")]
    fn of(
        models: &'a Models,
        question: &'a Question<'a>,
        nodes: Vec<&'a Node>,
        regions: Option<&'a Regions>,
        tables: &'a HashMap<TableName, LogicalPlan>,
        today: NaiveDate,
        session: &'a SessionState,
    ) -> Self {
        let (rollups, uses) = (&[] as &[_], RefCell::default());
        Self { models, question, nodes, regions, tables, today, session, rollups, uses }
    }

    /// Whether any table that the question reads was made by a generator.
    fn is_synthetic(&self, metric: &Metric) -> Result<bool> {
        for model in self.models.models_under(metric) {
            let model = &self.models.models[model];
            if model.synthetic || self.joins(model)?.iter().any(|join| join.synthetic) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn plan(&self) -> Result<LogicalPlan> {
        let leaves = self.leaves();
        let bases = self.bases(&leaves)?;
        let mut distinct: Vec<&Base> = Vec::new();
        for base in &bases {
            if !distinct.contains(&base) {
                distinct.push(base);
            }
        }
        let frames = self.frames(&distinct)?;
        let names: Vec<_> = bases.iter().map(|base| base_name(&distinct, base)).collect();
        self.answer(&leaves, &names, frames).map_err(|source| self.plan_error(source).into())
    }

    /// The measures under all figures, each once.
    fn leaves(&self) -> Vec<&Leaf> {
        let mut leaves: Vec<&Leaf> = Vec::new();
        for leaf in self.nodes.iter().flat_map(|node| node.leaves()) {
            if !leaves.contains(&leaf) {
                leaves.push(leaf);
            }
        }
        leaves
    }

    fn plan_error(&self, source: DataFusionError) -> SemanticError {
        SemanticError::Plan { metric: self.question.metric.name.clone(), source: Box::new(source) }
    }

    /// What each leaf is computed from. With a grain all leaves share the longest range, and looking back is a window
    /// over periods; without one each range is aggregated by itself.
    fn bases(&self, leaves: &[&Leaf]) -> Result<Vec<Base>, SemanticError> {
        let (question, session) = (self.question, self.session);
        let spans = leaves.iter().map(|leaf| question.span(self.models, leaf, session));
        let spans = spans.collect::<Result<Vec<_>, _>>()?;
        let whole = Span { first: spans.iter().map(|span| span.first).min().flatten(), last: question.to };
        let whole = question.counted(whole, session)?;
        let grained = question.periods.is_some();
        let base = |(leaf, span): (&&Leaf, Span)| {
            let measure = &self.models.models[leaf.model].measures[&leaf.measure];
            Base {
                model: leaf.model,
                measure: leaf.measure.clone(),
                stock: measure.stock,
                span: if grained { whole } else { span },
                // Without a grain a window is one range of rows.
                as_sketch: grained && leaf.window.is_some() && measure.aggregation.sketch.is_some(),
            }
        };
        Ok(leaves.iter().zip(spans).map(base).collect())
    }

    fn frames(&self, bases: &[&Base]) -> Result<Vec<(LogicalPlan, Vec<String>)>> {
        let mut frames: Vec<Vec<&Base>> = Vec::new();
        for base in bases {
            let same = |other: &&Base| (other.model, other.stock, other.span) == (base.model, base.stock, base.span);
            match frames.iter_mut().find(|frame| frame.first().is_some_and(same)) {
                Some(frame) => frame.push(base),
                None => frames.push(vec![base]),
            }
        }
        let mut plans = Vec::with_capacity(frames.len());
        for frame in frames {
            let names: Vec<_> = frame.iter().map(|base| base_name(bases, base)).collect();
            plans.push((self.frame(&frame, &names)?, names));
        }
        Ok(plans)
    }

    fn frame(&self, bases: &[&Base], names: &[String]) -> Result<LogicalPlan> {
        let frame = match self.rolled_frame(bases, names)? {
            Some(frame) => frame,
            None => self.frame_of(bases, names)?,
        };
        Ok(frame.plan().map_err(|source| self.plan_error(source))?)
    }

    fn frame_of(&self, bases: &[&Base], names: &[String]) -> Result<Frame<'_>> {
        let Base { model, stock, span, .. } = bases[0];
        let model = &self.models.models[*model];
        let joins = self.joins(model)?.into_iter();
        let joins = joins.map(|join| Ok((join, self.table(&join.table)?.clone()))).collect::<Result<_>>()?;
        Ok(Frame {
            model,
            table: self.table(&model.table)?.clone(),
            joins,
            keys: self.keys(model),
            filter: self.condition(model)?,
            periods: self.question.periods.as_ref(),
            span: *span,
            stock: *stock,
            measures: bases.iter().zip(names).map(|(base, name)| (counted(model, base), name.clone())).collect(),
        })
    }

    fn table(&self, name: &TableName) -> Result<&LogicalPlan> {
        let missing =
            || SemanticError::MissingTable { metric: self.question.metric.name.clone(), table: name.to_string() };
        Ok(self.tables.get(name).ok_or_else(missing)?)
    }

    /// The joins that the question needs of `model`, each behind those it needs itself.
    fn joins<'m>(&self, model: &'m Model) -> Result<Vec<&'m Join>> {
        let (keys, condition) = (self.keys(model), self.condition(model)?);
        Ok(model.joins_of(keys.iter().map(|(key, _)| key).chain(&condition)))
    }

    /// The groups as expressions over the model's table and its joins, each with the name of its column.
    fn keys(&self, model: &Model) -> Vec<(Expr, String)> {
        let keys = self.question.keys.iter().enumerate();
        keys.filter_map(|(at, key)| Some((self.key(model, &key.dimension, key.level)?, key_name(at)))).collect()
    }

    fn condition(&self, model: &Model) -> Result<Option<Expr>> {
        let filter = self.question.filter.as_ref();
        Ok(filter.map(|filter| self.filter(model, filter)).transpose().map_err(|source| self.plan_error(source))?)
    }

    /// A dimension's expression over the model's table.
    fn key(&self, model: &Model, dimension: &str, level: Option<Level>) -> Option<Expr> {
        // A rollup may keep a level alone; it is asked only where divisions are read as they were.
        if let Some(level) = level
            && let Some(kept) = model.dimensions.get(&format!("{dimension}.{}", level.name()))
        {
            return Some(kept.expr.clone());
        }
        let found = model.dimensions.get(dimension)?;
        Some(match self.regions.filter(|_| found.kind == super::DimensionKind::Region) {
            Some(regions) => {
                let recorded = model.time.as_ref().map(|time| time.china_date(time.raw()));
                regions.key(found.expr.clone(), recorded, level)
            }
            None => found.expr.clone(),
        })
    }

    fn filter(&self, model: &Model, filter: &Filter) -> Result<Expr, DataFusionError> {
        filter.over(|name| match name.split_once('.') {
            Some((dimension, level)) => {
                let level = Level::ALL.into_iter().find(|known| known.name() == level)?;
                self.key(model, dimension, Some(level))
            }
            None => self.key(model, name, None),
        })
    }

    /// Joins the frames, looks along the periods, and makes the answer's columns.
    fn answer(
        &self,
        leaves: &[&Leaf],
        names: &[String],
        frames: Vec<(LogicalPlan, Vec<String>)>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let question = self.question;
        let groups: Vec<_> = (0..question.keys.len()).map(key_name).collect();
        let mut keys = groups.clone();
        keys.extend(question.periods.as_ref().map(|_| PERIOD.to_owned()));
        let mut rows = join(frames, &keys)?;
        if let Some(periods) = &question.periods {
            let wanted = leaves.iter().zip(names).enumerate().map(|(at, (leaf, from))| Along {
                from: from.clone(),
                name: leaf_name(at),
                window: leaf.window,
                sketch: self.models.models[leaf.model].measures[&leaf.measure].aggregation.sketch.as_ref(),
                lookback: leaf.lookback,
                year_start: self.models.models[leaf.model].year_start,
            });
            rows = along(rows, &groups, periods, &wanted.collect::<Vec<_>>())?;
        } else {
            let columns = groups.iter().map(|name| column(name));
            let figures = names.iter().enumerate().map(|(at, name)| column(name).alias(leaf_name(at)));
            rows = rows.project(columns.chain(figures).collect::<Vec<_>>())?;
        }
        if let (Some(periods), Some(from)) = (&question.periods, question.from) {
            let first = periods.first_day(from);
            let first = if periods.grain == TimeGrain::Hour { day_instant(first) } else { date(first) };
            rows = rows.filter(column(PERIOD).gt_eq(first))?;
        }
        let place = |leaf: &Leaf| leaves.iter().position(|known| *known == leaf).unwrap_or(leaves.len());
        let columns = |leaf: &Leaf| {
            let name = leaf_name(place(leaf));
            let own = if question.periods.is_some() { own_name(&name) } else { name.clone() };
            LeafColumns { value: column(&name), own: column(&own) }
        };
        let figures = self.nodes.iter().map(|node| node.figure(&columns));
        self.finish(rows, figures.collect::<Result<_, _>>()?)
    }

    /// Projects, sorts, and gives the columns their public names.
    fn finish(&self, rows: LogicalPlanBuilder, figures: Vec<Figure>) -> Result<LogicalPlan, DataFusionError> {
        let question = self.question;
        // Internal names, in the order that `Question::order` counts by.
        let mut sortable: Vec<String> = question.periods.iter().map(|_| PERIOD.to_owned()).collect();
        sortable.extend((0..question.keys.len()).map(key_name));
        let mut columns: Vec<_> = sortable.iter().map(|name| column(name)).collect();
        for (at, key) in question.keys.iter().enumerate().filter(|(_, key)| key.is_region) {
            if let (Some(regions), Some(_)) = (self.regions, key.label()) {
                columns.push(regions.label(column(&key_name(at)), self.label_day()).alias(label_name(at)));
                sortable.push(label_name(at));
            }
        }
        let names = figure_names(figures.len());
        for (figure, (value, reason)) in figures.into_iter().zip(&names) {
            columns.extend([figure.value.alias(value), figure.reason.alias(reason)]);
        }
        sortable.extend(names.first().map(|(value, _)| value.clone()));
        let sorts = question.order.iter().map(|(at, ascending)| column(&sortable[*at]).sort(*ascending, false));
        let mut rows = rows.project(columns)?;
        // One row needs no order, and the optimizer stumbles over a sort of it.
        if question.periods.is_some() || !question.keys.is_empty() {
            rows = rows.sort(sorts.collect::<Vec<_>>())?;
        }
        let mut public: Vec<_> = question.periods.iter().map(|_| column(PERIOD)).collect();
        for (at, key) in question.keys.iter().enumerate() {
            public.push(column(&key_name(at)).alias(&key.name));
            public.extend(key.label().map(|label| column(&label_name(at)).alias(label)));
        }
        public.extend(names.iter().flat_map(|(value, reason)| [column(value), column(reason)]));
        rows.project(public)?.build()
    }

    /// The day that names are of, where codes stay as they were: the period's last, or the range's, or today.
    fn label_day(&self) -> Expr {
        match &self.question.periods {
            None => date(self.question.to.map_or(self.today, |to| to.min(self.today))),
            Some(periods) => match periods.grain {
                grain @ (TimeGrain::Hour | TimeGrain::Day | TimeGrain::WorkingDay) => {
                    date_of_period(grain, column(PERIOD))
                }
                _ => column(PERIOD) + lit(periods.step()) - lit(interval(0, 1, 0)),
            },
        }
    }
}

/// The names of the columns of each of so many figures.
fn figure_names(count: usize) -> Vec<(String, String)> {
    match count {
        1 => vec![("value".into(), "reason".into())],
        _ => (0..count).map(|at| (format!("value_{at}"), format!("reason_{at}"))).collect(),
    }
}

fn key_name(at: usize) -> String {
    format!("key_{at}")
}

fn label_name(at: usize) -> String {
    format!("label_{at}")
}

fn leaf_name(at: usize) -> String {
    format!("leaf_{at}")
}

fn counted<'a>(model: &'a Model, base: &Base) -> Counted<'a> {
    Counted { measure: &model.measures[&base.measure], as_sketch: base.as_sketch }
}

fn base_name(bases: &[&Base], base: &Base) -> String {
    format!("base_{}", bases.iter().position(|known| *known == base).unwrap_or(bases.len()))
}

fn columns(question: &Question<'_>) -> Vec<MetricColumn> {
    let column = |name: &str, role, title: Bilingual| MetricColumn { name: name.into(), role, title };
    let words = |zh: &str, en: &str| Bilingual { zh: zh.into(), en: en.into() };
    let mut columns = Vec::new();
    if question.periods.is_some() {
        columns.push(column("period", MetricColumnRole::Period, words("统计期", "Period")));
    }
    for key in &question.keys {
        columns.push(column(&key.name, MetricColumnRole::Dimension, key.title.clone()));
        if let Some(label) = key.label() {
            let title = Bilingual { zh: format!("{}名称", key.title.zh), en: format!("{}, name", key.title.en) };
            columns.push(column(&label, MetricColumnRole::Label, title));
        }
    }
    columns.push(column("value", MetricColumnRole::Value, question.metric.def.title.clone()));
    columns.push(column("reason", MetricColumnRole::Reason, words("缺数原因", "Why it is missing")));
    columns
}
