//! Named places at which a test kills the process, as a power cut would.
//!
//! Release builds contain none of it. In debug builds `XIANGYUN_FAILPOINT=name` aborts the process when `name` is
//! reached, and `XIANGYUN_FAILPOINT_LOG=file` appends every name that is reached, so that a test can tell that its
//! point exists.

/// Every name, in the order in which a load reaches them.
pub const NAMES: [&str; 8] = [
    "before_data_files",
    "after_data_files",
    "before_quarantine_commit",
    "after_quarantine_commit",
    "before_data_commit",
    "after_data_commit",
    "before_run_record",
    "after_run_record",
];

/// Names that only a load reaches that writes files of the table anew.
pub const REWRITE_NAMES: [&str; 2] = ["before_rewrite", "after_rewrite"];

/// Says that `name` was reached.
pub fn hit(name: &'static str) {
    debug_assert!(NAMES.contains(&name) || REWRITE_NAMES.contains(&name), "`{name}` is not listed");
    #[cfg(debug_assertions)]
    armed::hit(name);
}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write;

    /// The two variables of a debug build; not part of the product's settings.
    const ABORT_AT: &str = "XIANGYUN_FAILPOINT";
    const LOG: &str = "XIANGYUN_FAILPOINT_LOG";

    pub(super) fn hit(name: &str) {
        if let Some(path) = std::env::var_os(LOG) {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(path);
            // A test that cannot read its log fails by itself.
            let _ = log.and_then(|mut log| writeln!(log, "{name}"));
        }
        if std::env::var_os(ABORT_AT).is_some_and(|wanted| wanted == name) {
            std::process::abort();
        }
    }
}
