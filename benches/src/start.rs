//! How long does the binary take to say its version, and to answer `select 1` over the demo's lake?

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::lake::Lake;
use crate::report;

/// Wall time, process start to exit.
pub(crate) fn measure(binary: &Path, lake: &Lake, repeat: usize) -> Result<()> {
    report::heading("start-up of the binary", "ms");
    let project = lake.project().to_str().context("the temporary folder's name is not text")?;
    for arguments in [&["--version"][..], &["--project", project, "sql", "-c", "select 1"]] {
        let mut best = f64::INFINITY;
        for _ in 0..repeat {
            let start = Instant::now();
            let status = Command::new(binary)
                .args(arguments)
                .stdout(Stdio::null())
                .status()
                .with_context(|| format!("cannot run {}", binary.display()))?;
            best = best.min(start.elapsed().as_secs_f64());
            ensure!(status.success(), "{arguments:?} failed");
        }
        report::alone(&format!("xiangyun {}", arguments.join(" ").replace(project, "DEMO")), best * 1e3);
    }
    Ok(())
}
