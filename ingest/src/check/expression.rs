//! SQL predicates over one row.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::context::SessionState;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::ExprSchemable;
use datafusion::physical_expr::PhysicalExpr;
use xiangyun_engine::clock::Clock;
use xiangyun_engine::functions::{self, Reference};

/// Plans predicates with SQL's own functions and those of the domain. No table is in reach.
#[derive(Clone)]
pub(crate) struct Expressions {
    state: SessionState,
}

impl std::fmt::Debug for Expressions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expressions").finish_non_exhaustive()
    }
}

/// A planned predicate.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    expr: Arc<dyn PhysicalExpr>,
}

impl Expressions {
    pub(crate) fn try_new(reference: &Reference, clock: &Arc<dyn Clock>) -> Result<Self, DataFusionError> {
        let mut state = SessionStateBuilder::new_with_default_features().build();
        for function in functions::scalar_functions(reference, clock) {
            state.register_udf(Arc::new(function))?;
        }
        Ok(Self { state })
    }

    /// Plans `sql` over the columns of `schema`; it must be true or false.
    pub(crate) fn plan(&self, sql: &str, schema: &SchemaRef) -> Result<Predicate, String> {
        let message = |error: DataFusionError| error.strip_backtrace();
        let schema = DFSchema::try_from(Arc::clone(schema)).map_err(message)?;
        let expr = self.state.create_logical_expr(sql, &schema).map_err(message)?;
        let data_type = expr.get_type(&schema).map_err(message)?;
        if data_type != DataType::Boolean {
            return Err(format!("it gives {data_type} and not true or false"));
        }
        Ok(Predicate { expr: self.state.create_physical_expr(expr, &schema).map_err(message)? })
    }
}

impl Predicate {
    /// The predicate of every row.
    pub(crate) fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, DataFusionError> {
        let values = self.expr.evaluate(batch)?.into_array(batch.num_rows())?;
        values
            .as_boolean_opt()
            .cloned()
            .ok_or_else(|| DataFusionError::Internal(format!("a predicate gave {}", values.data_type())))
    }
}
