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
use super::result::{Basis, QueryResult, TableVersion};
use super::run::Ticket;
use super::sink::QueryOutcome;
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
    /// The queries whose rows are in it.
    queries: Vec<Arc<Basis>>,
    /// The tables that must be at these versions still: those of the queries, and those that the reply tells of beside.
    tables: Vec<TableVersion>,
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
    queries: Vec<Arc<Basis>>,
    tables: Vec<TableVersion>,
}

impl ReplyPlace {
    /// The ids of the queries whose rows are in the reply, each once.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.queries.iter().map(|query| query.id)
    }

    /// Tells what these queries answer from what they answer over other versions, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        self.queries.iter().for_each(|query| hash.update(query.key));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Keeps `reply`, which takes `bytes`.
    pub fn keep(self, reply: Reply, bytes: usize) {
        let Self { cache, question, queries, tables } = self;
        let beside: usize = queries.iter().map(|query| query.statement.len() + OVERHEAD).sum();
        let bytes = u32::try_from(bytes + beside).unwrap_or(u32::MAX);
        cache.keep_reply(question, KeptReply { queries, tables, reply, bytes });
    }
}

/// A reply that was made before and still holds. Each query in it counts as one of its own, which is cancelled where this is
/// dropped before it was sent.
pub struct Recalled {
    /// Of the queries, in their order.
    tickets: Vec<Ticket>,
    kept: Arc<KeptReply>,
}

impl Recalled {
    /// The ids of the queries that these are now, in the order of [`ReplyPlace::ids`].
    pub fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.tickets.iter().map(Ticket::id)
    }

    /// What the door kept.
    pub fn reply(&self) -> &(dyn Any + Send + Sync) {
        self.kept.reply.as_ref()
    }

    /// Ends the queries: the caller has the rows.
    pub fn sent(mut self) {
        for (ticket, query) in self.tickets.iter_mut().zip(&self.kept.queries) {
            let truncated = query.status.is_truncated();
            let outcome = if truncated { QueryOutcome::Truncated } else { QueryOutcome::Succeeded };
            ticket.close(query.status.rows(), outcome, None);
        }
    }

    /// Ends the queries: the caller had the rows already.
    pub fn unchanged(mut self) {
        self.tickets.iter_mut().for_each(|ticket| ticket.close(0, QueryOutcome::Unchanged, None));
    }
}

impl QueryContext {
    /// What `told` asks, which must say everything that decides the reply beside the tables: the form that it is in, too.
    /// The question is this principal's, of today.
    pub fn question(&self, told: &str) -> Question {
        let principal = self.principal();
        let mut hash = Sha256::new();
        let (class, today) = (format!("{:?}", principal.class()), self.today().to_string());
        for part in ["reply", principal.name(), &class, policy::scope(principal), &today, told] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Question(hash.finalize().into())
    }

    /// Where the reply to `question` may be kept that is made of `answers` and tells of the tables of `over`; none where one
    /// of them depends on more than tables.
    pub fn place_of<'r>(
        &self,
        question: &Question,
        answers: impl IntoIterator<Item = &'r QueryResult>,
        over: &[TableVersion],
    ) -> Option<ReplyPlace> {
        let cache = self.engine().cache();
        let mut queries: Vec<Arc<Basis>> = Vec::new();
        for answer in answers {
            let basis = answer.basis.as_ref().filter(|_| cache.is_on())?;
            if queries.iter().all(|query| query.id != basis.id) {
                queries.push(Arc::clone(basis));
            }
        }
        let mut tables = over.to_vec();
        tables.extend(queries.iter().flat_map(|query| query.tables.iter().cloned()));
        tables.sort_by(|a, b| (&a.name, a.version).cmp(&(&b.name, b.version)));
        tables.dedup();
        Some(ReplyPlace { cache: Arc::clone(cache), question: question.0, queries, tables })
    }

    /// The reply that was kept of `question`, if it still holds.
    pub async fn recall(&self, question: &Question) -> Option<Recalled> {
        let engine = self.engine();
        let kept = engine.cache().reply(&question.0)?;
        let mut reached = kept.queries.iter().flat_map(|query| &query.reached);
        if !reached.all(|name| policy::sees(self.principal(), name)) {
            return None;
        }
        let catalog = engine.catalog();
        let unsure = kept.tables.iter().filter(|table| !catalog.is_seen_newest(&table.name, table.version));
        if join_all(unsure.map(|table| catalog.is_newest(&table.name, table.version))).await.contains(&false) {
            return None;
        }
        let mut tickets = Vec::with_capacity(kept.queries.len());
        for query in &kept.queries {
            // A query that may not be begun is refused where it is planned, with the reason.
            let mut ticket = self.ticket(Arc::clone(&query.statement), None, None).ok()?;
            ticket.answers_with(Arc::clone(&query.status), Arc::clone(&query.tables));
            ticket.uses(CacheUse::Hit);
            tickets.push(ticket);
        }
        Some(Recalled { tickets, kept })
    }
}
