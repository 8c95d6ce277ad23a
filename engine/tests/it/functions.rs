//! What holds for every SQL function: documented on one page, NULL-safe, and found by name.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;
use xiangyun_engine::clock::{Clock, FixedClock};
use xiangyun_engine::functions::{Reference, aggregate_functions, scalar_functions};

fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock("2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap()))
}

/// A bare session that knows the functions: what a worker registers.
pub(crate) fn session() -> SessionContext {
    let (context, reference) = (SessionContext::new(), Reference::built_in());
    scalar_functions(&reference, &clock()).into_iter().for_each(|function| context.register_udf(function));
    aggregate_functions(&reference).into_iter().for_each(|function| context.register_udaf(function));
    context
}

/// Name and documentation of each function, in the order of the page.
fn documented() -> Vec<(String, Documentation)> {
    let reference = Reference::built_in();
    let scalar = scalar_functions(&reference, &clock());
    let aggregate = aggregate_functions(&reference);
    let scalar = scalar.iter().map(|function| (function.name().to_owned(), function.documentation().cloned()));
    let aggregate = aggregate.iter().map(|function| (function.name().to_owned(), function.documentation().cloned()));
    let named = |(name, entry): (String, Option<Documentation>)| {
        let entry = entry.unwrap_or_else(|| panic!("{name} has no documentation"));
        (name, entry)
    };
    scalar.chain(aggregate).map(named).collect()
}

const INTRODUCTION: &str = "\
# SQL functions of government data

Besides the functions of [DataFusion's SQL](https://datafusion.apache.org/user-guide/sql/), queries, views, checks and
metrics can use these. Conventions:

- NULL in gives NULL out.
- Codes are text. A number is refused, since its leading zeros are gone.
- A date may be a `DATE`, a text `YYYY-MM-DD` or a timestamp: with a zone, the day in China; without one, the day shown.
- Divisions come from yearly lists (1981 to 2024, the state at each year's end) and from the statistical codes of 2023,
  which alone know townships and zones; `division_edition` tells which. A date is looked up by its year; after 2024 the last
  known state stands. Without a date, a retired code has its last meaning.
- Working days exist for the years that the State Council has published, 2007 to 2026 and those that the project adds in
  `calendar/*.toml`. Outside them the query fails and names the year; the `try_` variants give NULL.

This page is written from the functions' own documentation; `UPDATE_DOCS=1 cargo test -p xiangyun-engine --test it
functions` writes it anew.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let entries = documented();
    let mut sections: Vec<&str> = Vec::new();
    for (_, entry) in &entries {
        if !sections.contains(&entry.doc_section.label) {
            sections.push(entry.doc_section.label);
        }
    }
    for section in sections {
        write!(page, "\n## {section}\n\n| function | what it gives |\n|---|---|\n").unwrap();
        for (_, entry) in entries.iter().filter(|(_, entry)| entry.doc_section.label == section) {
            writeln!(page, "| `{}` | {} |", entry.syntax_example, entry.description).unwrap();
        }
    }
    page
}

#[test]
fn the_page_and_the_registry_agree() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/sql-functions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, page(), "run this test with UPDATE_DOCS=1");
}

#[test]
fn every_function_is_documented_in_one_line_and_named_once() {
    let mut entries = documented();
    for (name, entry) in &entries {
        assert!(entry.syntax_example.starts_with(&format!("{name}(")), "{name}");
        assert!(!entry.description.contains(['\n', '|']) && entry.description.ends_with('.'), "{name}");
    }
    let count = entries.len();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    entries.dedup_by(|left, right| left.0 == right.0);
    assert_eq!(entries.len(), count);
}

/// The arguments of a call such as `f(a, b[, c])`, all of them or only the ones that must be given.
fn arguments(syntax: &str, all: bool) -> usize {
    let inside = syntax.split_once('(').unwrap().1.trim_end_matches(')');
    let given = if all { inside } else { inside.split('[').next().unwrap() };
    given.split(',').filter(|argument| !argument.trim_matches([' ', '[', ']']).is_empty()).count()
}

#[tokio::test]
async fn null_gives_null_whether_constant_or_column() {
    let session = session();
    for (name, entry) in documented() {
        for count in [arguments(&entry.syntax_example, false), arguments(&entry.syntax_example, true)] {
            if count == 0 {
                continue;
            }
            for argument in ["NULL", "x"] {
                let call = format!("{name}({})", vec![argument; count].join(", "));
                let sql = format!("SELECT min({call} IS NULL) FROM (VALUES (NULL), (NULL)) t(x)");
                let is_aggregate = ["_union", "_sketch", "_merge"].iter().any(|end| name.ends_with(end));
                let sql = if is_aggregate { sql.replace("min(", "(") } else { sql };
                // Of no values there is a sketch, as their count is zero.
                let sql = if name == "hll_sketch" { sql.replace("IS NULL", "= X'0100'") } else { sql };
                let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
                let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
                assert!(shown.contains("true") && !shown.contains("false"), "{sql}\n{shown}");
            }
        }
    }
}
