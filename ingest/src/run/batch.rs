//! What is made of a load as a whole, once all its rows have been judged: checks of the batch, and how many rows may be
//! rejected.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use xiangyun_engine::Result;
use xiangyun_engine::catalog::{RunSource, TableDef};
use xiangyun_engine::functions::calendar::CalendarError;

use super::Run;
use super::error::RunError;
use super::files::standing;
use super::reading::Tally;
use crate::check::{ControlFile, Gathered, NAMED, Total, VALUES_LIMIT, decimal, missing_days, shown};
use crate::freshness::freshness_of;
use crate::ingest::{LoadReport, RejectSample};
use crate::pipeline::{BatchRule, ControlTotalRule, DaysRule, FoundInRule, OnBatchFail, RowCountRule};
use crate::source::Footers;

/// Bytes that a control file may have.
const CONTROL_FILE_BYTES: u64 = 64 << 10;

/// A check of a load that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchFinding {
    /// Reason code.
    pub(super) reason: &'static str,
    pub(super) message: String,
}

fn finding(reason: &'static str, message: String) -> Option<BatchFinding> {
    Some(BatchFinding { reason, message })
}

impl Run<'_> {
    /// Judges the load. Gives the rule and the error that stop it; what only warns is in the report.
    pub(super) async fn judge_load(
        &self,
        table: &TableDef,
        gathered: Vec<Gathered>,
        tally: &Tally,
        footers: &Footers,
        report: &mut LoadReport,
    ) -> Result<Option<(&'static str, RunError)>> {
        let mut stopped = None;
        for (check, gathered) in self.pipeline.batch.iter().zip(gathered) {
            let found = match (&check.rule, gathered) {
                (BatchRule::RowCount(rule), _) => self.row_count(table, rule, report).await?,
                (BatchRule::NoDayMissing(rule), Gathered::Days { days, .. }) => {
                    no_day_missing(rule, missing_days(rule, &days, &self.engine.reference().calendar))
                }
                (BatchRule::FoundIn(rule), Gathered::Values { counts, .. }) => self.found_in(rule, counts).await?,
                (BatchRule::ControlTotal(rule), Gathered::Totals { scale, files, .. }) => {
                    self.control_total(rule, scale, files, tally, footers, &report.run.sources).await?
                }
                (BatchRule::Fresh, Gathered::Days { days, .. }) => {
                    let newest = days.last().and_then(|day| NaiveDate::from_epoch_days(*day));
                    self.freshness_of(table, newest).await?
                }
                _ => None,
            };
            let Some(found) = found else { continue };
            let rule = rule_name(&check.rule);
            match check.on_fail {
                OnBatchFail::Stop => {
                    let (rule, message) = (rule.to_owned(), found.message);
                    stopped = stopped.or(Some((rule_name(&check.rule), RunError::BatchStopped { rule, message })));
                }
                OnBatchFail::Warn => warn(found, report),
            }
        }
        Ok(stopped.or_else(|| self.too_many_rejected(report)))
    }

    fn too_many_rejected(&self, report: &LoadReport) -> Option<(&'static str, RunError)> {
        let (most, run) = (self.pipeline.max_rejected.as_ref()?, &report.run);
        most.is_passed(run.rows_rejected, run.rows_read).then(|| {
            let first = report.rejects.first();
            let error = RunError::TooManyRejected {
                rejected: run.rows_rejected,
                read: run.rows_read,
                most: most.to_string(),
                first: first.map(|first| format!("{}:{}: {}", first.file, first.line, first.message)),
                run: run.run_id.clone(),
            };
            ("max-rejected", error)
        })
    }

    async fn row_count(
        &self,
        table: &TableDef,
        rule: &RowCountRule,
        report: &mut LoadReport,
    ) -> Result<Option<BatchFinding>> {
        let (past, _) = self.committer.past_loads(table).await?;
        let loads = standing(&past, &self.pipeline.name);
        // Rejected rows that came again are no load of their own.
        let Some(last) = loads.iter().rfind(|load| load.resolves.is_empty()) else {
            report.run.notes.push("there is no earlier load whose number of rows could be compared".into());
            return Ok(None);
        };
        let (read, before) = (report.run.rows_read, last.rows_read);
        if !rule.within.is_beyond(read, before) {
            return Ok(None);
        }
        let (run, within) = (&last.run_id, &rule.within);
        let message = format!("{read} rows were read and {before} by run {run}: they differ by more than {within}");
        Ok(finding("ROW_COUNT", message))
    }

    async fn found_in(&self, rule: &FoundInRule, mut counts: HashMap<String, u64>) -> Result<Option<BatchFinding>> {
        let FoundInRule { column, table, of, share } = rule;
        if counts.len() > VALUES_LIMIT {
            let (table, column) = ("the load".to_owned(), column.clone());
            return Err(RunError::TooManyValues { table, column, limit: VALUES_LIMIT }.into());
        }
        let all: u64 = counts.values().sum();
        self.each_value(table, of, None, |texts| {
            texts.iter().flatten().for_each(|text| {
                counts.remove(text);
            });
            Ok(())
        })
        .await?;
        let missed: u64 = counts.values().sum();
        if !share.is_missed(all - missed, all) {
            return Ok(None);
        }
        let mut values: Vec<(String, u64)> = counts.into_iter().collect();
        values.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        let named = values.iter().take(NAMED).map(|(value, count)| format!("`{value}` ({count})"));
        let more = more_than(values.len());
        let message = format!(
            "{missed} of {all} values of `{column}` are not in `{of}` of `{table}`, and {share} must be: {}{more}",
            named.collect::<Vec<_>>().join(", ")
        );
        Ok(finding("NOT_FOUND", message))
    }

    async fn control_total(
        &self,
        rule: &ControlTotalRule,
        scale: u8,
        mut totals: BTreeMap<Arc<str>, Total>,
        tally: &Tally,
        footers: &Footers,
        sources: &[RunSource],
    ) -> Result<Option<BatchFinding>> {
        for (file, (_, rows)) in tally.by_file().into_iter().filter(|(_, (_, unreadable))| *unreadable > 0) {
            totals.entry(file).or_default().add(Total { rows, sum: 0, without: rows });
        }
        if rule.file_suffix.is_none() && rule.footer.is_none() {
            let mut all = Total::default();
            totals.into_values().for_each(|total| all.add(total));
            let sum = rule.sum.as_ref().and_then(|sum| decimal(sum, 38, scale).ok());
            let said = ControlFile { rows: rule.rows, sum };
            let message = differences("the load", all, said, scale);
            return Ok(message.and_then(|message| finding("CONTROL_TOTAL", message)));
        }
        let mut messages = Vec::new();
        for source in sources {
            let total = totals.get(source.path.as_str()).copied().unwrap_or_default();
            let (what, said) = match (&rule.file_suffix, &rule.footer) {
                (Some(suffix), _) => {
                    let path = self.sources.root.join(format!("{}{suffix}", source.path));
                    ("control file", read_control_file(path, scale).await)
                }
                (None, pattern) => {
                    let lines = footers.get(&source.path).map_or(&[][..], Vec::as_slice);
                    ("footer", ControlFile::find(lines, pattern.as_deref().unwrap_or_default(), scale))
                }
            };
            match said {
                Ok(said) => messages.extend(differences(&format!("`{}`", source.path), total, said, scale)),
                Err(why) => messages.push(format!("the {what} of `{}` cannot be used: {why}", source.path)),
            }
        }
        let more = more_than(messages.len());
        messages.truncate(NAMED);
        Ok(if messages.is_empty() { None } else { finding("CONTROL_TOTAL", format!("{}{more}", messages.join("; "))) })
    }

    /// Whether the table is fresh with data up to `newest` beside what it has.
    async fn freshness_of(&self, table: &TableDef, newest: Option<NaiveDate>) -> Result<Option<BatchFinding>> {
        let counts_stored = self.pipeline.mode != crate::pipeline::WriteMode::Replace;
        let judged = freshness_of(self.engine, table, newest, counts_stored).await?;
        Ok(judged.and_then(|judged| finding(judged.state.code(), judged.message?)))
    }
}

fn no_day_missing(rule: &DaysRule, missing: Result<Vec<NaiveDate>, CalendarError>) -> Option<BatchFinding> {
    let column = &rule.column;
    let missing = match missing {
        Ok(missing) if missing.is_empty() => return None,
        Ok(missing) => missing,
        Err(error) => {
            let message = format!("whether `{column}` has every working day cannot be told: {error}");
            return finding("CALENDAR_MISSING", message);
        }
    };
    let named = missing.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (count, more) = (missing.len(), more_than(missing.len()));
    finding("DAYS_MISSING", format!("`{column}` lacks {count} days: {named}{more}"))
}

fn more_than(count: usize) -> String {
    if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() }
}

/// What of `total` is not as it was said; none where it is.
fn differences(what: &str, total: Total, said: ControlFile, scale: u8) -> Option<String> {
    let mut messages = Vec::new();
    if let Some(rows) = said.rows.filter(|rows| *rows != total.rows) {
        messages.push(format!("{what} has {} rows and the agency says {rows}", total.rows));
    }
    if let Some(sum) = said.sum.filter(|sum| *sum != total.sum) {
        let (is, said) = (shown(total.sum, scale), shown(sum, scale));
        let without = match total.without {
            0 => String::new(),
            rows => format!(", without {rows} rows whose value is missing or cannot be read"),
        };
        messages.push(format!("the sum of {what} is {is}{without}, and the agency says {said}"));
    }
    (!messages.is_empty()).then(|| messages.join("; "))
}

async fn read_control_file(path: PathBuf, scale: u8) -> Result<ControlFile, String> {
    let read = move || -> Result<ControlFile, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = std::fs::File::open(&path).map_err(|error| format!("`{name}`: {error}"))?;
        let mut bytes = Vec::new();
        file.take(CONTROL_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("`{name}`: {error}"))?;
        if bytes.len() as u64 > CONTROL_FILE_BYTES {
            return Err(format!("`{name}` has more than {CONTROL_FILE_BYTES} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|_| format!("`{name}` is not UTF-8"))?;
        ControlFile::parse(&text, scale).map_err(|(line, why)| format!("line {line} of `{name}`: {why}"))
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}

fn warn(found: BatchFinding, report: &mut LoadReport) {
    report.run.warnings += 1;
    report.run.notes.push(found.message.clone());
    report.warnings.push(RejectSample {
        file: String::new(),
        line: 0,
        column: None,
        reason: found.reason.into(),
        message: found.message,
    });
}

fn rule_name(rule: &BatchRule) -> &'static str {
    match rule {
        BatchRule::RowCount(_) => "row-count",
        BatchRule::NoDayMissing(_) => "no-day-missing",
        BatchRule::FoundIn(_) => "found-in",
        BatchRule::ControlTotal(_) => "control-total",
        BatchRule::Fresh => "fresh",
    }
}
