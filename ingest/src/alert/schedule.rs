//! The times of an alert, and what of it depends on the project's connections.

use std::sync::Arc;

use xiangyun_engine::alert::AlertDef;
use xiangyun_engine::functions::calendar::WorkCalendar;
use xiangyun_engine::project::{Diagnostic, Diagnostics, Document, Project, nearest};

use crate::connection::ConnectionDef;
use crate::jobs::{JobError, Timetable, check_schedule};
use crate::pipeline::ScheduleDef;

/// The times at which `alert` is evaluated; none where it follows loads.
pub(super) fn timetable(alert: &AlertDef, calendar: &Arc<WorkCalendar>) -> Result<Option<Timetable>, JobError> {
    let timetable = as_declared(alert).map(|schedule| Timetable::try_new(&schedule, calendar)).transpose()?;
    Ok(timetable.flatten())
}

/// The schedule as that of a pipeline.
fn as_declared(alert: &AlertDef) -> Option<ScheduleDef> {
    let schedule = alert.schedule.as_ref()?;
    let (cron, time_zone) = (Some(schedule.cron.clone()), schedule.time_zone.clone());
    Some(ScheduleDef { cron, time_zone, days: schedule.days, ..ScheduleDef::default() })
}

/// Checks what of the alerts needs more than the metrics: schedules can be read, and webhooks are connections.
pub(crate) fn check_alerts(project: &Project, connections: &[Document<ConnectionDef>], diagnostics: &mut Diagnostics) {
    for document in &project.alerts {
        for (key, message, hint) in as_declared(&document.def).iter().flat_map(check_schedule) {
            let fault = document.fault(&["schedule", key], message);
            diagnostics.push(match hint {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
        if let Some(fault) = webhook_fault(document, connections) {
            diagnostics.push(fault);
        }
    }
}

fn webhook_fault(document: &Document<AlertDef>, connections: &[Document<ConnectionDef>]) -> Option<Diagnostic> {
    let name = document.def.webhook.as_ref()?;
    let fault = |message: String| document.fault(&["webhook"], message);
    let Some(connection) = connections.iter().find(|connection| connection.def.name == *name) else {
        let fault = fault(format!("there is no connection `{name}`"));
        return Some(match nearest(name, connections.iter().map(|connection| connection.def.name.as_str())) {
            Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
            None => fault.with_hint("declare it in connections/*.toml, with the `https` address that takes notices"),
        });
    };
    let is_http = connection.def.url.starts_with("https://") || connection.def.url.starts_with("http://");
    (!is_http)
        .then(|| fault(format!("connection `{name}` is no web server")).with_hint("name one with an `https` address"))
}
