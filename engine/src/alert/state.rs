//! What is known of an alert from one evaluation to the next.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::AlertDef;
use super::finding::{Evaluation, Finding, Group, Verdict};
use crate::catalog::TableName;

/// Events that are remembered.
const HISTORY: usize = 100;

/// How a group stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Within bounds, or not out of them for long enough.
    #[default]
    Ok,
    /// Out of bounds.
    Firing,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A group went out of bounds.
    Firing,
    /// It still is, and is told of again: in notices, and not remembered.
    Repeated,
    /// It is within bounds again, or is no longer there.
    Resolved,
    /// The alert cannot be evaluated.
    Failed,
}

/// What is known of an alert. Written as a whole after each evaluation and each notice, by whoever holds the lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertState {
    /// [`AlertDef::fingerprint`] of what was evaluated.
    pub definition: String,
    /// When it was evaluated last, with whatever end.
    pub evaluated_at: Option<DateTime<Utc>>,
    /// The latest time of its schedule that it was evaluated for.
    pub due_at: Option<DateTime<Utc>>,
    /// The tables that it was evaluated over.
    pub tables: Vec<TableData>,
    /// Why it could not be evaluated; none where it was.
    pub error: Option<String>,
    /// Every group of the last answer.
    pub groups: Vec<GroupState>,
    /// Notices that were not delivered yet, in their order.
    pub waiting: Vec<Value>,
    /// What happened, newest first.
    pub history: Vec<PastEvent>,
}

/// A table as an evaluation found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableData {
    /// The table.
    pub table: TableName,
    /// The version that was read.
    pub version: u64,
    /// When its rows were changed last; none where that lies further back than was looked.
    pub data_committed_at: Option<DateTime<Utc>>,
}

/// What is known of one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupState {
    /// The group; empty for the whole.
    pub group: Group,
    /// Names of its divisions, by the answer's column.
    pub names: BTreeMap<String, String>,
    /// How it stands.
    pub status: AlertStatus,
    /// Since when it is out of bounds.
    pub since: Option<DateTime<Utc>>,
    /// Evaluations in succession that found it out of bounds.
    pub in_succession: u32,
    /// What was found last.
    pub last: Finding,
    /// When somebody was told of it last.
    pub notified_at: Option<DateTime<Utc>>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastEvent {
    /// What.
    pub event: EventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// To which group; none for the alert as a whole.
    pub group: Option<Group>,
    /// What was found.
    pub finding: Option<Finding>,
    /// Why it could not be evaluated.
    pub error: Option<String>,
}

/// What an evaluation changed: the groups that went out of bounds and those that came back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turn {
    /// They fire from now on.
    pub began: Vec<GroupState>,
    /// They fired until now, since the time they say.
    pub ended: Vec<GroupState>,
}

impl AlertState {
    /// The groups that fire.
    pub fn firing(&self) -> impl Iterator<Item = &GroupState> {
        self.groups.iter().filter(|group| group.status == AlertStatus::Firing)
    }

    /// How an alert stands, in a word: `never` evaluated, `failed`, `firing` or `ok`.
    pub fn word(state: Option<&Self>) -> &'static str {
        match state {
            None => "never",
            Some(state) if state.error.is_some() => "failed",
            Some(state) if state.firing().next().is_some() => "firing",
            Some(_) => "ok",
        }
    }

    /// Takes an evaluation in and tells what it changed. `counts` is false where it was made over the same data as the
    /// last one, which says nothing about how long something has lasted.
    pub fn advance(&mut self, def: &AlertDef, found: &Evaluation, counts: bool) -> Turn {
        let mut turn = Turn::default();
        self.definition = def.fingerprint();
        self.evaluated_at = Some(found.at);
        self.tables = found.table_data();
        self.error = None;
        if found.verdicts.is_empty() {
            // An answer without any row tells of no group that it is well.
            return turn;
        }
        let mut before: BTreeMap<Group, GroupState> =
            std::mem::take(&mut self.groups).into_iter().map(|group| (group.group.clone(), group)).collect();
        for verdict in &found.verdicts {
            let group = before.remove(&verdict.group);
            self.groups.push(group.unwrap_or_default().judged(def, verdict, found.at, counts, &mut turn));
        }
        for mut gone in before.into_values().filter(|group| group.status == AlertStatus::Firing) {
            gone.last = Finding::untold("gone");
            turn.ended.push(gone);
        }
        for (event, groups) in [(EventKind::Firing, &turn.began), (EventKind::Resolved, &turn.ended)] {
            for group in groups {
                let (of, finding) = (Some(group.group.clone()), Some(group.last.clone()));
                self.remember(PastEvent { event, at: found.at, group: of, finding, error: None });
            }
        }
        turn
    }

    /// Takes in that the alert could not be evaluated. True where that is news.
    pub fn fail(&mut self, def: &AlertDef, at: DateTime<Utc>, tables: Vec<TableData>, error: String) -> bool {
        self.definition = def.fingerprint();
        self.evaluated_at = Some(at);
        self.tables = tables;
        let is_news = self.error.is_none();
        if is_news {
            let error = Some(error.clone());
            self.remember(PastEvent { event: EventKind::Failed, at, group: None, finding: None, error });
        }
        self.error = Some(error);
        is_news
    }

    /// Groups that are to be told of again at `now`: those that fire and were told of so many hours ago.
    pub fn repeats(&self, def: &AlertDef, now: DateTime<Utc>) -> Vec<&GroupState> {
        let Some(hours) = def.repeat_hours else { return Vec::new() };
        let is_due = |told: DateTime<Utc>| now.signed_duration_since(told).num_hours() >= i64::from(hours);
        self.firing().filter(|group| group.notified_at.is_some_and(is_due)).collect()
    }

    /// Adds to what happened, of which the latest is kept.
    pub fn remember(&mut self, event: PastEvent) {
        self.history.insert(0, event);
        self.history.truncate(HISTORY);
    }
}

impl GroupState {
    fn judged(mut self, def: &AlertDef, verdict: &Verdict, at: DateTime<Utc>, counts: bool, turn: &mut Turn) -> Self {
        self.group.clone_from(&verdict.group);
        self.names.clone_from(&verdict.names);
        self.last = verdict.finding.clone();
        match verdict.finding.breaks {
            // Nobody knows: what it was before holds.
            None => {}
            Some(true) => {
                if counts || self.in_succession == 0 {
                    self.in_succession = self.in_succession.saturating_add(1);
                }
                if self.status == AlertStatus::Ok && self.in_succession >= def.evaluations() {
                    (self.status, self.since, self.notified_at) = (AlertStatus::Firing, Some(at), None);
                    turn.began.push(self.clone());
                }
            }
            Some(false) => {
                self.in_succession = 0;
                if self.status == AlertStatus::Firing {
                    self.status = AlertStatus::Ok;
                    turn.ended.push(self.clone());
                    (self.since, self.notified_at) = (None, None);
                }
            }
        }
        self
    }
}

impl Evaluation {
    /// The tables as they are remembered.
    pub fn table_data(&self) -> Vec<TableData> {
        self.provenance.iter().map(TableData::of).collect()
    }
}

impl TableData {
    /// The table as an answer found it.
    pub fn of(table: &crate::query::TableProvenance) -> Self {
        Self { table: table.table.clone(), version: table.version, data_committed_at: table.data_committed_at }
    }

    /// Whether the table holds other rows than `other`: compaction and the like make versions of the same rows.
    pub fn differs(&self, other: &Self) -> bool {
        match (self.data_committed_at, other.data_committed_at) {
            (Some(here), Some(there)) => here != there,
            _ => self.version != other.version,
        }
    }
}
