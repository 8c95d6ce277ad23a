//! The process itself, as the operating system sees it.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Figures of the process; those that the system does not tell stay 0.
#[derive(Debug)]
pub(super) struct Process {
    resident_bytes: Gauge<u64, AtomicU64>,
    open_files: Gauge<u64, AtomicU64>,
}

impl Process {
    /// The moment of this call counts as the process's start: the server is opened first.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()));
        registry.register_with_unit("process_start_time", "When the process started", Unit::Seconds, started);
        let resident_bytes = Gauge::default();
        registry.register_with_unit(
            "process_resident_memory",
            "Memory that the process holds",
            Unit::Bytes,
            resident_bytes.clone(),
        );
        let open_files = Gauge::default();
        registry.register("process_open_fds", "Files and sockets that the process has open", open_files.clone());
        Self { resident_bytes, open_files }
    }

    /// Reads the figures anew.
    pub(super) fn look(&self) {
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            self.resident_bytes.set(resident_bytes(&status).unwrap_or(0));
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(files.count() as u64);
        }
    }
}

/// `VmRSS` of Linux' `/proc/PID/status`, which is in KiB.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(resident_bytes("Name:\tx\nVmHWM:\t   20 kB\nVmRSS:\t   12 kB\nRssAnon:\t 4 kB\n"), Some(12 << 10));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }
}
