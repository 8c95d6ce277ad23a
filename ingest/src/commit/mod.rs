//! The one place that writes to tables: Parquet files first, then a commit that names them.
//!
//! A load uses it in this order; dying between any two steps leaves the lake whole, and running the load again does
//! what is left to do:
//!
//! 1. [`Committer::find`]: was the same content committed before? Then there is nothing to do.
//! 2. [`TableWriter::write`] and [`TableWriter::finish`]: data files, durable and visible to nobody.
//! 3. [`QuarantineWriter::write`] and [`QuarantineWriter::commit`]: rejected rows, under the run's id; hidden until
//!    the run has committed.
//! 4. [`Committer::commit`]: the commit point. The run's record rides in the commit.
//! 5. [`Committer::append_run`]: the record again, in the runs log. Where it is missing, `system.runs` takes it from
//!    the commit.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use xiangyun_engine::catalog::{RunRecord, TableDef};
//! # use xiangyun_ingest::commit::*;
//! # use xiangyun_ingest::pipeline::WriteMode;
//! # async fn load(
//! #     committer: Committer, table: Arc<TableDef>, run: RunRecord, batches: Vec<arrow::array::RecordBatch>,
//! #     sha256: &str, rejected: Vec<QuarantineRow>,
//! # ) -> xiangyun_engine::Result<()> {
//! let idempotency = Idempotency { app_id: format!("xiangyun/{}/{sha256}", run.pipeline), version: 1 };
//! if committer.find(&table, &idempotency).await?.is_some() {
//!     return Ok(());
//! }
//! let mut writer = TableWriter::new(committer.storage(), &table, WriterOptions::of_table(&table));
//! for batch in batches {
//!     writer.write(batch).await?;
//! }
//! let files = writer.finish().await?;
//! let mut quarantine = QuarantineWriter::new(&committer, &run.run_id, &run.pipeline, &table.name);
//! quarantine.write(&rejected, run.started_at).await?;
//! quarantine.commit(&committer).await?;
//! let request = CommitRequest { table, mode: WriteMode::Append, files, idempotency, run: run.clone() };
//! match committer.commit(request).await? {
//!     CommitOutcome::Committed { version } => committer.append_run(&RunRecord { version: Some(version), ..run }).await?,
//!     CommitOutcome::AlreadyCommitted { .. } => {} // another process was faster with the same content
//! }
//! # Ok(())
//! # }
//! ```

mod committer;
mod compaction;
mod digest;
mod edit;
mod encode;
mod error;
mod fence;
mod keys;
mod logs;
mod partition;
mod past;
mod restoration;
mod rolling;
mod rollup;
mod schema;
mod sorted;
mod spool;
mod stage;
mod statistics;
mod streaming;
mod target;
mod turn;
mod writer;

pub(crate) use committer::version_of;
pub use committer::{CommitOutcome, CommitRequest, Committer, Idempotency, InPlace};
pub use compaction::{Compacted, Pick, Small, Subject};
pub use edit::TakenOut;
pub use error::CommitError;
pub(crate) use fence::below;
pub use keys::KEYS_FOR;
pub use logs::{QuarantineRow, QuarantineWriter};
pub use past::PastLoad;
pub(crate) use restoration::RestorePlan;
pub(crate) use rollup::RolledCommit;
pub use stage::RowStage;
pub use writer::{StagedFiles, TableWriter, WriterOptions};
