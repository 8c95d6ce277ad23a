//! Where the rows of a run wait for its commit: in data files, or where the commit has to look at them first.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{TableDef, with_provenance};

use super::committer::Committer;
use super::error::CommitError;
use super::spool::SpoolWriter;
use super::target::Target;
use super::writer::{StagedFiles, TableWriter, WriterOptions};
use crate::pipeline::WriteMode;

/// Takes the rows of a run.
#[derive(Debug)]
pub struct RowStage(Kind);

#[derive(Debug)]
enum Kind {
    /// Files that the commit adds as they are.
    Files(Box<TableWriter>),
    /// Rows whose effect depends on what the table holds when they are committed.
    Rows { writer: Option<Box<SpoolWriter>>, schema: SchemaRef },
}

impl RowStage {
    /// For rows that enter `table` as `mode` says.
    pub fn open(committer: &Committer, table: &TableDef, mode: &WriteMode) -> Result<Self> {
        if !mode.is_keyed() {
            let writer = TableWriter::new(committer.storage(), table, WriterOptions::of_table(table));
            return Ok(Self(Kind::Files(Box::new(writer))));
        }
        let schema = with_provenance(&mode.contract_of_rows(table).arrow_schema());
        let label = Target::of_table(committer.storage(), table).label().to_owned();
        let runtime = committer.runtime()?;
        let writer = Some(Box::new(SpoolWriter::open(&runtime, &label, &schema, true)?));
        Ok(Self(Kind::Rows { writer, schema }))
    }

    /// Takes rows in: those of the mode's contract, and their hidden columns.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        match &mut self.0 {
            Kind::Files(writer) => writer.write(batch).await,
            Kind::Rows { writer, schema } => {
                let Some(mut spool) = writer.take() else { return Ok(()) };
                let order = schema.fields().iter().map(|field| batch.schema().index_of(field.name()));
                let order: Vec<usize> = order.collect::<Result<_, _>>().map_err(encode)?;
                let batch = batch.project(&order).map_err(encode)?;
                let written = tokio::task::spawn_blocking(move || spool.write(&batch).map(|()| spool)).await;
                *writer = Some(written.map_err(encode)??);
                Ok(())
            }
        }
    }

    /// The rows, ready for [`Committer::commit`].
    pub async fn finish(self) -> Result<StagedFiles> {
        match self.0 {
            Kind::Files(writer) => writer.finish().await,
            Kind::Rows { writer: Some(writer), .. } => Ok(StagedFiles::of_spooled(writer.finish()?)),
            Kind::Rows { writer: None, .. } => Ok(StagedFiles::default()),
        }
    }
}

fn encode(source: impl Into<xiangyun_engine::error::BoxError>) -> CommitError {
    CommitError::Encode { table: "a load".into(), source: source.into() }
}
