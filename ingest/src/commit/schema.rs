//! How a table comes to be and grows: from its contract, by adding nullable columns.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Action, Metadata, MetadataExt, Protocol, StructType, new_metadata};
use deltalake::table::state::DeltaTableState;
use xiangyun_engine::error::BoxError;

use super::error::CommitError;
use super::target::Target;

/// Commits between checkpoints: what a reader without a cache replays at most.
const CHECKPOINT_INTERVAL: &str = "20";

/// What has to be committed with the first rows, or with the first ones that have new columns.
pub(super) fn schema_actions(target: &Target, state: Option<&DeltaTableState>) -> Result<Vec<Action>, CommitError> {
    match state {
        None => create(target).map_err(|source| CommitError::Refused { table: target.label().into(), source }),
        Some(state) if target.is_made_anew => replaced(target, state),
        Some(state) => evolve(target, state),
    }
}

fn create(target: &Target) -> Result<Vec<Action>, BoxError> {
    // Reader 1, writer 2: no table features, so every Delta reader understands the table.
    let protocol: Protocol = serde_json::from_value(serde_json::json!({"minReaderVersion": 1, "minWriterVersion": 2}))?;
    let properties = [
        ("delta.checkpointInterval", CHECKPOINT_INTERVAL),
        // Statistics of all columns, not only of the first 32.
        ("delta.dataSkippingNumIndexedCols", "-1"),
        // The commits are the record of all runs: nothing removes them behind our back.
        ("delta.enableExpiredLogCleanup", "false"),
    ];
    let schema: StructType = target.schema.as_ref().try_into_kernel()?;
    let metadata = new_metadata(&schema, &target.partition_by, properties)?
        .with_name(target.label().to_string())?
        .with_description(target.description.clone())?;
    Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
}

/// The columns of the target in the place of those that the table has.
fn replaced(target: &Target, state: &DeltaTableState) -> Result<Vec<Action>, CommitError> {
    let there = state.snapshot().arrow_schema();
    let shape = |schema: &Schema| -> Vec<_> {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    if shape(&there) == shape(&target.schema) {
        return Ok(Vec::new());
    }
    let made = || -> Result<Metadata, BoxError> {
        let schema: StructType = target.schema.as_ref().try_into_kernel()?;
        Ok(state.metadata().clone().with_schema(&schema)?)
    };
    let made = made().map_err(|source| CommitError::Refused { table: target.label().into(), source })?;
    Ok(vec![Action::Metadata(made)])
}

fn evolve(target: &Target, state: &DeltaTableState) -> Result<Vec<Action>, CommitError> {
    let error = |reason: String| CommitError::Evolution { table: target.label().into(), reason };
    let actual = state.snapshot().arrow_schema();
    if state.metadata().partition_columns() != target.partition_by.as_slice() {
        let is = state.metadata().partition_columns().join(", ");
        return Err(error(format!(
            "it is partitioned by [{is}], the contract says [{}]",
            target.partition_by.join(", ")
        )));
    }
    for field in actual.fields() {
        if target.schema.column_with_name(field.name()).is_none() && !field.is_nullable() {
            return Err(error(format!("column `{}` may not be missing and is no longer declared", field.name())));
        }
    }
    let mut added: Vec<Arc<Field>> = Vec::new();
    for field in target.schema.fields() {
        let Some((_, existing)) = actual.column_with_name(field.name()) else {
            if !field.is_nullable() {
                return Err(error(format!("new column `{}` must be nullable: older rows have no value", field.name())));
            }
            added.push(field.clone());
            continue;
        };
        if existing.data_type() != field.data_type() {
            let (is, wanted) = (existing.data_type(), field.data_type());
            return Err(error(format!("column `{}` is {is}, the contract says {wanted}", field.name())));
        }
        if field.is_nullable() && !existing.is_nullable() {
            return Err(error(format!("column `{}` may not be missing, the contract says it may", field.name())));
        }
    }
    if added.is_empty() {
        return Ok(Vec::new());
    }
    let grown = grow(state, added).map_err(|source| CommitError::Refused { table: target.label().into(), source })?;
    Ok(vec![Action::Metadata(grown)])
}

fn grow(state: &DeltaTableState, added: Vec<Arc<Field>>) -> Result<Metadata, BoxError> {
    let added: StructType = (&Schema::new(added)).try_into_kernel()?;
    let fields = state.schema().fields().cloned().chain(added.fields().cloned()).collect::<Vec<_>>();
    Ok(state.metadata().clone().with_schema(&StructType::try_new(fields)?)?)
}
