//! Rows of databases, against real servers.

mod failures;
mod incremental;
mod servers;
mod types;
mod volume;

use servers::{Database, PASSWORD};

use crate::workspace::Lake;

/// The contract of `hr.staff` with these columns.
fn contract(columns: &str, extra: &str) -> String {
    format!(
        "version = 1\nname = \"hr.staff\"\nagency = \"测试\"\nowner = \"tests\"\nlevel = \"general-1\"\n\
         sharing = \"unconditional\"\ntitle = {{ zh = \"人员\", en = \"staff\" }}\n\
         description = {{ zh = \"人员\", en = \"staff\" }}\n{extra}\ncolumns = [\n{columns}\n]\n"
    )
}

/// A column of a contract that may be missing.
fn column(name: &str, column_type: &str) -> String {
    format!("{{ name = \"{name}\", type = \"{column_type}\", nullable = true }},\n")
}

fn pipeline(source: &str, mode: &str) -> String {
    format!(
        "version = 1\nname = \"staff\"\ntable = \"hr.staff\"\nmode = {mode}\nduplicates = \"keep\"\nsource = {{ {source} }}\n"
    )
}

/// A project whose pipeline `staff` reads `source` of `connection` into `hr.staff`.
async fn project(connection: &str, contract: &str, source: &str, mode: &str) -> Lake {
    let pipeline = pipeline(source, mode);
    Lake::open(&[
        ("tables/staff.toml", contract.as_bytes()),
        ("pipelines/staff.toml", pipeline.as_bytes()),
        ("connections/hr.toml", connection.as_bytes()),
        ("hr.secret", PASSWORD.as_bytes()),
    ])
    .await
}

impl Database {
    async fn project(&self, contract: &str, source: &str, mode: &str) -> Lake {
        project(&self.connection_file(), contract, source, mode).await
    }
}
