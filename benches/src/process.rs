//! A process as Linux tells of it: its memory, and the time that it ran.

use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of processor time in `/proc/PID/stat`, which is the same on every machine that Linux is built for today.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// A process by its name below `/proc`.
#[derive(Debug, Clone)]
pub(crate) struct Process(String);

impl Process {
    /// This one.
    pub(crate) fn own() -> Self {
        Self("self".into())
    }

    /// Another one.
    pub(crate) fn of(id: u32) -> Self {
        Self(id.to_string())
    }

    /// Lets the peak start again from what is in use now.
    pub(crate) fn reset_peak(&self) {
        // Where that is not possible the peak since the start is told, which is no less.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    /// The greatest resident memory since then, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    /// The resident memory, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    fn status(&self, field: &str) -> Result<f64> {
        let path = format!("/proc/{}/status", self.0);
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}, which Linux has"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB"));
        let kib: f64 = kib.with_context(|| format!("{path} has no {field}"))?.trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// The processor time of all its threads, of those that ended too.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}, which Linux has"))?;
        cpu_ticks(&stat).map(|ticks| TICK * ticks).with_context(|| format!("cannot understand {path}"))
    }
}

/// Its own and the system's time for it: fields 14 and 15. The name, field 2, stands in brackets and may have blanks.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (own, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(own + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_a_name_of_any_kind() {
        let stat = "17 (a ) b) S 1 17 17 0 -1 4194304 100 0 0 0 31 11 0 0 20 0 9 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("17 (a) S 1"), None);
    }
}
