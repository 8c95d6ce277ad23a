//! Subqueries in FROM get a name where somebody left it out.
//!
//! DataFusion 55 takes `SELECT a + 1 AS a` over `SELECT a + 1 AS a` for one and the same projection, and adds 1 once:
//! two neighbours are equal when neither's columns are qualified. A name for what lies between tells them apart.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, Statement, TableAlias, TableFactor, VisitMut, VisitorMut};

/// Names each nameless subquery in FROM that holds another.
pub(super) fn name(statement: &mut Statement) {
    // Nothing breaks the walk.
    let _ = statement.visit(&mut Names::default());
}

#[derive(Default)]
struct Names {
    /// For each nameless subquery that is being looked at, the innermost last: whether another is in it.
    open: Vec<bool>,
    given: usize,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if is_nameless(factor) {
            if let Some(holds) = self.open.last_mut() {
                *holds = true;
            }
            self.open.push(false);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if is_nameless(factor)
            && self.open.pop() == Some(true)
            && let TableFactor::Derived { alias, .. } = factor
        {
            self.given += 1;
            let name = Ident::new(format!("__subquery_{}", self.given));
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }
}

fn is_nameless(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::Derived { alias: None, .. })
}
