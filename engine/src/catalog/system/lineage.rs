//! `system.lineage`: what comes from what, one edge a row, from the source files to the metrics.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use super::listing::{counts, instants, texts};
use super::runs::committed_runs;
use super::{count, instant, internal, required, schema, text};
use crate::catalog::catalog::Catalog;
use crate::catalog::relations::tables_of;
use crate::catalog::table_name::TableName;
use crate::error::Result;

/// Columns of `system.lineage`.
pub(super) fn lineage_schema() -> SchemaRef {
    schema(vec![
        required(text("from_kind")),
        required(text("from_name")),
        required(text("to_kind")),
        required(text("to_name")),
        text("pipeline"),
        text("run_id"),
        count("version"),
        instant("at"),
    ])
}

/// An edge. Those of loads name the run; those of views and metrics hold as long as they are declared.
struct Edge {
    from: (&'static str, String),
    to: (&'static str, String),
    run: Option<RunEdge>,
}

struct RunEdge {
    pipeline: String,
    run_id: String,
    version: Option<u64>,
    at: DateTime<Utc>,
}

/// The edges of all committed runs and of all declarations.
pub(super) async fn lineage(catalog: &Catalog) -> Result<RecordBatch> {
    let mut edges = Vec::new();
    for run in committed_runs(catalog).await? {
        let sources = run.sources.iter().map(|source| ("source", source.path.clone()));
        let reads = run.reads.iter().map(|read| (kind_of(catalog, &read.table), read.table.to_string()));
        for from in sources.chain(reads) {
            let (pipeline, run_id) = (run.pipeline.clone(), run.run_id.clone());
            let run_edge = RunEdge { pipeline, run_id, version: run.version, at: run.finished_at };
            edges.push(Edge { from, to: ("table", run.table.to_string()), run: Some(run_edge) });
        }
    }
    let project = catalog.project();
    for view in &project.views {
        for name in tables_of(&view.def.sql) {
            let from = (kind_of(catalog, &name), name.to_string());
            edges.push(Edge { from, to: ("view", view.def.name.to_string()), run: None });
        }
    }
    for model in &project.models {
        let table = &model.def.table;
        for metric in model.def.metrics.keys() {
            let from = (kind_of(catalog, table), table.to_string());
            edges.push(Edge { from, to: ("metric", metric.clone()), run: None });
        }
    }
    let runs = || edges.iter().map(|edge| edge.run.as_ref());
    let columns: Vec<ArrayRef> = vec![
        texts(edges.iter().map(|edge| Some(edge.from.0))),
        texts(edges.iter().map(|edge| Some(&edge.from.1))),
        texts(edges.iter().map(|edge| Some(edge.to.0))),
        texts(edges.iter().map(|edge| Some(&edge.to.1))),
        texts(runs().map(|run| run.map(|run| &run.pipeline))),
        texts(runs().map(|run| run.map(|run| &run.run_id))),
        counts(runs().map(|run| run.and_then(|run| run.version))),
        instants(runs().map(|run| run.map(|run| run.at))),
    ];
    RecordBatch::try_new(lineage_schema(), columns).map_err(internal)
}

fn kind_of(catalog: &Catalog, name: &TableName) -> &'static str {
    if catalog.project().view(name).is_some() { "view" } else { "table" }
}
