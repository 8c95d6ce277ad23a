//! Which rollups would answer most of what was asked.

use std::path::PathBuf;

use datafusion::execution::SessionState;
use indexmap::IndexMap;

use super::compile::refusal;
use super::cover::Shape;
use crate::catalog::TableName;
use crate::error::Result;
use crate::project::Project;
use crate::semantic::definition::TimeGrain;
use crate::semantic::models::Models;
use crate::semantic::query::MetricQuery;

/// Rollups that are proposed at the most.
const MOST: usize = 8;
/// Share of the time that is to be answered by proposals, of what they can answer at all.
const ENOUGH: f64 = 0.9;

/// A question that was asked.
#[derive(Debug, Clone)]
pub struct AskedQuestion {
    /// What was asked.
    pub query: MetricQuery,
    /// Seconds that the answer took.
    pub seconds: f64,
}

/// Questions and the time that their answers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Questions.
    pub questions: u64,
    /// Seconds.
    pub seconds: f64,
}

impl Tally {
    fn add(&mut self, seconds: f64) {
        self.questions += 1;
        self.seconds += seconds;
    }

    fn with(&mut self, other: Self) {
        self.questions += other.questions;
        self.seconds += other.seconds;
    }
}

/// A rollup that is not declared and would be of use.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RollupProposal {
    /// A name that is free.
    pub name: String,
    /// The file that it belongs into.
    pub file: PathBuf,
    /// The model's table.
    pub table: TableName,
    /// Names as in `by`.
    pub dimensions: Vec<String>,
    /// The period that it is kept by.
    pub grain: Option<TimeGrain>,
    /// The measures that it keeps.
    pub measures: Vec<String>,
    /// The metrics that were asked.
    pub metrics: Vec<String>,
    /// What it would have answered and no proposal before it.
    pub answers: Tally,
}

/// What the questions that were asked say of rollups.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RollupAdvice {
    /// All questions that were looked at.
    pub asked: Tally,
    /// Those that the declared rollups answer.
    pub answered: Tally,
    /// Those that cannot be asked any more, as of a metric that is gone.
    pub unknown: Tally,
    /// Those that no rollup can answer exactly, by the reason.
    pub unfit: Vec<(String, Tally)>,
    /// Those that were asked too rarely in any one way.
    pub rare: Tally,
    /// Those that the proposals leave, since they took little time.
    pub left: Tally,
    /// The proposals, the one that answers most first.
    pub proposals: Vec<RollupProposal>,
}

/// What a rollup would have to keep for some of the questions.
#[derive(Debug, Default)]
struct Group {
    measures: Vec<String>,
    metrics: Vec<String>,
    tally: Tally,
}

/// What one question asks of one model; or why no rollup answers it.
type Wanted = std::result::Result<(usize, Shape, Vec<String>), String>;

impl Models {
    /// The smallest set of rollups that would have answered most of what `asked` took, as far as rollups can, and that was
    /// asked at least `min_count` times.
    pub fn advise(
        &self,
        asked: &[AskedQuestion],
        min_count: u64,
        project: &Project,
        session: &SessionState,
    ) -> RollupAdvice {
        let mut advice = RollupAdvice::default();
        let mut unfit: IndexMap<String, Tally> = IndexMap::new();
        let mut groups: IndexMap<(usize, Shape), Group> = IndexMap::new();
        for AskedQuestion { query, seconds } in asked {
            advice.asked.add(*seconds);
            let Ok(wanted) = self.wanted(query, project, session) else {
                advice.unknown.add(*seconds);
                continue;
            };
            if wanted.is_empty() {
                advice.answered.add(*seconds);
                continue;
            }
            if let Some(reason) = wanted.iter().find_map(|wanted| wanted.as_ref().err()) {
                unfit.entry(reason.clone()).or_default().add(*seconds);
                continue;
            }
            // A question that reads two models is answered by two rollups, each with a part of the time.
            let share = *seconds / wanted.len() as f64;
            for (at, (model, shape, measures)) in wanted.into_iter().flatten().enumerate() {
                let group = groups.entry((model, shape)).or_default();
                group.tally.with(Tally { questions: u64::from(at == 0), seconds: share });
                measures.into_iter().for_each(|measure| push_new(&mut group.measures, measure));
                push_new(&mut group.metrics, query.metric.clone());
            }
        }
        unfit.sort_by(|_, a, _, b| b.seconds.total_cmp(&a.seconds));
        advice.unfit = unfit.into_iter().collect();
        self.propose(groups, min_count, &mut advice);
        advice
    }

    /// What `query` asks of each model that no declared rollup answers; nothing where the declared ones do.
    fn wanted(&self, query: &MetricQuery, project: &Project, session: &SessionState) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        self.each_frame(query, session, |model, measures, needs| {
            let declared = self.rollups.values().any(|rollup| {
                rollup.model == model
                    && measures.iter().all(|measure| rollup.rolled.measures.contains_key(*measure))
                    && rollup.shape.covers(&self.models[model], needs)
            });
            if declared {
                return;
            }
            let mut dimensions: Vec<String> = Vec::new();
            for name in &needs.names {
                let whole = name.split_once('.').map_or(*name, |(dimension, _)| dimension);
                push_new(&mut dimensions, if needs.as_is { whole } else { name }.to_owned());
            }
            // A level is told by the code itself.
            let whole: Vec<_> = dimensions.iter().filter(|name| !name.contains('.')).cloned().collect();
            dimensions.retain(|name| name.split_once('.').is_none_or(|(of, _)| !whole.iter().any(|known| known == of)));
            dimensions.sort();
            let shapes = TimeGrain::ALL.into_iter().rev().map(Some).chain([None]);
            let shapes = shapes.map(|grain| Shape { dimensions: dimensions.clone(), grain });
            let measures: Vec<String> = measures.iter().map(ToString::to_string).collect();
            let fits = |shape: &Shape| {
                refusal(self, project, model, shape, &measures, session).is_none()
                    && shape.covers(&self.models[model], needs)
            };
            wanted.push(match shapes.clone().find(fits) {
                Some(shape) => Ok((model, shape, measures)),
                None => {
                    let mut finest =
                        shapes.filter(|shape| shape.grain == Some(TimeGrain::Day) || shape.grain.is_none());
                    let reason = finest.find_map(|shape| refusal(self, project, model, &shape, &measures, session));
                    let otherwise = || "its ranges or regions are told by the rows alone".to_owned();
                    Err(format!("metric `{}`: {}", query.metric, reason.unwrap_or_else(otherwise)))
                }
            });
        })?;
        Ok(wanted)
    }

    fn propose(&self, mut groups: IndexMap<(usize, Shape), Group>, min_count: u64, advice: &mut RollupAdvice) {
        let answers = |whole: &(usize, Shape), part: &(usize, Shape)| {
            let grain = match (whole.1.grain, part.1.grain) {
                (Some(kept), Some(asked)) => kept.nests_in(asked),
                (kept, asked) => kept == asked,
            };
            let dimension = |name: &String| {
                let of = name.split_once('.').map_or(name.as_str(), |(dimension, _)| dimension);
                whole.1.dimensions.iter().any(|kept| kept == name || kept == of)
            };
            whole.0 == part.0 && grain && part.1.dimensions.iter().all(dimension)
        };
        let of = |groups: &IndexMap<(usize, Shape), Group>, key: &(usize, Shape)| {
            let mut tally = Tally::default();
            groups.iter().filter(|(part, _)| answers(key, part)).for_each(|(_, group)| tally.with(group.tally));
            tally
        };
        // What was asked too rarely counts where a proposal that is made anyway answers it.
        let candidates: Vec<_> =
            groups.iter().filter(|(_, group)| group.tally.questions >= min_count).map(|(key, _)| key.clone()).collect();
        let within: f64 = groups
            .iter()
            .filter(|(part, _)| candidates.iter().any(|candidate| answers(candidate, part)))
            .map(|(_, group)| group.tally.seconds)
            .sum();
        let mut taken = 0.0;
        while taken < within * ENOUGH && advice.proposals.len() < MOST {
            let gain = |key: &&(usize, Shape)| of(&groups, key);
            let best = candidates.iter().map(|key| (key, gain(&key))).max_by(|(a, x), (b, y)| {
                let smaller = b.1.dimensions.len().cmp(&a.1.dimensions.len());
                x.seconds.total_cmp(&y.seconds).then(smaller).then(a.1.grain.cmp(&b.1.grain))
            });
            let Some((key, tally)) = best.filter(|(_, tally)| tally.questions > 0) else { break };
            let (mut measures, mut metrics) = (Vec::new(), Vec::new());
            groups.retain(|part, group| {
                let answered = answers(key, part);
                if answered {
                    group.measures.drain(..).for_each(|measure| push_new(&mut measures, measure));
                    group.metrics.drain(..).for_each(|metric| push_new(&mut metrics, metric));
                }
                !answered
            });
            taken += tally.seconds;
            let proposal = self.proposal(key, measures, metrics, tally, &advice.proposals);
            advice.proposals.push(proposal);
        }
        for (key, group) in groups {
            let asked_often = candidates.iter().any(|candidate| answers(candidate, &key));
            if asked_often { &mut advice.left } else { &mut advice.rare }.with(group.tally);
        }
    }

    fn proposal(
        &self,
        (model, shape): &(usize, Shape),
        measures: Vec<String>,
        metrics: Vec<String>,
        answers: Tally,
        others: &[RollupProposal],
    ) -> RollupProposal {
        let model = &self.models[*model];
        let by = shape.dimensions.iter().map(|name| name.replace('.', "_"));
        let by: Vec<_> = by.chain(shape.grain.map(|grain| grain.name().to_owned())).collect();
        let plain = match by.is_empty() {
            true => model.table.table().to_owned(),
            false => format!("{}_by_{}", model.table.table(), by.join("_")),
        };
        let is_free =
            |name: &String| !self.rollups.contains_key(name) && others.iter().all(|other| other.name != *name);
        let mut names = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain}_{number}")));
        RollupProposal {
            name: names.find(is_free).unwrap_or(plain),
            file: model.document.source.path.clone(),
            table: model.table.clone(),
            dimensions: shape.dimensions.clone(),
            grain: shape.grain,
            measures,
            metrics,
            answers,
        }
    }
}

fn push_new(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}
