use arrow::array::RecordBatch;
use xiangyun_engine::QueryContext;
use xiangyun_engine::semantic::{MetricQuery, MetricSummary, RegionMode, TimeGrain};

use super::table::both;
use crate::args::{GrainArg, MetricArgs, MetricCommand, MetricQueryArgs, RegionsArg};
use crate::output::{Output, text};
use crate::session::Session;

/// Looks at metrics and asks them.
pub(super) async fn run(session: &Session, args: MetricArgs) -> anyhow::Result<()> {
    let queries = session.queries().await?;
    let mut output = Output::open(&session.global)?;
    match args.command {
        MetricCommand::List => output.rows(list(&queries.metrics())?).await?,
        MetricCommand::Query(args) => ask(&queries, &mut output, args.into()).await?,
    }
    output.finish()
}

/// Asks a metric and prints the answer, titled.
pub(super) async fn ask(queries: &QueryContext, output: &mut Output, query: MetricQuery) -> anyhow::Result<()> {
    let answer = queries.metric(query).await?;
    let metric = &answer.metric;
    let unit = metric.unit.as_ref().map(|unit| format!(" [{unit}]")).unwrap_or_default();
    let regions = answer.regions.map(|mode| format!(", {}", both(&mode.label()))).unwrap_or_default();
    let synthetic = if answer.synthetic { ", 合成数据 / synthetic data" } else { "" };
    output.note(&format!("{}{unit}{regions}{synthetic}", both(&metric.title)));
    let head = xiangyun_api::metric_head(&answer); // the same document as over HTTP
    output.answer(answer.result, head).await.map(drop)
}

impl From<MetricQueryArgs> for MetricQuery {
    fn from(args: MetricQueryArgs) -> Self {
        Self {
            metric: args.name,
            by: args.by,
            filter: args.filter,
            grain: args.grain.map(|grain| match grain {
                GrainArg::Hour => TimeGrain::Hour,
                GrainArg::Day => TimeGrain::Day,
                GrainArg::WorkingDay => TimeGrain::WorkingDay,
                GrainArg::Week => TimeGrain::Week,
                GrainArg::Month => TimeGrain::Month,
                GrainArg::Quarter => TimeGrain::Quarter,
                GrainArg::Year => TimeGrain::Year,
            }),
            from: args.from,
            to: args.to,
            limit: args.limit,
            order: args.order,
            regions: args.regions.map(|regions| match regions {
                RegionsArg::AsWas => RegionMode::AsWas,
                RegionsArg::AsIs => RegionMode::AsIs,
            }),
            ..Self::default()
        }
    }
}

fn list(metrics: &[MetricSummary]) -> anyhow::Result<RecordBatch> {
    let grains = |metric: &MetricSummary| {
        let names: Vec<_> = metric.grains.iter().map(|grain| grain.name()).collect();
        names.join(", ")
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(metrics.iter().map(|metric| Some(&metric.name))), false),
        ("title", text(metrics.iter().map(|metric| Some(both(&metric.title)))), false),
        ("kind", text(metrics.iter().map(|metric| Some(&metric.kind))), false),
        ("unit", text(metrics.iter().map(|metric| metric.unit.as_ref())), true),
        ("table", text(metrics.iter().map(|metric| Some(&metric.table))), false),
        ("grains", text(metrics.iter().map(|metric| Some(grains(metric)))), false),
        ("dimensions", text(metrics.iter().map(|metric| Some(metric.dimensions.join(", ")))), false),
        ("owner", text(metrics.iter().map(|metric| Some(&metric.owner))), false),
    ])?)
}
