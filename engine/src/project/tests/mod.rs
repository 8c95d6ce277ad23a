//! The loader over whole project folders: every fault of every file, once, with its place.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/projects").join(name)
}

fn report(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, false)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sound_project_loads_without_a_word() {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(&fixture("sound"), &mut diagnostics);
    assert_eq!(report(&diagnostics), "");
    let names: Vec<_> = project.tables.iter().map(|table| table.def.name.to_string()).collect();
    assert_eq!(names, ["approvals.cases", "statistics.gdp"]);
    assert_eq!((project.views.len(), project.models.len(), project.calendar.len()), (1, 1, 1));
    assert_eq!(project.models[0].def.metrics.len(), 4);
}
