//! The project's files: found, parsed with positions, and complained about all at once. Generic over the kind of file.

mod diagnostic;
mod document;
#[expect(clippy::module_inception, reason = "the folder is named for the thing")]
mod project;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use document::{Document, Resource, SourceText, load_folder};
pub use project::Project;
