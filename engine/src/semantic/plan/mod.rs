//! From a [`MetricQuery`] to a logical plan.
//!
//! A metric is taken down to its measures. Each model becomes one frame: a single scan that aggregates all measures
//! asked of it by group and period, with the missing periods filled in. Frames of several models are joined on groups
//! and periods; running sums and earlier figures are windows over that small table; value and reason follow from its
//! columns.

mod fill_limit;
mod frame;
mod question;
mod series;
mod shared;

use std::collections::HashMap;

use chrono::NaiveDate;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use self::frame::{Frame, PERIOD, column};
use self::question::{Question, Span};
use self::series::{Along, along, join};
use super::definition::TimeGrain;
use super::error::SemanticError;
use super::filter::Filter;
use super::formula::{Figure, Leaf, Node};
use super::model::Model;
use super::models::Models;
use super::period::{date, interval};
use super::query::{MetricColumn, MetricColumnRole, MetricQuery, MetricSummary, RegionMode};
use super::region::{Level, Regions};
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
    /// The plan, unoptimized.
    pub plan: LogicalPlan,
}

impl Models {
    /// Plans `query`. `tables` holds a plan of every table and view that [`Models::tables`] names, pinned and as the
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
        let metric = self.metric(&query.metric)?;
        let question = Question::check(self, metric, query, session)?;
        let regions = match question.regions {
            Some(mode) => Some(Regions::try_new(session, mode, today)?),
            None => None,
        };
        let nodes = vec![&question.node];
        let plan = Planner::of(self, &question, nodes, regions.as_ref(), tables, today).plan()?;
        Ok(MetricPlan {
            metric: self.summarize(metric),
            regions: question.regions,
            grain: question.grain,
            columns: columns(&question),
            synthetic: self.models_under(metric).iter().any(|model| self.models[*model].synthetic),
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
}

/// A measure as one frame computes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Base {
    model: usize,
    measure: String,
    stock: bool,
    span: Span,
}

impl<'a> Planner<'a> {
    fn of(
        models: &'a Models,
        question: &'a Question<'a>,
        nodes: Vec<&'a Node>,
        regions: Option<&'a Regions>,
        tables: &'a HashMap<TableName, LogicalPlan>,
        today: NaiveDate,
    ) -> Self {
        Self { models, question, nodes, regions, tables, today }
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
        let spans = leaves.iter().map(|leaf| self.question.span(leaf)).collect::<Result<Vec<_>, _>>()?;
        let whole = Span { first: spans.iter().map(|span| span.first).min().flatten(), last: self.question.to };
        let grained = self.question.grain.is_some();
        let base = |(leaf, span): (&&Leaf, Span)| Base {
            model: leaf.model,
            measure: leaf.measure.clone(),
            stock: self.models.models[leaf.model].measures[&leaf.measure].stock,
            span: if grained { whole } else { span },
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
        Ok(self.frame_of(bases, names)?.plan().map_err(|source| self.plan_error(source))?)
    }

    fn frame_of(&self, bases: &[&Base], names: &[String]) -> Result<Frame<'_>> {
        let Base { model, stock, span, .. } = bases[0];
        let model = &self.models.models[*model];
        let table = self.tables.get(&model.table).ok_or_else(|| SemanticError::MissingTable {
            metric: self.question.metric.name.clone(),
            table: model.table.to_string(),
        })?;
        let keys = self.question.keys.iter().enumerate();
        let keys = keys.filter_map(|(at, key)| Some((self.key(model, &key.dimension, key.level)?, key_name(at))));
        let filter = match &self.question.filter {
            Some(filter) => Some(self.filter(model, filter).map_err(|source| self.plan_error(source))?),
            None => None,
        };
        Ok(Frame {
            model,
            table: table.clone(),
            keys: keys.collect(),
            filter,
            grain: self.question.grain,
            span: *span,
            stock: *stock,
            measures: bases.iter().zip(names).map(|(b, name)| (&model.measures[&b.measure], name.clone())).collect(),
        })
    }

    /// A dimension's expression over the model's table.
    fn key(&self, model: &Model, dimension: &str, level: Option<Level>) -> Option<Expr> {
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
        keys.extend(question.grain.map(|_| PERIOD.to_owned()));
        let mut rows = join(frames, &keys)?;
        if question.grain.is_some() {
            let wanted = leaves.iter().zip(names).enumerate().map(|(at, (leaf, from))| Along {
                from: from.clone(),
                name: leaf_name(at),
                window: leaf.window,
                lookback: leaf.lookback,
            });
            rows = along(rows, &groups, &wanted.collect::<Vec<_>>())?;
        } else {
            let columns = groups.iter().map(|name| column(name));
            let figures = names.iter().enumerate().map(|(at, name)| column(name).alias(leaf_name(at)));
            rows = rows.project(columns.chain(figures).collect::<Vec<_>>())?;
        }
        if let (Some(grain), Some(from)) = (question.grain, question.from) {
            rows = rows.filter(column(PERIOD).gt_eq(date(grain.first_day(from))))?;
        }
        let place = |leaf: &Leaf| leaves.iter().position(|known| *known == leaf).unwrap_or(leaves.len());
        let figures = self.nodes.iter().map(|node| node.figure(&|leaf| column(&leaf_name(place(leaf)))));
        self.finish(rows, figures.collect::<Result<_, _>>()?)
    }

    /// Projects, sorts, and gives the columns their public names.
    fn finish(&self, rows: LogicalPlanBuilder, figures: Vec<Figure>) -> Result<LogicalPlan, DataFusionError> {
        let question = self.question;
        // Internal names, in the order that `Question::order` counts by.
        let mut sortable: Vec<String> = question.grain.iter().map(|_| PERIOD.to_owned()).collect();
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
        if question.grain.is_some() || !question.keys.is_empty() {
            rows = rows.sort(sorts.collect::<Vec<_>>())?;
        }
        let mut public: Vec<_> = question.grain.iter().map(|_| column(PERIOD)).collect();
        for (at, key) in question.keys.iter().enumerate() {
            public.push(column(&key_name(at)).alias(&key.name));
            public.extend(key.label().map(|label| column(&label_name(at)).alias(label)));
        }
        public.extend(names.iter().flat_map(|(value, reason)| [column(value), column(reason)]));
        rows.project(public)?.build()
    }

    /// The day that names are of, where codes stay as they were: the period's last, or the range's, or today.
    fn label_day(&self) -> Expr {
        match self.question.grain {
            Some(TimeGrain::Day) => column(PERIOD),
            Some(grain) => column(PERIOD) + lit(grain.step()) - lit(interval(0, 1)),
            None => date(self.question.to.map_or(self.today, |to| to.min(self.today))),
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

fn base_name(bases: &[&Base], base: &Base) -> String {
    format!("base_{}", bases.iter().position(|known| *known == base).unwrap_or(bases.len()))
}

fn columns(question: &Question<'_>) -> Vec<MetricColumn> {
    let column = |name: &str, role, title: Bilingual| MetricColumn { name: name.into(), role, title };
    let words = |zh: &str, en: &str| Bilingual { zh: zh.into(), en: en.into() };
    let mut columns = Vec::new();
    if question.grain.is_some() {
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
