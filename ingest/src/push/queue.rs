//! The pushes that wait for one table.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::group::load;
use super::{Answer, Push, PushLimits};
use crate::ingest::Ingest;
use crate::pipeline::PipelineDef;

/// A push and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The name of its file.
    pub(super) name: String,
    pub(super) push: Push,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Loads what comes, in groups, until nobody can send any more. The first push after a pause is loaded at once; those that
/// come while it is go together.
pub(super) async fn work(
    ingest: Ingest,
    pipeline: Arc<PipelineDef>,
    limits: PushLimits,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut next = Instant::now();
    while let Some(first) = queue.recv().await {
        let mut bytes = first.push.body.len();
        let mut group = vec![first];
        while group.len() < limits.requests && bytes < limits.group_bytes {
            let waiting = match queue.try_recv() {
                Ok(waiting) => waiting,
                Err(_) => match timeout_at(next, queue.recv()).await {
                    Ok(Some(waiting)) => waiting,
                    Ok(None) | Err(_) => break,
                },
            };
            bytes += waiting.push.body.len();
            group.push(waiting);
        }
        next = Instant::now() + limits.interval;
        load(&ingest, &pipeline, group).await;
    }
}
