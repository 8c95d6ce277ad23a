//! What makes two loads the same: the texts and numbers under which a commit is recorded in the table's log.

use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::{RunSource, TableDef};

use super::error::RunError;
use crate::commit::version_of;
use crate::pipeline::{PipelineDef, WriteMode};
use crate::source::hex;

/// An application id and version in the sense of Delta's transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) app_id: String,
    pub(super) version: i64,
}

/// The identity of a load.
///
/// Appending, and by key, content is loaded once, whatever its files are called: the content is the identity. Replacing, a load is
/// the same as the last one when content, contract, pipeline and the versions of the tables it reads are.
///
/// # Errors
/// [`RunError::Unhashed`] where the content of a file is not known.
pub(super) fn identity(
    pipeline: &PipelineDef,
    table: &TableDef,
    files: &[RunSource],
    reads: &[(String, u64)],
) -> Result<Identity, RunError> {
    let content = content(files)?;
    let app_id = format!("xiangyun/{}", pipeline.name);
    Ok(match pipeline.mode {
        WriteMode::Append | WriteMode::Upsert(_) | WriteMode::History(_) | WriteMode::Delete => {
            Identity { app_id: format!("{app_id}/{}", hex(&content)), version: 1 }
        }
        WriteMode::Replace | WriteMode::ReplacePartition => {
            let definition = serde_json::to_vec(&(pipeline, table, reads))
                .map_err(|error| RunError::Identity { source: error.into() })?;
            let hash: [u8; 32] = Sha256::new().chain_update(content).chain_update(definition).finalize().into();
            Identity { app_id, version: version_of(hash) }
        }
    })
}

/// The identity of a run that is made again: once for each content of its files.
///
/// # Errors
/// As [`identity`].
pub(super) fn of_redo(pipeline: &str, run_id: &str, files: &[RunSource]) -> Result<Identity, RunError> {
    let version = version_of(content(files)?);
    Ok(Identity { app_id: format!("xiangyun/{pipeline}/redo/{run_id}"), version })
}

/// The hashes of all files: whatever names a commit is made of them, and of nothing in the place of one.
///
/// # Errors
/// [`RunError::Unhashed`] where one is missing.
pub(super) fn hashes(files: &[RunSource]) -> Result<Vec<&str>, RunError> {
    let missing = |file: &RunSource| RunError::Unhashed { path: file.path.clone() };
    files.iter().map(|file| file.sha256.as_deref().ok_or_else(|| missing(file))).collect()
}

fn content(files: &[RunSource]) -> Result<[u8; 32], RunError> {
    let mut content = Sha256::new();
    for hash in hashes(files)? {
        content.update(format!("{hash}\n"));
    }
    Ok(content.finalize().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::run::testing::{pipeline, table};

    fn file(path: &str, sha256: &str) -> RunSource {
        RunSource { path: path.into(), size_bytes: 1, sha256: Some(sha256.into()), encoding: None }
    }

    #[test]
    fn content_counts_and_names_do_not() {
        let (table, mut pipeline) = (table(), pipeline());
        let of = |pipeline: &PipelineDef, files: &[RunSource]| identity(pipeline, &table, files, &[]).unwrap();
        pipeline.mode = WriteMode::Append;
        let first = of(&pipeline, &[file("a", "1"), file("b", "2")]);
        assert_eq!(first, of(&pipeline, &[file("x", "1"), file("y", "2")]));
        assert_ne!(first, of(&pipeline, &[file("a", "1")]));
        assert_ne!(first, of(&pipeline, &[file("a", "12")]));
        let unhashed = [file("a", "1"), RunSource { sha256: None, ..file("b", "") }];
        let refused = identity(&pipeline, &table, &unhashed, &[]).unwrap_err();
        assert!(matches!(&refused, RunError::Unhashed { path } if path == "b"), "{refused}");
        assert!(of_redo("trades", "r", &unhashed).is_err());
        assert!(first.app_id.starts_with("xiangyun/trades/") && first.version == 1);
        pipeline.mode = WriteMode::Replace;
        let first = of(&pipeline, &[file("a", "1")]);
        assert_eq!(first.app_id, "xiangyun/trades");
        assert!(first.version >= 0);
        assert_ne!(first, of(&pipeline, &[file("a", "2")]));
        assert_ne!(first, identity(&pipeline, &table, &[file("a", "1")], &[("x.y".into(), 3)]).unwrap());
        pipeline.duplicates = crate::pipeline::Duplicates::Warn;
        assert_ne!(first, of(&pipeline, &[file("a", "1")]), "another definition gives other rows");
    }
}
