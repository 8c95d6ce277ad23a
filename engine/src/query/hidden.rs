//! Hidden columns: a table has them only in a statement that names one, and there no `*` gives them.
//!
//! A statement (or a view's) that names `_run`, `_file` or `_line` anywhere is planned over the tables with all
//! three. Each `*` over such a table is then written out with `EXCLUDE`, so that it means what it always means. What
//! a subquery, a CTE or a view selects by name is an ordinary column of it, and belongs to its `*`.

use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
    WildcardAdditionalOptions, visit_expressions,
};

use super::error::QueryError;
use super::planner::{Sources, local};
use crate::catalog::PROVENANCE_COLUMNS;

const NAME_INSTEAD: &str = "name the columns that are wanted beside `_run`, `_file` or `_line`";
const NATURAL_INSTEAD: &str = "write JOIN ... USING (...)";

/// Whether `statement` names a hidden column. If it does, its wildcards over the tables of `traced` are made to leave
/// the hidden columns out.
pub(super) fn prepare(statement: &mut Statement, traced: &Sources) -> Result<bool, QueryError> {
    let named = visit_expressions(statement, |expression| {
        let last = match expression {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if last.is_some_and(is_hidden) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if named.is_continue() {
        return Ok(false);
    }
    match statement.visit(&mut Wildcards { traced }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(true),
    }
}

fn is_hidden(ident: &Ident) -> bool {
    PROVENANCE_COLUMNS.contains(&folded(ident).as_str())
}

/// The identifier as the planner reads it.
fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

struct Wildcards<'a> {
    traced: &'a Sources,
}

impl VisitorMut for Wildcards<'_> {
    type Break = QueryError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        match self.write_out(select) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// One relation of a FROM.
struct Relation {
    /// What qualifies its columns; none where nothing does.
    qualifier: Option<ObjectName>,
    is_table: bool,
    /// Columns that a USING takes from a relation to its left.
    merged: Vec<Ident>,
    /// Left out of `*` by a semi or anti join.
    is_filter: bool,
}

impl Wildcards<'_> {
    fn write_out(&self, select: &mut Select) -> Result<(), QueryError> {
        let mut relations = Vec::new();
        for from in &mut select.from {
            let start = relations.len();
            self.factor(&mut from.relation, &mut relations)?;
            for join in &mut from.joins {
                self.join(join, start, &mut relations)?;
            }
        }
        if !relations.iter().any(|relation| relation.is_table) {
            return Ok(());
        }
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(options) if relations.len() == 1 => {
                    items.push(SelectItem::Wildcard(excluding(options, &[])));
                }
                SelectItem::Wildcard(options) => {
                    for relation in relations.iter().filter(|relation| !relation.is_filter) {
                        items.push(of_relation(relation, &options)?);
                    }
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    let wanted = name.to_string().to_lowercase();
                    let matches = |relation: &&Relation| {
                        relation.qualifier.as_ref().is_some_and(|known| {
                            let known = known.to_string().to_lowercase();
                            known == wanted || known.ends_with(&format!(".{wanted}"))
                        })
                    };
                    let is_table = relations.iter().find(matches).is_some_and(|relation| relation.is_table);
                    let options = if is_table { excluding(options, &[]) } else { options };
                    let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                    items.push(SelectItem::QualifiedWildcard(kind, options));
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        Ok(())
    }

    fn join(&self, join: &mut Join, start: usize, relations: &mut Vec<Relation>) -> Result<(), QueryError> {
        let right = relations.len();
        self.factor(&mut join.relation, relations)?;
        match &join.join_operator {
            JoinOperator::LeftSemi(_) | JoinOperator::LeftAnti(_) | JoinOperator::Semi(_) | JoinOperator::Anti(_) => {
                relations[right..].iter_mut().for_each(|relation| relation.is_filter = true);
            }
            JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_) => {
                relations[start..right].iter_mut().for_each(|relation| relation.is_filter = true);
            }
            _ => {}
        }
        match constraint(&join.join_operator) {
            Some(JoinConstraint::Natural) => Err(refused("NATURAL JOIN beside a hidden column", NATURAL_INSTEAD)),
            Some(JoinConstraint::Using(columns)) => {
                let columns = columns.iter().filter_map(|name| name.0.last().and_then(ObjectNamePart::as_ident));
                if let Some(first) = relations.get_mut(right) {
                    first.merged.extend(columns.cloned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn factor(&self, factor: &mut TableFactor, relations: &mut Vec<Relation>) -> Result<(), QueryError> {
        let number = relations.len();
        let (qualifier, is_table) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let is_table = self.traced.contains_key(&reference(name));
                (Some(alias.as_ref().map_or_else(|| name.clone(), aliased)), is_table)
            }
            TableFactor::Derived { alias, .. } => {
                // Without a name there would be no way to say "all of its columns".
                let alias = alias.get_or_insert_with(|| TableAlias {
                    explicit: true,
                    name: Ident::new(format!("_derived_{number}")),
                    columns: Vec::new(),
                    at: None,
                });
                (Some(aliased(alias)), false)
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                let start = relations.len();
                self.factor(&mut table_with_joins.relation, relations)?;
                for join in &mut table_with_joins.joins {
                    self.join(join, start, relations)?;
                }
                return Ok(());
            }
            TableFactor::UNNEST { alias, .. } | TableFactor::Function { alias, .. } => {
                (alias.as_ref().map(aliased), false)
            }
            _ => (None, false),
        };
        relations.push(Relation { qualifier, is_table, merged: Vec::new(), is_filter: false });
        Ok(())
    }
}

/// `*` as far as it means the columns of one relation.
fn of_relation(relation: &Relation, options: &WildcardAdditionalOptions) -> Result<SelectItem, QueryError> {
    let Some(qualifier) = relation.qualifier.clone() else {
        return Err(refused("`*` over a relation without a name beside a hidden column", NAME_INSTEAD));
    };
    if options.opt_exclude.is_some() || options.opt_except.is_some() || options.opt_replace.is_some() {
        return Err(refused("`*` with EXCLUDE or REPLACE over a join beside a hidden column", NAME_INSTEAD));
    }
    let kind = SelectItemQualifiedWildcardKind::ObjectName(qualifier);
    let options = match (relation.is_table, relation.merged.is_empty()) {
        (true, _) => excluding(options.clone(), &relation.merged),
        (false, true) => options.clone(),
        (false, false) => {
            let names = relation.merged.iter().cloned().map(ObjectName::from).collect();
            WildcardAdditionalOptions { opt_exclude: Some(ExcludeSelectItem::Multiple(names)), ..options.clone() }
        }
    };
    Ok(SelectItem::QualifiedWildcard(kind, options))
}

/// The options of a wildcard over a table, so that it leaves the hidden columns out, and `more`.
fn excluding(mut options: WildcardAdditionalOptions, more: &[Ident]) -> WildcardAdditionalOptions {
    let mut names: Vec<ObjectName> = match options.opt_exclude.take() {
        Some(ExcludeSelectItem::Single(name)) => vec![name],
        Some(ExcludeSelectItem::Multiple(names)) => names,
        None => Vec::new(),
    };
    let except = options.opt_except.iter();
    let except = except.flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements));
    let said: Vec<String> =
        except.cloned().map(ObjectName::from).chain(names.clone()).map(|name| name.to_string()).collect();
    let hidden = PROVENANCE_COLUMNS.into_iter().map(Ident::new);
    let added = hidden.chain(more.iter().cloned()).map(ObjectName::from);
    names.extend(added.filter(|name| !said.contains(&name.to_string())));
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(names));
    options
}

fn aliased(alias: &TableAlias) -> ObjectName {
    ObjectName::from(alias.name.clone())
}

/// The name as the planner looks it up.
fn reference(name: &ObjectName) -> TableReference {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(folded)).collect();
    let reference = match parts.as_slice() {
        [catalog, schema, table] => TableReference::full(catalog.as_str(), schema.as_str(), table.as_str()),
        [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
        _ => TableReference::bare(parts.concat()),
    };
    local(reference)
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

fn refused(what: &str, instead: &'static str) -> QueryError {
    QueryError::NotSupported { what: what.into(), instead, position: None }
}
