//! The threads that queries run on. A dashboard's query takes milliseconds, an analyst's may take both processors for
//! minutes: those run on threads of their own, which the system lets run where the others leave it time.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// How much later than others the system lets the heavy lane's threads run, from 0 to 19: at 10 they get a tenth of a
/// processor that both want.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Which threads a query runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of whoever asks.
    Quick,
    /// Threads that give way to those.
    Heavy,
}

/// The threads of the heavy lane; there are none before the first query needs them.
#[derive(Debug)]
pub(crate) struct Lanes {
    threads: usize,
    heavy: OnceLock<Option<Runtime>>,
}

impl Lanes {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), heavy: OnceLock::new() }
    }

    /// Where the operators of a query are spawned; none: where it was asked.
    pub(crate) fn handle(&self, lane: Lane) -> Option<Handle> {
        if lane == Lane::Quick {
            return None;
        }
        // A system that gives no more threads leaves the ones that there are.
        let heavy = self.heavy.get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(self.threads)
                .thread_name("query")
                .on_thread_start(give_way)
                .enable_all()
                .build()
                .ok()
        });
        heavy.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // Waiting for its threads would block whichever thread lets go of the engine last.
        if let Some(Some(runtime)) = self.heavy.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux a priority is the thread's own.
#[cfg(target_os = "linux")]
fn give_way() {
    // Not being allowed to is no reason not to run.
    let _ = rustix::process::nice(NICE);
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}
