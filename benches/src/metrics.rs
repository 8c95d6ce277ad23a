//! How long does a metric of the demo take, from Parquet, nothing cached but the log?

use std::time::Instant;

use anyhow::Result;
use xiangyun_engine::Principal;
use xiangyun_engine::catalog::TableKind;
use xiangyun_engine::semantic::MetricQuery;

use crate::lake::Lake;
use crate::peer::DuckDb;
use crate::report;

/// One of each kind; all have a hand-written twin.
const ASKED: &[(&str, Option<&str>, Option<&str>)] = &[
    ("approvals_on_time_share", None, None),
    ("approvals_on_time_share", Some("region.prefecture"), Some("month")),
    ("approval_median_working_days", Some("region.county"), Some("year")),
    ("startup_share_within_limit", None, None),
    ("startup_p90_days", Some("region.prefecture"), Some("month")),
    ("project_median_working_days", Some("region.prefecture"), Some("year")),
    ("new_registrations", Some("region.prefecture"), Some("month")),
    ("private_enterprises", Some("region.prefecture"), Some("year")),
    ("relief_granted", Some("kind"), Some("quarter")),
    ("gdp", Some("region.province"), Some("year")),
];

/// Asks each both ways.
pub(crate) async fn measure(peer: &mut DuckDb, lake: &Lake, repeat: usize) -> Result<()> {
    let context = lake.ingest.engine().query_as(Principal::local());
    let tables = context.tables().await?;
    let names: Vec<String> =
        tables.iter().filter(|table| table.kind == TableKind::Table).map(|table| table.name.to_string()).collect();
    peer.open(&lake.root(), &names)?;
    report::heading("metrics of the demo", "ms");
    for (metric, dimension, grain) in ASKED {
        let query = MetricQuery {
            metric: (*metric).into(),
            by: dimension.iter().map(|name| (*name).into()).collect(),
            grain: grain.map(str::parse).transpose()?,
            ..MetricQuery::default()
        };
        let mut best = f64::INFINITY;
        for _ in 0..repeat {
            let start = Instant::now();
            context.metric(query.clone()).await?.result.collect().await?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let theirs = peer.metric(metric, *dimension, *grain, repeat)?;
        let name = format!("{metric} by {} per {}", dimension.unwrap_or("-"), grain.unwrap_or("-"));
        report::compare(&name, best * 1e3, theirs * 1e3, false);
    }
    Ok(())
}
