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
pub(crate) struct Admission([Class; 4]);

/// How many queries of a class there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLoad {
    /// The class.
    pub class: PrincipalClass,
    /// Queries whose operators work, or whose rows are fetched. What is answered from memory is not among them.
    pub running: usize,
    /// Queries that wait for a slot.
    pub queued: usize,
}

/// The right to run; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    _running: Option<Running>,
}

/// The queries of one class, and its slots where it has a limit.
#[derive(Debug)]
struct Class {
    class: PrincipalClass,
    running: Arc<AtomicUsize>,
    gate: Option<Gate>,
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
        let class = |class: PrincipalClass, limits: &ClassLimits| Class {
            class,
            running: Arc::default(),
            gate: Gate::new(class.name(), limits),
        };
        Self([
            class(PrincipalClass::Dashboard, &limits.dashboard),
            class(PrincipalClass::Analyst, &limits.analyst),
            class(PrincipalClass::Batch, &ClassLimits::NONE),
            class(PrincipalClass::Operator, &ClassLimits::NONE),
        ])
    }

    /// Waits for a slot, first come, first served.
    ///
    /// # Errors
    /// [`QueryError::QueueFull`] where too many wait already.
    pub(crate) async fn enter(&self, class: PrincipalClass) -> Result<Slot, QueryError> {
        let [dashboard, analyst, batch, operator] = &self.0;
        let class = match class {
            PrincipalClass::Dashboard => dashboard,
            PrincipalClass::Analyst => analyst,
            PrincipalClass::Batch => batch,
            PrincipalClass::Operator => operator,
        };
        let permit = match &class.gate {
            Some(gate) => gate.enter().await?,
            None => None,
        };
        Ok(Slot { _permit: permit, _running: Some(Running::begin(&class.running)) })
    }

    /// How many queries of each class there are now.
    pub(crate) fn load(&self) -> impl Iterator<Item = ClassLoad> {
        self.0.iter().map(|class| ClassLoad {
            class: class.class,
            running: class.running.load(Ordering::Acquire),
            queued: class.gate.as_ref().map_or(0, |gate| gate.waiting.load(Ordering::Acquire)),
        })
    }
}

/// One query among those of its class that run.
#[derive(Debug)]
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
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

    async fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, QueryError> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(Some(permit));
        }
        // Left however the waiting ends: a caller may go away.
        let _place = Place::take(self)?;
        // It is never closed.
        Ok(Arc::clone(&self.slots).acquire_owned().await.ok())
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

    #[tokio::test]
    async fn queries_of_every_class_are_counted_while_they_run_or_wait() {
        let one = ClassLimits { concurrent: 1, queued: 1, ..ClassLimits::NONE };
        let admission = Admission::new(&Limits { dashboard: one, ..Limits::default() });
        let load = || admission.load().map(|load| (load.class.name(), load.running, load.queued)).collect::<Vec<_>>();
        let running = admission.enter(PrincipalClass::Dashboard).await.unwrap();
        let mut waiting = Box::pin(admission.enter(PrincipalClass::Dashboard));
        assert!(waiting.as_mut().now_or_never().is_none());
        admission.enter(PrincipalClass::Dashboard).await.unwrap_err();
        let unbounded = admission.enter(PrincipalClass::Operator).await.unwrap();
        assert_eq!(load(), [("dashboard", 1, 1), ("analyst", 0, 0), ("batch", 0, 0), ("operator", 1, 0)]);
        drop((running, unbounded));
        let running = waiting.await.unwrap();
        assert_eq!(load(), [("dashboard", 1, 0), ("analyst", 0, 0), ("batch", 0, 0), ("operator", 0, 0)]);
        drop(running);
        assert_eq!(load()[0], ("dashboard", 0, 0));
    }
}
