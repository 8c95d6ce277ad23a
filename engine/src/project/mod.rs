//! The project's files: found, parsed with positions, and complained about all at once. Generic over the kind of file.

mod check;
mod check_alerts;
mod check_dashboards;
mod diagnostic;
mod document;
#[expect(clippy::module_inception, reason = "the folder is named for the thing")]
mod project;
mod render;
mod schema;
mod suggest;
#[cfg(test)]
mod tests;
mod validate;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use document::{Document, Resource, SourceText, load_folder};
pub use project::Project;
pub use render::{Position, render};
pub use schema::json_schema;
pub use suggest::nearest;
