//! What a metric is made of: measures at the leaves, ratios and expressions above them; and the value and the reason
//! that follow from the leaves' columns.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, cast, lit};
use indexmap::IndexMap;

use super::lookback::Lookback;
use super::window::Window;

/// Why a figure is missing: the source has no row for this group and period.
pub(super) const NO_DATA: &str = "no_data";
/// Why a figure is missing: what it is compared with, or a part of what it adds up, is missing.
pub(super) const NO_BASE: &str = "no_base";
/// Why a figure is missing: what it is divided by is zero.
pub(super) const ZERO_BASE: &str = "zero_base";

/// How a metric is computed, its names resolved.
#[derive(Debug)]
pub(super) enum Formula {
    /// A measure of the metric's model, perhaps added up over periods.
    Measure { measure: String, window: Option<Window> },
    /// One measure over another.
    Ratio { numerator: String, denominator: String },
    /// An expression over other metrics, whose names are its columns.
    Derived { expr: Expr, inputs: IndexMap<String, Input> },
}

/// An input of a derived metric.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) metric: String,
    pub(super) lookback: Lookback,
}

/// A measure at one distance in time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Leaf {
    pub(super) model: usize,
    pub(super) measure: String,
    pub(super) window: Option<Window>,
    pub(super) lookback: Lookback,
}

/// A formula down to its measures.
#[derive(Debug)]
pub(super) enum Node {
    Leaf(Leaf),
    Ratio { numerator: Leaf, denominator: Leaf },
    Derived { expr: Expr, inputs: Vec<(String, Node, bool)> },
}

/// What the plan knows of a leaf: its figure, and the figure of its own period alone, which differs for what adds up.
pub(super) struct LeafColumns {
    pub(super) value: Expr,
    pub(super) own: Expr,
}

/// Two expressions: the figure, and why it is null where it is.
pub(super) struct Figure {
    pub(super) value: Expr,
    pub(super) reason: Expr,
}

impl Node {
    /// All leaves, in the order in which they appear; one may appear more than once.
    pub(super) fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Self::Leaf(leaf) => vec![leaf],
            Self::Ratio { numerator, denominator } => vec![numerator, denominator],
            Self::Derived { inputs, .. } => inputs.iter().flat_map(|(_, node, _)| node.leaves()).collect(),
        }
    }

    /// The figure over the leaves' columns, which `columns` gives.
    ///
    /// A simple metric keeps its measure's type. Ratios and derived metrics are 64-bit floats: a quotient of decimals
    /// has no exact decimal, and integers would lose their remainder.
    pub(super) fn figure(&self, columns: &impl Fn(&Leaf) -> LeafColumns) -> Result<Figure> {
        match self {
            Self::Leaf(leaf) => {
                let LeafColumns { value, own } = columns(leaf);
                let mut reasons = vec![(own.is_null(), text(NO_DATA))];
                if leaf.window.is_some_and(Window::is_rolling) {
                    reasons.push((value.clone().is_null(), text(NO_BASE)));
                }
                Ok(Figure { value, reason: first_of(reasons) })
            }
            Self::Ratio { numerator, denominator } => {
                let (above, below) = (columns(numerator).value, columns(denominator).value);
                let value = float(above.clone()) / nullif(float(below.clone()), lit(0.0));
                let reason = first_of([
                    (above.is_null(), text(NO_DATA)),
                    (below.clone().is_null(), text(NO_BASE)),
                    (value.clone().is_null(), text(ZERO_BASE)),
                ]);
                Ok(Figure { value, reason })
            }
            Self::Derived { expr, inputs } => derived(expr, inputs, columns),
        }
    }
}

fn derived(expr: &Expr, inputs: &[(String, Node, bool)], columns: &impl Fn(&Leaf) -> LeafColumns) -> Result<Figure> {
    let mut figures = IndexMap::new();
    for (name, node, looks_back) in inputs {
        figures.insert(name.as_str(), (node.figure(columns)?, *looks_back));
    }
    let value = expr
        .clone()
        .transform_up(|node| {
            Ok(match node {
                Expr::Column(ref name) => match figures.get(name.name()) {
                    Some((figure, _)) => Transformed::yes(float(figure.value.clone())),
                    None => Transformed::no(node),
                },
                // A division by zero gives null, whatever stands around it, and the reason says so.
                Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right }) => {
                    let right = Box::new(nullif(float(*right), lit(0.0)));
                    Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
                }
                other => Transformed::no(other),
            })
        })?
        .data;
    let value = float(value);
    let mut arms = vec![(value.clone().is_not_null(), lit(ScalarValue::Utf8(None)))];
    let (bases, present): (Vec<_>, Vec<_>) = figures.into_values().partition(|(_, looks_back)| *looks_back);
    arms.extend(present.into_iter().map(|(figure, _)| (figure.value.is_null(), figure.reason)));
    arms.extend(bases.into_iter().map(|(figure, _)| (figure.value.is_null(), text(NO_BASE))));
    arms.push((lit(true), text(ZERO_BASE)));
    Ok(Figure { value, reason: first_of(arms) })
}

fn float(expr: Expr) -> Expr {
    cast(expr, DataType::Float64)
}

fn text(value: &str) -> Expr {
    lit(ScalarValue::Utf8(Some(value.into())))
}

/// The value beside the first condition that holds; null where none does.
fn first_of(arms: impl IntoIterator<Item = (Expr, Expr)>) -> Expr {
    let arms = arms.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Expr::Case(Case::new(None, arms, None))
}
