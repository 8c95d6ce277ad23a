use std::fs;
use std::path::Path;

use crate::support::{Run, binary, finish};

fn init(dir: &Path) -> Run {
    finish(binary().arg("init").arg(dir))
}

fn check(dir: &Path) -> Run {
    finish(binary().arg("check").arg("--project").arg(dir))
}

#[test]
fn a_new_project_passes_its_check() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("mydir");
    init(&dir).ok();
    let run = check(&dir);
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("0 errors, 0 warnings"), "{}", run.stderr);
}

#[test]
fn the_examples_in_its_pages_pass_too() {
    let parent = tempfile::tempdir().unwrap();
    init(parent.path()).ok();
    let mut examples = 0;
    for folder in ["tables", "pipelines", "views", "metrics", "calendar"] {
        let folder = parent.path().join(folder);
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        fs::write(folder.join("example.toml"), example).unwrap();
        examples += 1;
    }
    assert_eq!(examples, 5);
    let run = check(parent.path());
    assert_eq!(run.ok(), "", "{}", run.stderr);
}

#[test]
fn a_folder_that_holds_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "mine").unwrap();
    let run = init(dir.path());
    assert!(run.failed(2).contains("is not empty"), "{}", run.stderr);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_project_is_not_made_twice() {
    let parent = tempfile::tempdir().unwrap();
    init(parent.path()).ok();
    assert!(init(parent.path()).failed(2).contains("is a project already"));
}
