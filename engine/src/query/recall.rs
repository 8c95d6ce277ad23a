//! Whole replies, kept for those who ask the same again while no table under it has changed. Nothing is planned for
//! them: what is looked at is whether the caller may still read what the reply came from, and whether that is still the
//! newest.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cache::{CacheUse, ResultCache, ResultKey};
use super::context::QueryContext;
use super::result::{QueryStatus, TableVersion};
use super::run::Ticket;
use super::sink::QueryOutcome;
use crate::catalog::TableName;
use crate::policy;

/// Bytes that a kept reply takes beside its own.
const OVERHEAD: usize = 1_024;

/// A question as a door was asked it, told from every other one.
#[derive(Debug, Clone)]
pub struct Question(ResultKey);

/// Made by a door of what it answered; only that door knows what it is.
type Reply = Arc<dyn Any + Send + Sync>;

/// A reply, and what it rests on.
pub(super) struct KeptReply {
    statement: Arc<str>,
    tables: Arc<[TableVersion]>,
    reached: Vec<TableName>,
    status: Arc<QueryStatus>,
    reply: Reply,
    pub(super) bytes: u32,
}

impl fmt::Debug for KeptReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptReply").field("tables", &self.tables).finish_non_exhaustive()
    }
}

/// Where the reply to a question goes, once it is made.
pub struct ReplyPlace {
    cache: Arc<ResultCache>,
    question: ResultKey,
    statement: Arc<str>,
    tables: Arc<[TableVersion]>,
    reached: Vec<TableName>,
}

impl ReplyPlace {
    pub(super) fn new(
        cache: Arc<ResultCache>,
        question: &Question,
        statement: Arc<str>,
        tables: Arc<[TableVersion]>,
        reached: Vec<TableName>,
    ) -> Self {
        Self { cache, question: question.0, statement, tables, reached }
    }

    /// Keeps `reply`, which takes `bytes`. `status` counts the rows that are in it.
    pub fn keep(self, reply: Reply, bytes: usize, status: Arc<QueryStatus>) {
        let bytes = u32::try_from(bytes + self.statement.len() + OVERHEAD).unwrap_or(u32::MAX);
        let Self { cache, question, statement, tables, reached } = self;
        cache.keep_reply(question, KeptReply { statement, tables, reached, status, reply, bytes });
    }
}

/// A reply that was made before and still holds. It counts as a query of its own, which is cancelled where this is
/// dropped before it was sent.
pub struct Recalled {
    ticket: Ticket,
    kept: Arc<KeptReply>,
}

impl Recalled {
    /// The id of this query.
    pub fn id(&self) -> Uuid {
        self.ticket.id()
    }

    /// What the door kept.
    pub fn reply(&self) -> &(dyn Any + Send + Sync) {
        self.kept.reply.as_ref()
    }

    /// Ends the query: the caller has the rows.
    pub fn sent(mut self) {
        let status = &self.kept.status;
        let outcome = if status.is_truncated() { QueryOutcome::Truncated } else { QueryOutcome::Succeeded };
        self.ticket.close(status.rows(), outcome, None);
    }

    /// Ends the query: the caller had the rows already.
    pub fn unchanged(mut self) {
        self.ticket.close(0, QueryOutcome::Unchanged, None);
    }
}

impl QueryContext {
    /// What `told` asks, which must say everything that decides the reply beside the tables: the form that it is in, too.
    /// The question is this principal's, of today.
    pub fn question(&self, told: &str) -> Question {
        let principal = self.principal();
        let mut hash = Sha256::new();
        let (class, today) = (format!("{:?}", principal.class()), self.engine().clock().today().to_string());
        for part in ["reply", principal.name(), &class, policy::scope(principal), &today, told] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Question(hash.finalize().into())
    }

    /// The reply that was kept of `question`, if it still holds.
    pub async fn recall(&self, question: &Question) -> Option<Recalled> {
        let engine = self.engine();
        let kept = engine.cache().reply(&question.0)?;
        if !kept.reached.iter().all(|name| policy::sees(self.principal(), name)) {
            return None;
        }
        let catalog = engine.catalog();
        let unsure = kept.tables.iter().filter(|table| !catalog.is_seen_newest(&table.name, table.version));
        if join_all(unsure.map(|table| catalog.is_newest(&table.name, table.version))).await.contains(&false) {
            return None;
        }
        // A query that may not be begun is refused where it is planned, with the reason.
        let mut ticket = self.ticket(Arc::clone(&kept.statement), None, None).ok()?;
        ticket.answers_with(Arc::clone(&kept.status), Arc::clone(&kept.tables));
        ticket.uses(CacheUse::Hit);
        Some(Recalled { ticket, kept })
    }
}
