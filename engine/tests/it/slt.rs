//! Runs every `.slt` file below `engine/tests/slt` over a lake of its own.
//!
//! A `connection NAME` record picks the principal of that name. A first line `-- params: {"name": value}` gives the
//! values of the statement's parameters.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::datatypes::DataType;
use async_trait::async_trait;
use sqllogictest::{AsyncDB, ColumnType, Connection, DBOutput, Record, Runner, parse_file};
use xiangyun_engine::query::SqlRequest;
use xiangyun_engine::{Error, Principal, PrincipalClass, QueryContext};

use crate::support::{Lake, cells};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_gives_what_it_says() {
    let mut files = Vec::new();
    find(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/slt"), &mut files);
    files.sort();
    assert!(!files.is_empty());
    let mut faults = Vec::new();
    for file in files {
        if let Err(fault) = run(&file).await {
            faults.push(fault);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
}

async fn run(file: &Path) -> Result<(), String> {
    let lake = Lake::open().await;
    let asking = Arc::new(Mutex::new("default".to_owned()));
    let engine = lake.engine.clone();
    let named = Arc::clone(&asking);
    let mut runner = Runner::new(move || {
        let name = named.lock().unwrap().clone();
        let context = engine.query_as(Principal::new(name, "approvals", PrincipalClass::Analyst));
        async move { Ok(Asker { context }) }
    });
    for record in parse_file::<Kind>(file).map_err(|error| error.to_string())? {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        if let Record::Statement { connection: Connection::Named(name), .. }
        | Record::Query { connection: Connection::Named(name), .. } = &record
        {
            asking.lock().unwrap().clone_from(name);
        }
        // The error names file and line.
        runner.run_async(record).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Columns are marked as DataFusion's own files mark them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Real,
    Boolean,
    Date,
    Timestamp,
    Other,
}

const KINDS: [(char, Kind); 7] = [
    ('T', Kind::Text),
    ('I', Kind::Integer),
    ('R', Kind::Real),
    ('B', Kind::Boolean),
    ('D', Kind::Date),
    ('P', Kind::Timestamp),
    ('?', Kind::Other),
];

impl ColumnType for Kind {
    fn from_char(value: char) -> Option<Self> {
        KINDS.into_iter().find(|(mark, _)| *mark == value).map(|(_, kind)| kind)
    }

    fn to_char(&self) -> char {
        KINDS.into_iter().find(|(_, kind)| kind == self).map_or('?', |(mark, _)| mark)
    }
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 => Kind::Text,
        DataType::Boolean => Kind::Boolean,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(..) => Kind::Timestamp,
        other if other.is_integer() => Kind::Integer,
        other if other.is_floating() || other.is_decimal() => Kind::Real,
        _ => Kind::Other,
    }
}

struct Asker {
    context: QueryContext,
}

/// An error as the files expect it: `kind: message (hint) at line:column`.
#[derive(Debug)]
struct Shown(Error);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind().code(), self.0.chain())?;
        if let Some(hint) = self.0.hint() {
            write!(f, " ({hint})")?;
        }
        if let Some(position) = self.0.position() {
            write!(f, " at {}:{}", position.line, position.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for Shown {}

#[async_trait]
impl AsyncDB for Asker {
    type Error = Shown;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Kind>, Shown> {
        let mut request = SqlRequest::new(sql);
        if let Some(values) = sql.lines().next().and_then(|line| line.strip_prefix("-- params: ")) {
            request.params = serde_json::from_str(values).expect("the parameters' values are a JSON object");
        }
        let result = self.context.sql(request).await.map_err(Shown)?;
        let types = result.schema.fields().iter().map(|field| kind(field.data_type())).collect();
        let batches = result.collect().await.map_err(Shown)?;
        Ok(DBOutput::Rows { types, rows: batches.iter().flat_map(cells).collect() })
    }

    async fn shutdown(&mut self) {}
}
