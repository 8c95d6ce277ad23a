//! The tables that a statement names, without a planner.

use std::collections::BTreeSet;

use datafusion::sql::parser::DFParser;
use datafusion::sql::resolve::resolve_table_references;

use super::table_name::TableName;
use crate::project::Project;

/// The `schema.table` names that a statement reads; none where it does not parse, which `check` reports.
pub fn tables_of(sql: &str) -> BTreeSet<TableName> {
    let statement = DFParser::parse_sql(sql).ok().and_then(|mut statements| statements.pop_front());
    let relations = statement.and_then(|statement| resolve_table_references(&statement, true).ok());
    let names = relations.into_iter().flat_map(|(relations, _)| relations);
    names.filter_map(|name| TableName::try_new(name.schema()?, name.table()).ok()).collect()
}

/// The tables that `names` rest on: views are followed down to the tables under them.
pub(crate) fn tables_under<'n>(
    project: &Project,
    names: impl IntoIterator<Item = &'n TableName>,
) -> BTreeSet<TableName> {
    let (mut tables, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<TableName> = names.into_iter().cloned().collect();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        match project.view(&name) {
            Some(view) => open.extend(tables_of(&view.def.sql)),
            None => {
                tables.insert(name);
            }
        }
    }
    tables
}
