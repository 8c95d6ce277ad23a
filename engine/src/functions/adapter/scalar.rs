//! A scalar SQL function made of a rule.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::argument::{Argument, coerce, syntax, text};
use super::rows::Rows;

/// The chapter of the reference that a function stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section(pub(crate) &'static str);

impl Section {
    /// The documentation entry of a function in this chapter.
    pub(crate) fn document(self, name: &str, arguments: &[Argument], description: &str) -> Documentation {
        let section = DocSection { include: true, label: self.0, description: None };
        Documentation::builder(section, description, syntax(name, arguments)).build()
    }
}

type Body = Arc<dyn Fn(&Rows<'_>) -> Result<ArrayRef> + Send + Sync>;

/// A function of the values of its own row, and of nothing but reference data.
struct ScalarRule {
    name: &'static str,
    arguments: Vec<Argument>,
    returns: DataType,
    signature: Signature,
    documentation: Documentation,
    /// Identifies the reference data that `body` looks into; 0 without any.
    reference: u64,
    body: Body,
}

/// A function without reference data. `body` returns one value for each row.
pub(crate) fn scalar(
    section: Section,
    name: &'static str,
    arguments: &[Argument],
    returns: DataType,
    description: &str,
    body: impl Fn(&Rows<'_>) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    scalar_with(0, Volatility::Immutable, section, name, arguments, returns, description, body)
}

/// A function that looks into the reference data identified by `reference`, or at the clock (then it is stable within
/// a query and not immutable).
#[expect(clippy::too_many_arguments, reason = "one call lists a function's whole declaration")]
pub(crate) fn scalar_with(
    reference: u64,
    volatility: Volatility,
    section: Section,
    name: &'static str,
    arguments: &[Argument],
    returns: DataType,
    description: &str,
    body: impl Fn(&Rows<'_>) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = match arguments {
        [] => Signature::nullary(volatility),
        _ => Signature::user_defined(volatility),
    };
    ScalarUDF::new_from_impl(ScalarRule {
        name,
        arguments: arguments.to_vec(),
        returns,
        signature,
        documentation: section.document(name, arguments, description),
        reference,
        body: Arc::new(body),
    })
}

/// A function from one text to a truth value; None is NULL.
pub(crate) fn text_to_bool(
    section: Section,
    name: &'static str,
    argument: &'static str,
    description: &str,
    rule: impl Fn(&str) -> Option<bool> + Send + Sync + 'static,
) -> ScalarUDF {
    scalar(section, name, &[text(argument)], DataType::Boolean, description, move |rows| {
        let values = rows.text(0)?;
        Ok(Arc::new(rows.iter().map(|row| rule(values.get(row)?)).collect::<BooleanArray>()))
    })
}

/// A function from one text to another, a part of it or a new one; None is NULL.
pub(crate) fn text_to_text(
    section: Section,
    name: &'static str,
    argument: &'static str,
    description: &str,
    rule: impl for<'v> Fn(&'v str) -> Option<Cow<'v, str>> + Send + Sync + 'static,
) -> ScalarUDF {
    scalar(section, name, &[text(argument)], DataType::Utf8, description, move |rows| {
        let values = rows.text(0)?;
        Ok(Arc::new(rows.iter().map(|row| rule(values.get(row)?)).collect::<StringArray>()))
    })
}

impl ScalarUDFImpl for ScalarRule {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name, &self.arguments, given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = Rows::new(&args.args, if constant { 1 } else { args.number_rows });
        let result = (self.body)(&rows)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

impl fmt::Debug for ScalarRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScalarRule").field("name", &self.name).field("reference", &self.reference).finish()
    }
}

/// Two functions are one when they have one name and look into the same data: a body has no identity of its own.
impl PartialEq for ScalarRule {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.reference) == (other.name, other.reference)
    }
}

impl Eq for ScalarRule {}

impl Hash for ScalarRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name, self.reference).hash(state);
    }
}
