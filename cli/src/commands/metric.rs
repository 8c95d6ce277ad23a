use arrow::array::RecordBatch;
use xiangyun_engine::QueryContext;
use xiangyun_engine::semantic::{MetricQuery, MetricSummary, RegionMode, RollupProposal, Tally, TimeGrain};

use super::table::both;
use crate::args::{GrainArg, MetricArgs, MetricCommand, MetricQueryArgs, RegionsArg};
use crate::output::{Output, text};
use crate::report::plural;
use crate::session::Session;

/// Looks at metrics and asks them.
pub(super) async fn run(session: &Session, args: MetricArgs) -> anyhow::Result<()> {
    let queries = session.queries().await?;
    let mut output = Output::open(&session.global)?;
    match args.command {
        MetricCommand::List => output.rows(list(&queries.metrics())?).await?,
        MetricCommand::Query(args) => ask(&queries, &mut output, args.into()).await?,
        MetricCommand::Advise { min_count } => advise(&queries, &mut output, min_count).await?,
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

/// Prints the rollups that the record of queries asks for, ready to be put into the models' files.
async fn advise(queries: &QueryContext, output: &mut Output, min_count: u64) -> anyhow::Result<()> {
    let advice = queries.advise_rollups(min_count).await?;
    let told = |what: &str, tally: Tally| {
        if tally.questions > 0 {
            output.note(&format!("{what}: {}", spoken(tally)));
        }
    };
    if advice.asked.questions == 0 {
        output
            .note("no question to a metric is in the record of queries: serve the project for a while, then ask again");
        output.note("`xiangyun serve` records what it answers; the setting server.query_log turns that off");
        return Ok(());
    }
    told("questions in the record", advice.asked);
    told("answered by the rollups that are declared", advice.answered);
    for (reason, tally) in &advice.unfit {
        told(&format!("no rollup answers exactly: {reason}"), *tally);
    }
    told("cannot be asked any more", advice.unknown);
    told(&format!("asked fewer than {min_count} times in any one way"), advice.rare);
    told("left out, since they took little time", advice.left);
    if advice.proposals.is_empty() {
        output.note("there is nothing to propose");
    }
    let written: Vec<_> = advice.proposals.iter().map(|proposal| written(proposal, advice.asked)).collect();
    output.plain(&written.join("\n"))
}

fn spoken(tally: Tally) -> String {
    format!("{}, {:.1} s", plural(usize::try_from(tally.questions).unwrap_or(usize::MAX), "question"), tally.seconds)
}

fn written(proposal: &RollupProposal, asked: Tally) -> String {
    let list = |names: &[String]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let grain = proposal.grain.map(|grain| format!("grain = \"{}\"\n", grain.name())).unwrap_or_default();
    format!(
        "# {}\n# {} of {:.1} s: {}\n[rollups.{}]\ndimensions = [{}]\n{grain}measures = [{}]\n",
        proposal.file.display(),
        spoken(proposal.answers),
        asked.seconds,
        proposal.metrics.join(", "),
        proposal.name,
        list(&proposal.dimensions),
        list(&proposal.measures),
    )
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
