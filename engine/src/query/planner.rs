//! From a statement to a logical plan: DataFusion's planner over a closed set of tables.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::config::ConfigOptions;
use datafusion::common::format::ExplainStatementOptions;
use datafusion::common::{DFSchema, DataFusionError, Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, ExplainOption, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use indexmap::IndexMap;

use super::error::QueryError;
use super::gate;
use super::hidden;
use super::request::ParamValue;
use super::scope::Scope;
use super::statement::ReadStatement;
use super::translate::from_datafusion;
use crate::error::Error;

/// The tables that a statement may name, by the name it uses: `schema.table` in lower case, or a bare name.
pub(crate) type Sources = HashMap<TableReference, Arc<dyn TableSource>>;

/// Plans `read` over the tables of `scope` and binds its parameters. The plan passed the gate.
pub(crate) fn plan(
    state: &SessionState,
    scope: &Scope,
    mut read: ReadStatement,
    params: &IndexMap<String, ParamValue>,
) -> Result<LogicalPlan, Error> {
    let values = read.parameters.bind(params)?;
    let fields = read.parameters.fields();
    let mut context = PlannerContext::new().with_prepare_param_data_types(fields);
    let names_hidden = hidden::prepare(&mut read.statement, &scope.traced)?;
    let tables = Tables { state, sources: &scope.sources, traced: names_hidden.then_some(&scope.traced) };
    let planner = SqlToRel::new_with_options(&tables, options(state));
    let planned = planner
        .sql_statement_to_plan_with_context(read.statement, &mut context)
        .map_err(|error| from_datafusion(&error))?;
    gate::check_size(&planned)?;
    let planned = planned
        .with_param_values(values)
        .and_then(|plan| match read.explain {
            Some(options) => explained(plan, options, state),
            None => Ok(plan),
        })
        .map_err(|error| from_datafusion(&error))?;
    gate::check_plan(&planned)?;
    Ok(planned)
}

fn options(state: &SessionState) -> ParserOptions {
    let configured = &state.config_options().sql_parser;
    ParserOptions::new()
        .with_collect_spans(configured.collect_spans)
        .with_map_string_types_to_utf8view(configured.map_string_types_to_utf8view)
}

fn explained(plan: LogicalPlan, options: ExplainStatementOptions, state: &SessionState) -> Result<LogicalPlan> {
    let option = ExplainOption {
        verbose: options.verbose,
        analyze: options.analyze,
        format: options.format.unwrap_or_else(|| state.config_options().explain.format.clone()),
        show_statistics: options.show_statistics,
        analyze_level: options.analyze_level,
        analyze_categories: options.analyze_categories,
    };
    LogicalPlanBuilder::from(plan).explain_option_format(option)?.build()
}

/// What the planner may ask for: the statement's tables, and the session's functions.
struct Tables<'a> {
    state: &'a SessionState,
    sources: &'a Sources,
    /// Set where the statement names a hidden column.
    traced: Option<&'a Sources>,
}

/// The name without our catalog in front of it.
pub(crate) fn local(name: TableReference) -> TableReference {
    match name {
        TableReference::Full { catalog, schema, table } if *catalog == *super::runtime::CATALOG => {
            TableReference::Partial { schema, table }
        }
        other => other,
    }
}

impl ContextProvider for Tables<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let name = local(name);
        let traced = self.traced.and_then(|traced| traced.get(&name));
        traced.or_else(|| self.sources.get(&name)).cloned().ok_or_else(|| {
            let unknown = QueryError::UnknownTable { name: name.to_string(), nearest: None, position: None };
            DataFusionError::External(Box::new(Error::from(unknown)))
        })
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let function = self
            .state
            .table_functions()
            .get(name)
            .ok_or_else(|| DataFusionError::Plan(format!("unknown table function `{name}`")))?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(self.state.execution_props().query_execution_start_time)
            .build();
        let simplifier = ExprSimplifier::new(context);
        let empty = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| simplifier.coerce(arg, &empty).and_then(|arg| simplifier.simplify(arg)))
            .collect::<Result<Vec<_>>>()?;
        let provider = function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
