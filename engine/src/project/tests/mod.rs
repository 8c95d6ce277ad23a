//! The loader over whole project folders: every fault of every file, once, with its place.

#![allow(clippy::unwrap_used, reason = "tests")]

mod docs;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::catalog::TableDef;
use crate::semantic::SemanticModelDef;

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

/// The report is read by people: `faulty/expected.txt` holds it whole, in the order in which it is printed.
#[test]
fn a_faulty_project_reports_all_faults_of_all_files_at_once() {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(&fixture("faulty"), &mut diagnostics);
    let expected = fs::read_to_string(fixture("faulty").join("expected.txt")).unwrap();
    assert_eq!(report(&diagnostics), expected);
    assert!(diagnostics.has_errors());
    // What is sound stays usable: the first of two views of one name.
    assert_eq!((project.tables.len(), project.views.len(), project.models.len()), (0, 1, 0));
}

#[test]
fn a_folder_that_is_not_there_declares_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut diagnostics = Diagnostics::default();
    assert!(load_folder::<TableDef>(root.path(), &mut diagnostics).is_empty());
    assert!(diagnostics.is_empty());
}

#[test]
fn what_cannot_be_read_is_a_fault_and_hidden_or_other_files_are_not_read() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("tables/folder.toml")).unwrap();
    fs::write(root.path().join("tables/.hidden.toml"), "???").unwrap();
    fs::write(root.path().join("tables/notes.md"), "???").unwrap();
    fs::write(root.path().join("views"), "a file").unwrap();
    let mut diagnostics = Diagnostics::default();
    Project::load(root.path(), &mut diagnostics);
    let found: Vec<_> =
        diagnostics.iter().map(|d| (d.source.path.display().to_string(), d.message.contains("cannot read"))).collect();
    assert_eq!(found, [("tables/folder.toml".to_owned(), true), ("views".to_owned(), true)]);
}

#[test]
fn a_key_path_leads_to_its_place_or_to_the_nearest_parent() {
    let text = "version = 1\n[metrics.late]\ntitle.zh = \"甲\"\n[[columns]]\nname = \"a\"\n[[columns]]\nname = \"b\"\n";
    let source = SourceText { path: "x.toml".into(), text: text.into() };
    let document = Document { source: source.into(), def: std::sync::Arc::new(()) };
    let at = |path: &[&str]| document.span_of(path).map(|span| &text[span]);
    assert_eq!(at(&["version"]), Some("1"));
    assert_eq!(at(&["metrics", "late"]), Some("late"));
    assert_eq!(at(&["metrics", "late", "title", "zh"]), Some("\"甲\""));
    assert_eq!(at(&["metrics", "late", "owner"]), Some("late"));
    assert_eq!(at(&["columns", "1", "name"]), Some("\"b\""));
    assert_eq!(at(&["columns", "7", "name"]), document.span_of(&["columns"]).map(|span| &text[span]));
    assert_eq!(at(&["nothing"]), None);
    assert_eq!(document.place_of(&["columns", "1", "name"]), "x.toml:7:8");
}

proptest! {
    /// Whatever a file holds, loading it ends in a document or in faults that can be shown.
    #[test]
    fn no_text_makes_the_loader_panic(text in "(version = 1\n)?([a-z]{1,9}(\\.[a-z]{1,4})? = )?(\\PC|[\n\t\"'\\[\\]{}=.,#0-9]){0,60}") {
        let mut diagnostics = Diagnostics::default();
        let source = |text: &str| SourceText { path: "tables/any.toml".into(), text: text.into() };
        let table = Document::<TableDef>::parse(source(&text), &mut diagnostics);
        let model = Document::<SemanticModelDef>::parse(source(&text), &mut diagnostics);
        prop_assert_eq!(table.is_none() || model.is_none(), diagnostics.has_errors());
        let _ = report(&diagnostics);
    }

    /// A slip in any key of a sound file is found, and nothing panics on a file cut at any character.
    #[test]
    fn a_cut_or_changed_file_is_judged_without_panic(at in 0usize..2000, junk in "\\PC{0,3}") {
        let sound = fs::read_to_string(fixture("sound").join("metrics/approvals.toml")).unwrap();
        let at = sound.floor_char_boundary(at);
        let text = format!("{}{junk}{}", &sound[..at], &sound[at..]);
        for text in [text.as_str(), &text[..at]] {
            let mut diagnostics = Diagnostics::default();
            let source = SourceText { path: "metrics/any.toml".into(), text: text.into() };
            let document = Document::<SemanticModelDef>::parse(source, &mut diagnostics);
            prop_assert_eq!(document.is_none(), diagnostics.has_errors());
            let _ = report(&diagnostics);
        }
    }
}
