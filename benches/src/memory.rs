//! The memory of this process, where the system tells (Linux).

/// Lets the peak start again from what is in use now.
pub(crate) fn reset_peak() {
    // Where that is not possible the peak since the start is told, which is no less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The greatest resident memory since then, in MiB.
pub(crate) fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib >> 10)
}
