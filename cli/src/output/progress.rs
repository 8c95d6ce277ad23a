//! Progress bars on standard error, where that is a terminal.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use xiangyun_ingest::progress::{Progress, Silent};

/// One load's progress.
#[derive(Debug)]
pub(crate) struct LoadProgress {
    bar: ProgressBar,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl LoadProgress {
    /// A bar for the load called `name`; silent where nobody watches.
    pub(crate) fn start(name: &str, quiet: bool) -> Arc<dyn Progress> {
        if quiet || !io::stderr().is_terminal() {
            return no_progress();
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:30} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Arc::new(Self { bar, rows: AtomicU64::new(0), bytes: AtomicU64::new(0) })
    }
}

/// Says nothing.
fn no_progress() -> Arc<dyn Progress> {
    Arc::new(Silent)
}

impl Progress for LoadProgress {
    fn step(&self, name: &'static str, total_bytes: Option<u64>) {
        self.bytes.store(0, Ordering::Relaxed);
        let template = match total_bytes {
            Some(total) => {
                self.bar.set_length(total);
                self.bar.set_position(0);
                "{spinner} {prefix:30} {bar:24} {percent:>3}% {msg} {binary_bytes_per_sec} {eta} left"
            }
            None => "{spinner} {prefix:30} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_message(name);
    }

    fn advance(&self, rows: u64, bytes: u64) {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bar.set_position(bytes);
        self.bar.set_message(format!("{} rows, {}", HumanCount(rows), HumanBytes(bytes)));
    }
}

impl Drop for LoadProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear(); // the summary table tells what was done
    }
}
