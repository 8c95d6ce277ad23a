//! What an answer rests on, with the links that lead further down.

use serde_json::{Value, json};
use xiangyun_engine::query::{RunMention, TableProvenance};

/// `{"tables": […], "links": {…}}`: every table under the figure, its newest runs, and where to read more of them.
pub(crate) fn told(tables: &[TableProvenance], metric: &str) -> Value {
    let tables: Vec<_> = tables.iter().map(table).collect();
    json!({
        "tables": tables,
        "links": {"lines": format!("/v1/metrics/{metric}/provenance")},
    })
}

/// A table with links to itself and from each run to the run, its files and what it rejected.
pub(crate) fn table(table: &TableProvenance) -> Value {
    let mut value = json!(table);
    let name = &table.table;
    value["links"] = json!({"table": format!("/v1/tables/{}/{}", name.schema(), name.table())});
    value["runs"] = Value::Array(table.runs.iter().map(run).collect());
    value
}

fn run(run: &RunMention) -> Value {
    let mut value = json!(run);
    value["links"] = run_links(&run.run_id, run.rows_rejected);
    value
}

/// Where a run can be read about.
pub(crate) fn run_links(id: &str, rejected: u64) -> Value {
    let id = path_segment(id);
    let mut links = json!({"run": format!("/v1/runs/{id}"), "files": format!("/v1/runs/{id}/files")});
    if rejected > 0 {
        links["rejected"] = json!(format!("/v1/runs/{id}/rejected"));
    }
    links
}

/// A text as one segment of a path. Ids are UUIDs as a rule, and another tool's may be anything.
fn path_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => segment.push(char::from(byte)),
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_is_one_segment() {
        assert_eq!(run_links("a/b c", 1)["rejected"], json!("/v1/runs/a%2Fb%20c/rejected"));
        assert_eq!(run_links("01a2-x", 0), json!({"run": "/v1/runs/01a2-x", "files": "/v1/runs/01a2-x/files"}));
    }
}
