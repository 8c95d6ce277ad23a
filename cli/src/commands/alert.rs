//! `xiangyun alert`: looks at alerts and tries them.

use arrow::array::RecordBatch;
use xiangyun_engine::QueryContext;
use xiangyun_engine::alert::{AlertDef, AlertState, Evaluation, Group};

use super::table::both;
use crate::args::{AlertArgs, AlertCommand};
use crate::output::{Output, text};
use crate::session::Session;

/// Lists the alerts, or evaluates one.
pub(super) async fn run(session: &Session, args: AlertArgs) -> anyhow::Result<()> {
    let queries = session.queries().await?;
    let mut output = Output::open(&session.global)?;
    match args.command {
        AlertCommand::List => output.rows(list(&queries).await?).await?,
        AlertCommand::Test(args) => {
            let alert = queries.alert(&args.name)?;
            let found = queries.evaluate_alert(alert).await?;
            let synthetic = if found.synthetic { ", 合成数据 / synthetic data" } else { "" };
            let bounds = both(&alert.rule.words());
            output.note(&format!("{} [{}]: {bounds}{synthetic}", both(&alert.title), alert.severity.name()));
            output.rows(tested(&found)?).await?;
        }
    }
    output.finish()
}

async fn list(queries: &QueryContext) -> anyhow::Result<RecordBatch> {
    let mut rows: Vec<(&AlertDef, Option<AlertState>)> = Vec::new();
    for alert in queries.alerts() {
        rows.push((alert, queries.alert_state(alert).await?));
    }
    let firing = |state: &Option<AlertState>| Some(state.as_ref()?.firing().count().to_string());
    let evaluated = |state: &Option<AlertState>| Some(state.as_ref()?.evaluated_at?.to_rfc3339());
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(rows.iter().map(|(alert, _)| Some(&alert.name))), false),
        ("title", text(rows.iter().map(|(alert, _)| Some(both(&alert.title)))), false),
        ("metric", text(rows.iter().map(|(alert, _)| Some(&alert.metric))), false),
        ("rule", text(rows.iter().map(|(alert, _)| Some(both(&alert.rule.words())))), false),
        ("severity", text(rows.iter().map(|(alert, _)| Some(alert.severity.name()))), false),
        ("owner", text(rows.iter().map(|(alert, _)| Some(&alert.owner))), false),
        ("status", text(rows.iter().map(|(_, state)| Some(AlertState::word(state.as_ref())))), false),
        ("firing", text(rows.iter().map(|(_, state)| firing(state))), true),
        ("evaluated_at", text(rows.iter().map(|(_, state)| evaluated(state))), true),
        ("error", text(rows.iter().map(|(_, state)| state.as_ref()?.error.as_ref())), true),
    ])?)
}

fn tested(found: &Evaluation) -> anyhow::Result<RecordBatch> {
    let rows = || found.verdicts.iter();
    let verdict = |breaks: Option<bool>| match breaks {
        Some(true) => "firing",
        Some(false) => "ok",
        None => "unknown",
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("group", text(rows().map(|row| Some(shown(&row.group)))), false),
        ("period", text(rows().map(|row| row.finding.period.as_ref())), true),
        ("value", text(rows().map(|row| row.finding.value.as_ref())), true),
        ("base", text(rows().map(|row| row.finding.base.map(|base| base.to_string()))), true),
        ("change", text(rows().map(|row| row.finding.change.map(|change| change.to_string()))), true),
        ("age_working_days", text(rows().map(|row| row.finding.age_working_days.map(|days| days.to_string()))), true),
        ("verdict", text(rows().map(|row| Some(verdict(row.finding.breaks)))), false),
        ("reason", text(rows().map(|row| row.finding.reason.as_ref())), true),
    ])?)
}

/// A group in words; empty for the whole.
pub(super) fn shown(group: &Group) -> String {
    let parts = group.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("∅")));
    parts.collect::<Vec<_>>().join(", ")
}
