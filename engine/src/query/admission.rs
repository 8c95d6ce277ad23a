//! Who runs now and who waits: each class has slots of its own, so that eight heavy queries of analysts leave a
//! dashboard's alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::QueryError;
use super::limits::{ClassLimits, Limits};
use crate::policy::PrincipalClass;

/// The slots of all classes.
#[derive(Debug)]
pub(crate) struct Admission {
    dashboard: Option<Gate>,
    analyst: Option<Gate>,
}

/// The right to run; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Gate {
    class: &'static str,
    slots: Arc<Semaphore>,
    concurrent: usize,
    waiting: AtomicUsize,
    queued: usize,
}

impl Admission {
    /// Slots as the limits say.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { dashboard: Gate::new("dashboard", &limits.dashboard), analyst: Gate::new("analyst", &limits.analyst) }
    }

    /// Waits for a slot, first come, first served.
    ///
    /// # Errors
    /// [`QueryError::QueueFull`] where too many wait already.
    pub(crate) async fn enter(&self, class: PrincipalClass) -> Result<Slot, QueryError> {
        let gate = match class {
            PrincipalClass::Dashboard => &self.dashboard,
            PrincipalClass::Analyst => &self.analyst,
            PrincipalClass::Batch | PrincipalClass::Operator => &None,
        };
        match gate {
            Some(gate) => gate.enter().await,
            None => Ok(Slot::default()),
        }
    }
}

impl Gate {
    fn new(class: &'static str, limits: &ClassLimits) -> Option<Self> {
        let concurrent = limits.concurrent.min(Semaphore::MAX_PERMITS);
        (concurrent > 0).then(|| Self {
            class,
            slots: Arc::new(Semaphore::new(concurrent)),
            concurrent,
            waiting: AtomicUsize::new(0),
            queued: limits.queued,
        })
    }

    async fn enter(&self) -> Result<Slot, QueryError> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(Slot { _permit: Some(permit) });
        }
        // Left however the waiting ends: a caller may go away.
        let _place = Place::take(self)?;
        // It is never closed.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        Ok(Slot { _permit: permit })
    }
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Result<Self, QueryError> {
        let taken = gate.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < gate.queued).then_some(waiting + 1)
        });
        match taken {
            Ok(_) => Ok(Self(&gate.waiting)),
            Err(waiting) => Err(QueryError::QueueFull { class: gate.class, running: gate.concurrent, waiting }),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::error::{Classify, ErrorKind};

    #[tokio::test]
    async fn a_class_has_its_own_slots_and_a_queue_that_ends() {
        let one = ClassLimits { concurrent: 1, queued: 1, ..ClassLimits::NONE };
        let admission = Admission::new(&Limits { analyst: one, ..Limits::default() });
        let enter = |class| admission.enter(class);
        let running = enter(PrincipalClass::Analyst).await.unwrap();
        let mut waiting = Box::pin(enter(PrincipalClass::Analyst));
        assert!(waiting.as_mut().now_or_never().is_none());
        let refused = enter(PrincipalClass::Analyst).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        assert!(refused.hint().unwrap().contains("limits.analyst_queued"), "{:?}", refused.hint());
        // Others are not concerned.
        enter(PrincipalClass::Dashboard).await.unwrap();
        enter(PrincipalClass::Operator).await.unwrap();
        // Who goes away leaves its place in the queue to the next one.
        drop(waiting);
        let mut waiting = Box::pin(enter(PrincipalClass::Analyst));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(running);
        waiting.await.unwrap();
    }
}
