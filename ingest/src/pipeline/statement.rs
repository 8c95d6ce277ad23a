//! A transform's SQL as far as it can be understood without a planner.

use std::collections::BTreeSet;

use datafusion::common::TableReference;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Statement as Sql, TableFactor,
};
use xiangyun_engine::catalog::TableName;

use crate::check::{FILE_COLUMN, LINE_COLUMN};

/// The name under which a transform reads the rows of its source.
pub(crate) const SOURCE: &str = "source";

/// A parsed transform.
#[derive(Debug)]
pub(crate) struct TransformSql {
    /// The statement that keeps each row's place, where its shape allows one.
    pub(crate) with_places: Option<String>,
    /// The tables and views of the lake that it reads.
    pub(crate) reads: BTreeSet<TableName>,
}

/// Parses `sql`: one SELECT over `source` and tables of the lake.
pub(crate) fn parse(sql: &str) -> Result<TransformSql, String> {
    let mut statements = DFParser::parse_sql(sql).map_err(|error| error.strip_backtrace())?;
    let (Some(statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err("a transform is one SELECT".into());
    };
    let (relations, _) = resolve_table_references(&statement, true).map_err(|error| error.strip_backtrace())?;
    let Statement::Statement(sql) = statement else { return Err("a transform is one SELECT".into()) };
    let Sql::Query(query) = *sql else { return Err("a transform is one SELECT".into()) };
    let (mut reads, mut reads_source) = (BTreeSet::new(), false);
    for relation in relations {
        match &relation {
            TableReference::Bare { table } if table.as_ref() == SOURCE => reads_source = true,
            TableReference::Partial { schema, table } => {
                reads.insert(TableName::try_new(schema, table).map_err(|error| error.to_string())?);
            }
            other => return Err(format!("`{other}` is neither `{SOURCE}` nor a `schema.table`")),
        }
    }
    if !reads_source {
        return Err(format!("it does not read `{SOURCE}`, the rows of the pipeline's source"));
    }
    Ok(TransformSql { with_places: with_places(*query), reads })
}

/// Adds the columns of a row's place to a SELECT that gives one row for each row of the source it keeps: one that
/// reads `source` alone, without grouping, DISTINCT, set operations or subqueries in FROM. Rows keep the file's order.
fn with_places(mut query: Query) -> Option<String> {
    let is_ordered = query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some();
    if query.with.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if !is_row_by_row(select) {
        return None;
    }
    if !select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)))
    {
        for column in [FILE_COLUMN, LINE_COLUMN] {
            select.projection.push(SelectItem::UnnamedExpr(Expr::Identifier(Ident::new(column))));
        }
    }
    let text = query.to_string();
    Some(if is_ordered { text } else { format!("{text} ORDER BY {FILE_COLUMN}, {LINE_COLUMN}") })
}

fn is_row_by_row(select: &Select) -> bool {
    let reads_source_alone = matches!(&select.from[..], [from] if from.joins.is_empty()
        && matches!(&from.relation, TableFactor::Table { name, .. } if name.to_string().eq_ignore_ascii_case(SOURCE)));
    let groups = !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    reads_source_alone && !groups && select.distinct.is_none() && select.having.is_none()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn places_follow_rows_through_row_by_row_statements_only() {
        let placed = |sql: &str| parse(sql).unwrap().with_places;
        assert_eq!(
            placed("select a, trim(b) as b from source where a <> ''").as_deref(),
            Some("SELECT a, TRIM(b) AS b, _file, _line FROM source WHERE a <> '' ORDER BY _file, _line")
        );
        assert_eq!(placed("select * from source").as_deref(), Some("SELECT * FROM source ORDER BY _file, _line"));
        assert!(placed("select a from source order by a limit 3").unwrap().ends_with("FROM source ORDER BY a LIMIT 3"));
        for sql in [
            "select a, count(*) as n from source group by a",
            "select distinct a from source",
            "select a from source union all select a from source",
            "select s.a from source s join stats.gdp g on s.a = g.province",
            "with x as (select a from source) select a from x",
            "select a from (select a from source)",
        ] {
            assert_eq!(placed(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_tables_it_reads_are_known() {
        let reads = parse("select a from source where a in (select code from civil.codes)").unwrap().reads;
        assert_eq!(reads.iter().map(ToString::to_string).collect::<Vec<_>>(), ["civil.codes"]);
        for (sql, expected) in [
            ("select 1", "does not read `source`"),
            ("delete from source", "one SELECT"),
            ("select 1 from source; select 2 from source", "one SELECT"),
            ("select a from source, other", "`other` is neither"),
            ("selec a from source", "Expected"),
        ] {
            let error = parse(sql).unwrap_err();
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
}
