//! The files of `tests/hostile`, as their `README.md` describes them.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use xiangyun_engine::query::ParamValue;

/// What should become of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is answered.
    Answers,
    /// It fails with this code.
    Fails(String),
    /// It is answered or fails, and not through a defect.
    Ends,
    /// It runs until its time is over.
    Endless,
}

/// A statement, written out.
#[derive(Debug, Clone)]
pub(super) struct Hostile {
    /// File and line, and why it is there.
    pub(super) title: String,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) sql: String,
    pub(super) params: IndexMap<String, ParamValue>,
}

/// Every topic there is a file of.
pub(super) fn topics() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "sql"));
    let mut topics: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    topics.sort();
    topics
}

/// The statements of a topic; `own` is the folder of the process.
pub(super) fn read(topic: &str, own: &Path) -> Vec<Hostile> {
    let text = std::fs::read_to_string(folder().join(format!("{topic}.sql"))).unwrap();
    let mut found: Vec<(Hostile, Vec<&str>)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(head) = line.strip_prefix("--! ") {
            let (outcomes, why) = head.split_once(": ").unwrap_or_else(|| panic!("{topic}.sql:{}", number + 1));
            let hostile = Hostile {
                title: format!("{topic}.sql:{} {why}", number + 1),
                outcomes: outcomes.split('|').map(outcome).collect(),
                sql: String::new(),
                params: IndexMap::new(),
            };
            found.push((hostile, Vec::new()));
        } else if let Some(params) = line.strip_prefix("--$ ") {
            found.last_mut().unwrap().0.params = serde_json::from_str(params).unwrap();
        } else {
            found.last_mut().unwrap().1.push(line);
        }
    }
    let written =
        |(hostile, lines): (Hostile, Vec<&str>)| Hostile { sql: write_out(&lines.join("\n"), own), ..hostile };
    found.into_iter().map(written).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")
}

fn outcome(word: &str) -> Outcome {
    match word {
        "answers" => Outcome::Answers,
        "ends" => Outcome::Ends,
        "endless" => Outcome::Endless,
        code => Outcome::Fails(code.into()),
    }
}

fn write_out(text: &str, own: &Path) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('«') {
        let (inside, after) = behind.split_once('»').unwrap();
        written.push_str(before);
        match inside.split_once('|') {
            None if inside == "folder" => written.push_str(own.to_str().unwrap()),
            Some((count, repeated)) => {
                let (repeated, separator) = repeated.split_once('¦').unwrap_or((repeated, ""));
                let each = (0..count.parse::<usize>().unwrap())
                    .map(|at| repeated.replace("{i}", &at.to_string()).replace("{j}", &(at + 1).to_string()));
                written.push_str(&each.collect::<Vec<_>>().join(separator));
            }
            None => panic!("{inside}"),
        }
        rest = after;
    }
    written.push_str(rest);
    written.replace('␀', "\0")
}
