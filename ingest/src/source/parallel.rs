//! Several files at a time, in their order all the same.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism};

use super::beside::{Beside, Next};
use super::{Batches, SourceBatch, SourceError};

/// Files at a time: what they need in memory comes as often.
const MOST: usize = 4;

fn at_a_time() -> usize {
    available_parallelism().map_or(1, usize::from).min(MOST)
}

/// What `work` makes of each of `items`, in their order.
///
/// # Errors
/// Of the first item, in that order, with which it fails.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, SourceError> + Sync,
) -> Result<Vec<R>, SourceError> {
    let threads = at_a_time().min(items.len());
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let made = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // They are taken in order: where one fails, those before it are made or being made.
                while !failed.load(Ordering::Acquire) {
                    let index = next.fetch_add(1, Ordering::AcqRel);
                    let Some(item) = items.get(index) else { return };
                    let outcome = work(item);
                    if outcome.is_err() {
                        failed.store(true, Ordering::Release);
                    }
                    made.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_unstable_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The batches of one reading after the other, as `open` gives them; the next ones run on threads of their own.
pub(super) fn in_order<T: Send + 'static>(
    readings: Vec<T>,
    open: impl Fn(&T) -> Result<Batches, SourceError> + Clone + Send + 'static,
) -> Batches {
    let threads = at_a_time().min(readings.len());
    if threads < 2 {
        let batches = readings.into_iter().flat_map(move |reading| match open(&reading) {
            Ok(batches) => batches,
            Err(error) => Box::new(std::iter::once(Err(error))),
        });
        return Box::new(batches);
    }
    let start = move |reading: T| {
        let open = open.clone();
        Beside::start(Builder::new(), move |batches| {
            let opened = open(&reading).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
            for batch in opened {
                if batches.send(batch).is_err() {
                    // Nobody takes them any more.
                    return;
                }
            }
        })
        .expect("the system has room for a few threads")
    };
    let (mut waiting, mut running) =
        (readings.into_iter(), VecDeque::<Beside<Result<SourceBatch, SourceError>, ()>>::new());
    Box::new(std::iter::from_fn(move || {
        loop {
            let free = threads - running.len();
            running.extend(waiting.by_ref().take(free).map(&start));
            match running.front_mut()?.next() {
                Next::Item(batch) => return Some(batch),
                Next::End(Err(panic)) => std::panic::resume_unwind(panic),
                Next::End(Ok(())) | Next::Over => running.pop_front(),
            };
        }
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::sync::Arc;

    use arrow::array::UInt64Array;
    use arrow::record_batch::RecordBatch;

    use super::*;

    fn failed(item: u64) -> SourceError {
        SourceError::Empty { path: item.to_string() }
    }

    #[test]
    fn what_is_made_has_the_order_of_the_items_and_the_first_error_counts() {
        let items: Vec<u64> = (0..1_000).collect();
        let made = each(&items, |item| Ok(item * 2)).unwrap();
        assert_eq!(made, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let error = each(&items, |item| if item % 7 == 6 { Err(failed(*item)) } else { Ok(()) }).unwrap_err();
        assert_eq!(error.to_string(), failed(6).to_string());
    }

    /// As many batches as the number says, of which each says so.
    fn batches(number: &u64) -> Result<Batches, SourceError> {
        if *number == 99 {
            return Err(failed(99));
        }
        let lines = UInt64Array::from(vec![*number]);
        let values = RecordBatch::try_from_iter([("n", Arc::new(lines.clone()) as _)]).unwrap();
        let batch = move || SourceBatch {
            batch: values.clone(),
            file: "f".into(),
            lines: lines.clone(),
            unreadable: Vec::new(),
            bytes: 1,
        };
        Ok(Box::new((0..*number).map(move |_| Ok(batch()))))
    }

    #[test]
    fn readings_follow_each_other_whatever_their_lengths() {
        let lengths = vec![9, 0, 1, 0, 0, 30, 2, 2, 7, 0];
        let expected: Vec<u64> = lengths.iter().flat_map(|length| (0..*length).map(|_| *length)).collect();
        let found = in_order(lengths.clone(), batches).map(|batch| batch.unwrap().lines.value(0));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        // Left half-way, nothing waits for ever.
        assert_eq!(in_order(lengths, batches).take(12).count(), 12);
        let mut stopped = in_order(vec![1, 99, 1], batches);
        assert!(stopped.next().unwrap().is_ok());
        assert!(stopped.next().unwrap().is_err());
    }
}
