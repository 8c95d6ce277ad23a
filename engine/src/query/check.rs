//! What can be said about a project's views without its data.

use std::collections::HashMap;
use std::ops::Range;

use arrow::datatypes::SchemaRef;
use datafusion::execution::context::SessionState;

use super::error::QueryError;
use super::scope::{Resolver, Scope};
use crate::catalog::{TableName, ViewDef};
use crate::error::{Classify, Error, SqlPosition};
use crate::policy::Principal;
use crate::project::{Diagnostic, Diagnostics, Document, Project, Severity};

/// Plans every view over the contracts, and gives the columns of those that plan. A fault is reported at the view
/// that has it, with its place in the view's SQL, and not at the views that read it.
pub(crate) async fn plan_views(
    project: &Project,
    state: &SessionState,
    diagnostics: &mut Diagnostics,
) -> HashMap<TableName, SchemaRef> {
    let principal = Principal::system();
    let resolver = Resolver::of_contracts(project, &principal, state);
    let mut columns = HashMap::new();
    for view in &project.views {
        let name = &view.def.name;
        let mut scope = Scope::default();
        match resolver.resolve_names(std::slice::from_ref(name), &mut scope).await {
            Ok(()) => match scope.source(name) {
                Some(source) => {
                    let schema = source.schema();
                    report_duplicates(view, &schema, diagnostics);
                    columns.insert(name.clone(), schema);
                }
                None => diagnostics.push(fault(view, None, "the view gives no columns".into(), None)),
            },
            Err(QueryError::View { name: faulty, source }) if faulty == *name => {
                let span = source.position().and_then(|position| place(view, position));
                diagnostics.push(fault(view, span, source.chain(), source.hint().map(Into::into)));
            }
            Err(QueryError::View { .. }) => {}
            // Every view of a cycle is asked in turn, and each is reported once: as the one the cycle begins at.
            Err(QueryError::ViewCycle { name: faulty, .. }) if faulty != *name => {}
            Err(error) => {
                let hint = error.hint();
                diagnostics.push(fault(view, None, Error::from(error).chain(), hint));
            }
        }
    }
    columns
}

fn report_duplicates(view: &Document<ViewDef>, schema: &SchemaRef, diagnostics: &mut Diagnostics) {
    let mut seen = std::collections::HashSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name()) {
            let error = QueryError::DuplicateColumn { name: field.name().clone() };
            diagnostics.push(fault(view, None, error.to_string(), error.hint()));
        }
    }
}

fn fault(view: &Document<ViewDef>, span: Option<Range<usize>>, message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        source: view.source.clone(),
        span: span.or_else(|| view.span_of(&["sql"])),
        message,
        hint,
    }
}

/// The word at `position` of the view's SQL, as a range of the file. None where the file writes the SQL with escapes,
/// so that the two texts differ.
fn place(view: &Document<ViewDef>, position: SqlPosition) -> Option<Range<usize>> {
    let file = &view.source.text;
    let value = view.span_of(&["sql"])?;
    let sql = view.def.sql.as_str();
    let start = value.start + file.get(value)?.find(sql)?;
    let line = usize::try_from(position.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(position.column).ok()?.checked_sub(1)?;
    let line_start = match line {
        0 => 0,
        _ => sql.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let rest = &sql[line_start..];
    let offset = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    let word = rest[offset..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len() - offset).max(1);
    let begin = start + line_start + offset;
    Some(begin..(begin + word).min(file.len()))
}
