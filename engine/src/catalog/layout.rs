//! How a table's files are laid out: the part of the contract that no query's answer depends on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[optimize]`: the sizes that files are brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizeDef {
    /// Bytes of a file as it is stored, in MiB, that small files are put together to. 1 to 1024; a file being written is
    /// held in memory.
    #[schemars(range(min = 1, max = 1024))]
    pub target_file_mib: u32,
    /// Small files of about one size in a partition that are put together as soon as there are so many. 2 to 1000.
    #[schemars(range(min = 2, max = 1000))]
    pub min_files: u32,
    /// Level of zstd, 1 (fast) to 19 (small). Of records of people and firms, whose codes and places are kept in
    /// dictionaries, 3 makes files a few hundredths smaller than 1, and takes a sixth longer to write.
    #[schemars(range(min = 1, max = 19))]
    pub zstd_level: u8,
    /// Whether small files are put together by themselves, after loads and pushes. `xiangyun table optimize` does it in
    /// any case.
    pub automatic: bool,
}

impl Default for OptimizeDef {
    fn default() -> Self {
        Self { target_file_mib: 128, min_files: 8, zstd_level: 1, automatic: true }
    }
}

impl OptimizeDef {
    /// Bytes that a file should have.
    pub fn target_bytes(&self) -> u64 {
        u64::from(self.target_file_mib) << 20
    }
}
