//! An operation for each metric, so that a tool that is made of the document offers its dimensions and grains.

use std::collections::BTreeSet;

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, PathItem};
use utoipa::openapi::{OpenApi, RefOr};
use xiangyun_engine::semantic::MetricSummary;

use super::params::{choice, list};

/// The path whose operation those of single metrics follow.
const ANY_METRIC: &str = "/v1/metrics/{name}";

/// The document with an operation for each of `metrics`.
pub(crate) fn with_metrics(api: &OpenApi, metrics: &[MetricSummary]) -> OpenApi {
    let mut api = api.clone();
    let any = api.paths.paths.get(ANY_METRIC).and_then(|item| item.get.clone());
    for metric in metrics {
        let Some(any) = &any else { break };
        let item = PathItem::new(HttpMethod::Get, operation(any, metric));
        api.paths.paths.insert(format!("/v1/metrics/{}", metric.name), item);
    }
    api
}

fn operation(any: &Operation, metric: &MetricSummary) -> Operation {
    let mut operation = any.clone();
    // A share has the unit 1.
    let unit = metric.unit.as_ref().filter(|unit| *unit != "1");
    let unit = unit.map(|unit| format!(" [{unit}]")).unwrap_or_default();
    operation.operation_id = Some(format!("ask_metric_{}", metric.name));
    operation.summary = Some(format!("{}{unit}", metric.title.en));
    operation.description = Some(format!(
        "{}{unit}：{}\n\n{}{unit}: {}\n\nDefinition 口径版本 {}, {}",
        metric.title.zh,
        metric.description.zh,
        metric.title.en,
        metric.description.en,
        metric.definition_version,
        metric.owner
    ));
    operation.extensions = Some(Extensions::from_iter([("x-zh", json!(format!("{}{unit}", metric.title.zh)))]));
    let parameters = operation.parameters.take().unwrap_or_default();
    let narrow = |parameter| match parameter {
        RefOr::T(parameter) => narrowed(parameter, metric).map(RefOr::T),
        other => Some(other),
    };
    operation.parameters = Some(parameters.into_iter().filter_map(narrow).collect());
    operation
}

/// The parameter with the values that this metric knows; none where it knows no value.
fn narrowed(parameter: Parameter, metric: &MetricSummary) -> Option<Parameter> {
    let description = parameter.description.clone().unwrap_or_default();
    match parameter.name.as_str() {
        "name" => None,
        "by" if metric.dimensions.is_empty() => None,
        "by" => Some(list("by", &description, metric.dimensions.clone())),
        "order" => Some(list("order", &description, orders(metric))),
        // A model without time has no periods and no range.
        "grain" | "from" | "to" if metric.grains.is_empty() => None,
        "grain" => {
            let grains: Vec<_> = metric.grains.iter().map(|grain| grain.name()).collect();
            Some(choice("grain", &description, &grains))
        }
        _ => Some(parameter),
    }
}

/// Every column that an answer may have, up and down. A column is there only if it was asked for by `by` or `grain`.
fn orders(metric: &MetricSummary) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    if !metric.grains.is_empty() {
        columns.push("period".into());
    }
    let regions: BTreeSet<_> =
        metric.dimensions.iter().filter_map(|name| name.split_once('.')).map(|(region, _)| region).collect();
    for name in &metric.dimensions {
        columns.push(name.clone());
        let dimension = name.split_once('.').map_or(name.as_str(), |(dimension, _)| dimension);
        if regions.contains(dimension) {
            columns.push(format!("{name}_name"));
        }
    }
    columns.push("value".into());
    columns.iter().flat_map(|name| [name.clone(), format!("-{name}")]).collect()
}
