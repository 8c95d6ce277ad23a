//! A plan as SQL: one common table expression for each node, from the scans up.
//!
//! DataFusion's unparser writes the expressions. Its writing of whole plans nests a query for each node and does not know
//! `UNNEST` as metrics use it, so that the nodes are written here: a short list of kinds, and a refusal for any other.

use std::collections::HashSet;
use std::fmt::Write;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, JoinType, NullEquality, TableReference};
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Projection, SortExpr};
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::{DefaultDialect, Dialect};

/// Why a plan cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    /// A node of a kind that is not written.
    #[error("a step of the plan has no form in SQL: {node}")]
    Node { node: String },
    /// An expression that the unparser does not know.
    #[error("an expression of the plan has no form in SQL")]
    Expression(#[from] DataFusionError),
}

type Result<T, E = Unwritable> = std::result::Result<T, E>;

/// The statement that does what `plan` does, its columns named as the plan's.
pub(super) fn written(plan: &LogicalPlan, limit: Option<usize>) -> Result<String> {
    let mut writer = Writer { dialect: DefaultDialect {}, tables: Vec::new() };
    let mut last = writer.body(plan)?;
    if let Some(limit) = limit {
        let _ = write!(last.sql, " LIMIT {limit}");
    }
    if writer.tables.is_empty() {
        return Ok(last.sql);
    }
    let tables: Vec<_> =
        writer.tables.iter().enumerate().map(|(at, sql)| format!("{} AS (\n  {sql}\n)", name(at))).collect();
    Ok(format!("WITH {}\n{}", tables.join(",\n"), last.sql))
}

fn name(at: usize) -> String {
    format!("step_{}", at + 1)
}

/// A select, and the names of its columns in the order of the plan's.
struct Body {
    sql: String,
    columns: Vec<String>,
}

/// Something to select from.
struct Relation {
    from: String,
    columns: Vec<String>,
}

struct Writer {
    dialect: DefaultDialect,
    tables: Vec<String>,
}

impl Writer {
    fn relation(&mut self, plan: &LogicalPlan) -> Result<Relation> {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input),
            LogicalPlan::TableScan(scan) => {
                if scan.projection.is_some() || !scan.filters.is_empty() || scan.fetch.is_some() {
                    return Err(unwritable(plan));
                }
                let columns = scan.projected_schema.fields().iter().map(|field| field.name().clone()).collect();
                Ok(Relation { from: self.table(&scan.table_name), columns })
            }
            _ => {
                let Body { sql, columns } = self.body(plan)?;
                self.tables.push(sql);
                Ok(Relation { from: name(self.tables.len() - 1), columns })
            }
        }
    }

    fn body(&mut self, plan: &LogicalPlan) -> Result<Body> {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => {
                let input = self.relation(&filter.input)?;
                let predicate = self.expr(&filter.predicate, &Names::of(filter.input.schema(), &input.columns))?;
                Ok(Body { sql: format!("SELECT * FROM {} WHERE {predicate}", input.from), columns: input.columns })
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.relation(&aggregate.input)?;
                let names = Names::of(aggregate.input.schema(), &input.columns);
                let columns = unique(&aggregate.schema);
                let items = self.items(aggregate.group_expr.iter().chain(&aggregate.aggr_expr), &columns, &names)?;
                let mut sql = format!("SELECT {items} FROM {}", input.from);
                if !aggregate.group_expr.is_empty() {
                    let places: Vec<_> = (1..=aggregate.group_expr.len()).map(|at| at.to_string()).collect();
                    let _ = write!(sql, " GROUP BY {}", places.join(", "));
                }
                Ok(Body { sql, columns })
            }
            LogicalPlan::Window(window) => {
                let input = self.relation(&window.input)?;
                let names = Names::of(window.input.schema(), &input.columns);
                let columns = unique_after(&input.columns, &window.schema);
                let items = self.items(&window.window_expr, &columns[input.columns.len()..], &names)?;
                Ok(Body { sql: format!("SELECT *, {items} FROM {}", input.from), columns })
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let input = self.relation(&sort.input)?;
                let order = self.order(&sort.expr, &Names::of(sort.input.schema(), &input.columns))?;
                Ok(Body { sql: format!("SELECT * FROM {} ORDER BY {order}", input.from), columns: input.columns })
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Unnest(unnest) if unnest.struct_type_columns.is_empty() => {
                let input = self.relation(&unnest.input)?;
                let lists: HashSet<_> = unnest.list_type_columns.iter().map(|(at, _)| *at).collect();
                let items = input.columns.iter().enumerate().map(|(at, column)| {
                    let column = self.quoted(column);
                    if lists.contains(&at) { format!("unnest({column}) AS {column}") } else { column }
                });
                let items = items.collect::<Vec<_>>().join(", ");
                Ok(Body { sql: format!("SELECT {items} FROM {}", input.from), columns: input.columns })
            }
            LogicalPlan::Union(union) => {
                let columns = unique(&union.schema);
                let mut parts = Vec::new();
                for input in &union.inputs {
                    let relation = self.relation(input)?;
                    let items = relation.columns.iter().zip(&columns);
                    let items = items.map(|(from, to)| format!("{} AS {}", self.quoted(from), self.quoted(to)));
                    parts.push(format!("SELECT {} FROM {}", items.collect::<Vec<_>>().join(", "), relation.from));
                }
                Ok(Body { sql: parts.join(" UNION ALL "), columns })
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.relation(input)?;
                Ok(Body { sql: format!("SELECT DISTINCT * FROM {}", input.from), columns: input.columns })
            }
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::TableScan(_) => {
                let input = self.relation(plan)?;
                Ok(Body { sql: format!("SELECT * FROM {}", input.from), columns: input.columns })
            }
            other => Err(unwritable(other)),
        }
    }

    /// With a sort right under it, the sort is its `ORDER BY`: an order within a subquery means nothing outside of it.
    fn projection(&mut self, projection: &Projection) -> Result<Body> {
        let (input, order) = match projection.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (sort.input.as_ref(), Some(&sort.expr)),
            other => (other, None),
        };
        let relation = self.relation(input)?;
        let names = Names::of(input.schema(), &relation.columns);
        let columns = unique(&projection.schema);
        let items = self.items(&projection.expr, &columns, &names)?;
        let mut sql = format!("SELECT {items} FROM {}", relation.from);
        if let Some(order) = order {
            // An output's name would stand for the output. Only where both are the same does it not matter.
            let renamed = columns.iter().zip(&projection.expr).any(|(column, expr)| {
                let same =
                    matches!(expr.clone().unalias(), Expr::Column(from) if names.sql_name(&from) == Some(column));
                !same && relation.columns.contains(column)
            });
            if renamed {
                return Err(Unwritable::Node { node: "an order by a column whose name is taken".into() });
            }
            let _ = write!(sql, " ORDER BY {}", self.order(order, &names)?);
        }
        Ok(Body { sql, columns })
    }

    fn join(&mut self, join: &Join) -> Result<Body> {
        let (left, right) = (self.relation(&join.left)?, self.relation(&join.right)?);
        let mut names = Names::of(join.left.schema(), &left.columns);
        names.qualifier = Some("l");
        let mut on_right = Names::of(join.right.schema(), &right.columns);
        on_right.qualifier = Some("r");
        names.other = Some(Box::new(on_right));
        let equal = match join.null_equality {
            NullEquality::NullEqualsNothing => "=",
            NullEquality::NullEqualsNull => "IS NOT DISTINCT FROM",
        };
        let mut conditions = Vec::new();
        for (l, r) in &join.on {
            conditions.push(format!("{} {equal} {}", self.expr(l, &names)?, self.expr(r, &names)?));
        }
        if let Some(filter) = &join.filter {
            conditions.push(self.expr(filter, &names)?);
        }
        let kind = match (join.join_type, conditions.is_empty()) {
            (JoinType::Inner, true) => "CROSS JOIN",
            (JoinType::Inner, false) => "JOIN",
            (JoinType::Left, false) => "LEFT JOIN",
            (JoinType::Right, false) => "RIGHT JOIN",
            (JoinType::Full, false) => "FULL JOIN",
            (JoinType::LeftSemi, false) => "LEFT SEMI JOIN",
            (JoinType::LeftAnti, false) if !join.null_aware => "LEFT ANTI JOIN",
            (other, _) => return Err(Unwritable::Node { node: format!("a {other} join") }),
        };
        let columns = unique(&join.schema);
        let sides = left.columns.iter().map(|column| ("l", column)).chain(right.columns.iter().map(|c| ("r", c)));
        let items = sides
            .zip(&columns)
            .map(|((side, from), to)| format!("{side}.{} AS {}", self.quoted(from), self.quoted(to)));
        let items = items.collect::<Vec<_>>().join(", ");
        let on = if conditions.is_empty() { String::new() } else { format!(" ON {}", conditions.join(" AND ")) };
        Ok(Body { sql: format!("SELECT {items} FROM {} AS l {kind} {} AS r{on}", left.from, right.from), columns })
    }

    fn items<'e>(
        &self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        columns: &[String],
        names: &Names<'_>,
    ) -> Result<String> {
        let items = exprs.into_iter().zip(columns).map(|(expr, column)| {
            let sql = self.expr(expr, names)?;
            let column = self.quoted(column);
            Ok(if sql == column { column } else { format!("{sql} AS {column}") })
        });
        Ok(items.collect::<Result<Vec<_>>>()?.join(", "))
    }

    fn order(&self, sorts: &[SortExpr], names: &Names<'_>) -> Result<String> {
        let sorts = sorts.iter().map(|sort| {
            let direction = if sort.asc { "ASC" } else { "DESC" };
            let nulls = if sort.nulls_first { "FIRST" } else { "LAST" };
            Ok(format!("{} {direction} NULLS {nulls}", self.expr(&sort.expr, names)?))
        });
        Ok(sorts.collect::<Result<Vec<_>>>()?.join(", "))
    }

    fn expr(&self, expr: &Expr, names: &Names<'_>) -> Result<String> {
        let named = expr.clone().unalias().transform_up(|node| {
            Ok(match node {
                Expr::Column(column) => Transformed::yes(Expr::Column(names.resolve(&column)?)),
                // A guard against too many periods, which no statement can name: it gives its second argument.
                Expr::ScalarFunction(call) if call.name() == "bounded_period" && call.args.len() > 1 => {
                    Transformed::yes(call.args[1].clone())
                }
                other => Transformed::no(other),
            })
        })?;
        Ok(Unparser::new(&self.dialect).expr_to_sql(&named.data)?.to_string())
    }

    fn table(&self, table: &TableReference) -> String {
        let parts: Vec<_> = table.to_vec().iter().map(|part| self.quoted(part)).collect();
        parts.join(".")
    }

    fn quoted(&self, name: &str) -> String {
        match self.dialect.identifier_quote_style(name) {
            Some(quote) => format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}"))),
            None => name.to_owned(),
        }
    }
}

/// The columns of a node's input, and what they are called in its SQL.
struct Names<'a> {
    schema: &'a DFSchema,
    columns: &'a [String],
    qualifier: Option<&'static str>,
    other: Option<Box<Names<'a>>>,
}

impl<'a> Names<'a> {
    fn of(schema: &'a DFSchema, columns: &'a [String]) -> Self {
        Self { schema, columns, qualifier: None, other: None }
    }

    fn sql_name(&self, column: &Column) -> Option<&String> {
        self.columns.get(self.schema.maybe_index_of_column(column)?)
    }

    fn resolve(&self, column: &Column) -> Result<Column, DataFusionError> {
        if let Some(name) = self.sql_name(column) {
            return Ok(match self.qualifier {
                Some(qualifier) => Column::new(Some(qualifier), name),
                None => Column::new_unqualified(name),
            });
        }
        match &self.other {
            Some(other) => other.resolve(column),
            None => Err(DataFusionError::Plan(format!("no column `{column}`"))),
        }
    }
}

/// The names of a schema's columns, each once.
fn unique(schema: &DFSchema) -> Vec<String> {
    unique_after(&[], schema)
}

/// As [`unique`], where the first columns have their names.
fn unique_after(known: &[String], schema: &DFSchema) -> Vec<String> {
    let mut names: Vec<String> = known.to_vec();
    for field in schema.fields().iter().skip(known.len()) {
        let mut name = field.name().clone();
        for at in 2.. {
            if !names.contains(&name) {
                break;
            }
            name = format!("{}_{at}", field.name());
        }
        names.push(name);
    }
    names
}

fn unwritable(plan: &LogicalPlan) -> Unwritable {
    Unwritable::Node { node: plan.display().to_string() }
}
