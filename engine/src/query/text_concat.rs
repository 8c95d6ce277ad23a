//! `||` between texts as a function, so that it is bounded as the others are: thirty steps of `a || a` are a text a
//! billion times as long.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::kernels::concat_elements::concat_elements_utf8;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Name under which it is registered.
pub(super) const NAME: &str = "text_concat";

/// The function.
pub(super) fn text_concat() -> ScalarUDF {
    ScalarUDF::new_from_impl(TextConcat { signature: Signature::string(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextConcat {
    signature: Signature,
}

impl ScalarUDFImpl for TextConcat {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(match args {
            [left, right] => format!("{} || {}", left.schema_name(), right.schema_name()),
            _ => NAME.to_owned(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let text = |arg: &ColumnarValue| arg.cast_to(&DataType::Utf8, None)?.into_array(rows);
        let (left, right) = (text(&args.args[0])?, text(&args.args[1])?);
        let joined: ArrayRef = Arc::new(concat_elements_utf8(left.as_string::<i32>(), right.as_string::<i32>())?);
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}

/// Plans `||` as a call of `function` where a text is on either side and nothing that has a `||` of its own.
#[derive(Debug)]
pub(super) struct TextConcatPlanner {
    pub(super) function: Arc<ScalarUDF>,
}

impl ExprPlanner for TextConcatPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_text = |found: &DataType| matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let is_plain = |found: &DataType| {
            is_text(found)
                || found.is_numeric()
                || found.is_temporal()
                || matches!(found, DataType::Null | DataType::Boolean)
        };
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        if !(is_text(&left) || is_text(&right)) || !is_plain(&left) || !is_plain(&right) {
            return Ok(PlannerResult::Original(expr));
        }
        let text = |side: Expr, found: &DataType| {
            if is_text(found) { side } else { datafusion::logical_expr::cast(side, DataType::Utf8) }
        };
        let args = vec![text(expr.left, &left), text(expr.right, &right)];
        Ok(PlannerResult::Planned(self.function.call(args)))
    }
}
