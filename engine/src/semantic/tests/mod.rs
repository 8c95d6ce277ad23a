//! Metrics over tables in memory. Expected figures are counted by hand from the rows beside them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod changes;
mod compile;
mod conditions;
mod figures;
mod filters;
mod grains;
mod joins;
mod laws;
mod measures;
mod periods;
mod regions;
mod rollups;
mod sketches;
mod stocks;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{DataFrame, SessionContext};

use super::{MetricPlan, MetricQuery, Models, TableShape};
use crate::catalog::TableName;
use crate::clock::system_clock;
use crate::error::Error;
use crate::functions::{self, Reference};
use crate::project::{Diagnostics, Document, Project, SourceText};

/// A session with DataFusion's functions and our own.
pub(super) fn session() -> SessionState {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    for function in functions::scalar_functions(&Reference::built_in(), &system_clock()) {
        state.register_udf(Arc::new(function)).unwrap();
    }
    for function in functions::aggregate_functions(&Reference::built_in()) {
        state.register_udaf(Arc::new(function)).unwrap();
    }
    state
}

/// A project's models over tables in memory.
pub(super) struct Lake {
    pub(super) session: SessionState,
    shapes: HashMap<TableName, TableShape>,
    plans: HashMap<TableName, LogicalPlan>,
    pub(super) project: Project,
    today: NaiveDate,
}

impl Lake {
    pub(super) fn new() -> Self {
        Self {
            session: session(),
            shapes: HashMap::new(),
            plans: HashMap::new(),
            project: Project::default(),
            today: "2019-06-30".parse().unwrap(),
        }
    }

    /// Adds a table whose rows are those of `sql`.
    pub(super) async fn table(self, name: &str, sql: &str) -> Self {
        self.keyed(name, &[], sql).await
    }

    /// Adds a table whose rows are those of `sql` and unique by `primary_key`.
    pub(super) async fn keyed(mut self, name: &str, primary_key: &[&str], sql: &str) -> Self {
        let name: TableName = name.parse().unwrap();
        let context = SessionContext::new_with_state(self.session.clone());
        let rows = context.sql(sql).await.unwrap();
        let schema = Arc::new(rows.schema().as_arrow().clone());
        let batches = rows.collect().await.unwrap();
        let primary_key = primary_key.iter().map(ToString::to_string).collect();
        let provider = Arc::new(MemTable::try_new(schema.clone(), vec![batches]).unwrap());
        let plan = LogicalPlanBuilder::scan(name.to_string(), provider_as_source(provider), None).unwrap();
        self.plans.insert(name.clone(), plan.build().unwrap());
        self.shapes.insert(name, TableShape { schema, synthetic: true, primary_key, view: None });
        self
    }

    /// The day that it is.
    pub(super) fn on(mut self, today: &str) -> Self {
        self.today = today.parse().unwrap();
        self
    }

    /// Adds a model file.
    pub(super) fn model(mut self, path: &str, text: &str) -> Self {
        let source = Arc::new(SourceText { path: path.into(), text: text.into() });
        let def = Arc::new(toml::from_str(text).unwrap());
        self.project.models.push(Document { source, def });
        self
    }

    pub(super) fn plans(&self) -> &HashMap<TableName, LogicalPlan> {
        &self.plans
    }

    pub(super) fn today(&self) -> NaiveDate {
        self.today
    }

    pub(super) fn compile(&self) -> (Models, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let models = Models::compile(&self.project, &self.shapes, &self.session, &mut diagnostics);
        (models, diagnostics)
    }

    /// Messages of all faults.
    pub(super) fn faults(&self) -> Vec<String> {
        self.compile().1.iter().map(|fault| fault.message.clone()).collect()
    }

    /// The models, which must be sound.
    pub(super) fn models(&self) -> Models {
        let (models, diagnostics) = self.compile();
        let messages: Vec<_> = diagnostics.iter().map(|fault| &fault.message).collect();
        assert!(diagnostics.is_empty(), "{messages:?}");
        models
    }

    /// The answer's rows as text, `-` for null, without the columns' names. Only the tables that the question is said
    /// to need are there.
    pub(super) async fn ask(&self, query: MetricQuery) -> Result<Vec<String>, Error> {
        let (plan, frame) = self.planned(&query).await?;
        let names: Vec<_> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, plan.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>());
        Ok(Self::text(frame).await.unwrap())
    }

    /// What goes wrong while the answer is computed.
    pub(super) async fn breaks(&self, query: MetricQuery) -> String {
        let (_, frame) = self.planned(&query).await.unwrap();
        frame.collect().await.unwrap_err().to_string()
    }

    async fn planned(&self, query: &MetricQuery) -> Result<(MetricPlan, DataFrame), Error> {
        let models = self.models();
        let needed = models.tables_for(query)?;
        let tables = needed.into_iter().map(|name| (name.clone(), self.plans[&name].clone())).collect();
        let plan = models.plan(query, &self.session, &tables, self.today)?;
        let context = SessionContext::new_with_state(self.session.clone());
        let frame = context.execute_logical_plan(plan.plan.clone()).await.unwrap();
        Ok((plan, frame))
    }

    /// The rows of a statement over the lake's tables, whose names it writes with `_` for the dot: an answer that owes
    /// nothing to the code under test.
    pub(super) async fn sql(&self, statement: &str) -> Vec<String> {
        let context = SessionContext::new_with_state(self.session.clone());
        for (name, plan) in &self.plans {
            let (name, view) = (name.to_string().replace('.', "_"), Arc::new(ViewTable::new(plan.clone(), None)));
            // Contexts of one session share its catalog.
            if !context.table_exist(name.as_str()).unwrap() {
                context.register_table(name, view).unwrap();
            }
        }
        Self::text(context.sql(statement).await.unwrap()).await.unwrap()
    }

    async fn text(frame: DataFrame) -> Result<Vec<String>, datafusion::error::DataFusionError> {
        let mut rows = Vec::new();
        for batch in frame.collect().await? {
            for row in 0..batch.num_rows() {
                let cell = |column: &datafusion::arrow::array::ArrayRef| {
                    if column.is_null(row) { "-".into() } else { array_value_to_string(column, row).unwrap() }
                };
                rows.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join(" "));
            }
        }
        Ok(rows)
    }

    /// As [`Self::ask`], where nothing may be wrong.
    pub(super) async fn rows(&self, query: MetricQuery) -> Vec<String> {
        self.ask(query).await.unwrap()
    }
}

/// A question: `metric by a, b grain month from .. to .. where .. order .. limit ..`, each part once and in any order.
pub(super) fn ask(metric: &str) -> MetricQuery {
    MetricQuery { metric: metric.into(), ..MetricQuery::default() }
}

/// Short ways to fill a question in.
pub(super) trait Question {
    fn by(self, names: &[&str]) -> Self;
    fn grain(self, grain: &str) -> Self;
    fn from(self, date: &str) -> Self;
    fn to(self, date: &str) -> Self;
    fn only(self, filter: &str) -> Self;
    fn order(self, names: &[&str]) -> Self;
}

impl Question for MetricQuery {
    fn by(mut self, names: &[&str]) -> Self {
        self.by = names.iter().map(ToString::to_string).collect();
        self
    }

    fn grain(mut self, grain: &str) -> Self {
        self.grain = Some(grain.parse().unwrap());
        self
    }

    fn from(mut self, date: &str) -> Self {
        self.from = Some(date.parse().unwrap());
        self
    }

    fn to(mut self, date: &str) -> Self {
        self.to = Some(date.parse().unwrap());
        self
    }

    fn only(mut self, filter: &str) -> Self {
        self.filter = Some(filter.into());
        self
    }

    fn order(mut self, names: &[&str]) -> Self {
        self.order = names.iter().map(ToString::to_string).collect();
        self
    }
}

/// The head of a metric, without how it is computed.
pub(super) fn metric(name: &str, rest: &str) -> String {
    let texts = "title = { zh = \"a\", en = \"a\" }\ndescription = { zh = \"a\", en = \"a\" }\nowner = \"o\"";
    format!("[metrics.{name}]\n{texts}\n{rest}\n")
}

/// A simple metric of the measure of its name.
pub(super) fn simple(name: &str) -> String {
    metric(name, &format!("type = \"simple\"\nmeasure = \"{name}\""))
}

/// Approval cases of three years, of which 2018 was never delivered.
pub(super) const CASES: &str = "
    SELECT cast(column1 AS date) AS decided_on, column2 AS channel, column3 AS days, cast(column4 AS decimal(38,6)) AS fee
    FROM (VALUES
        ('2016-01-10', 'online', 2, 10.10), ('2016-02-10', 'online', 4, 20.20), ('2016-04-05', 'window', 6, 0.30),
        ('2017-01-20', 'online', 3, 1.00), ('2017-01-21', 'window', 9, 2.00),
        ('2019-01-05', 'online', 1, 5.00), ('2019-03-31', 'window', 3, NULL), ('2019-03-31', 'online', 5, 7.00)
    )";

pub(super) const CASES_MODEL: &str = r#"
version = 1
table = "approvals.cases"
time_dimension = "decided_on"
[dimensions.channel]
title = { zh = "渠道", en = "Channel" }
[measures]
cases.expr = "count(*)"
handled = { expr = "count(*)", empty_periods = "zero" }
quick.expr = "count(*) FILTER (WHERE days <= 3)"
slow.expr = "count(*) FILTER (WHERE days > 100)"
fees.expr = "sum(fee)"
longest.expr = "max(days)"
[metrics.cases]
type = "simple"
measure = "cases"
title = { zh = "办件量", en = "Cases" }
description = { zh = "办结件数", en = "Cases decided" }
owner = "approvals office"
[metrics.handled]
type = "simple"
measure = "handled"
title = { zh = "办件量", en = "Cases" }
description = { zh = "办结件数", en = "Cases decided" }
owner = "approvals office"
[metrics.fees]
type = "simple"
measure = "fees"
title = { zh = "收费", en = "Fees" }
description = { zh = "收费", en = "Fees" }
owner = "approvals office"
[metrics.quick_share]
type = "ratio"
numerator = "quick"
denominator = "cases"
title = { zh = "限时办结率", en = "Share within the limit" }
description = { zh = "三日内", en = "Within three days" }
owner = "approvals office"
[metrics.quick_per_slow]
type = "ratio"
numerator = "quick"
denominator = "slow"
title = { zh = "比", en = "Ratio" }
description = { zh = "比", en = "Ratio" }
owner = "approvals office"
[metrics.case_growth]
type = "derived"
expr = "now / before - 1"
inputs.now.metric = "cases"
inputs.before = { metric = "cases", offset = "1 year" }
title = { zh = "同比", en = "Growth" }
description = { zh = "同比", en = "Growth" }
owner = "approvals office"
[metrics.share_change]
type = "derived"
expr = "now - before"
inputs.now.metric = "quick_share"
inputs.before = { metric = "quick_share", offset = "1 month" }
title = { zh = "环比", en = "Change" }
description = { zh = "环比", en = "Change" }
owner = "approvals office"
[metrics.cases_to_date]
type = "cumulative"
measure = "cases"
window = "year-to-date"
title = { zh = "累计", en = "To date" }
description = { zh = "累计", en = "To date" }
owner = "approvals office"
[metrics.fees_ever]
type = "cumulative"
measure = "fees"
window = "all-time"
title = { zh = "历年累计", en = "Ever" }
description = { zh = "历年累计", en = "Ever" }
owner = "approvals office"
"#;

/// The lake of most tests.
pub(super) async fn cases() -> Lake {
    Lake::new().table("approvals.cases", CASES).await.model("metrics/approvals.toml", CASES_MODEL)
}
