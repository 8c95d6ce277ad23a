//! From model files to [`Models`], with every fault at its place.

use std::collections::{HashMap, HashSet};

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, DFSchema};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, lit};
use indexmap::IndexMap;

use super::definition::{
    ChangeKind, CumulativeWindow, DerivedInput, HierarchyDef, MetricDef, MetricKind, SemanticModelDef,
};
use super::error::suggest;
use super::expression::{Fault, is_number, parse_scalar};
use super::formula::{Formula, Input};
use super::lookback::Lookback;
use super::model::{Model, Surroundings, TableShape};
use super::models::{Metric, Models};
use super::region::Level;
use super::rollup;
use super::window::Window;
use crate::catalog::{TableName, is_identifier};
use crate::project::{Diagnostics, Document, Project};

/// Measures that one metric may rest on, counted as often as they appear. Derived metrics of derived metrics multiply.
const MAX_LEAVES: usize = 256;

/// See [`Models::compile`].
pub(super) fn compile(
    project: &Project,
    shapes: &HashMap<TableName, TableShape>,
    session: &SessionState,
    diagnostics: &mut Diagnostics,
) -> Models {
    let places = declared(project, diagnostics);
    let mut models = Models::default();
    let mut drafts = IndexMap::new();
    let around = Surroundings { project, shapes, session };
    for document in &project.models {
        let Some(shape) = shapes.get(&document.def.table) else {
            report_missing_table(project, document, diagnostics);
            continue;
        };
        let mut faults = Vec::new();
        let model = Model::compile(document, shape, &around, &mut faults);
        for (name, hierarchy) in &document.def.hierarchies {
            if let Err((key, fault)) = check_hierarchy(hierarchy, &model) {
                faults.push((vec!["hierarchies".into(), name.clone(), key.into()], fault));
            }
        }
        let home = models.models.len();
        for (name, def) in &document.def.metrics {
            // The second of two metrics of one name was reported, and is left out.
            if !places.get(name.as_str()).is_some_and(|place| std::ptr::eq(*place, document)) {
                continue;
            }
            match formula(name, def, &model, &places, session) {
                Ok(Some(formula)) => {
                    drafts.insert(name.clone(), Metric { name: name.clone(), home, def: def.clone(), formula });
                }
                Ok(None) => {}
                Err(found) => faults.extend(found.into_iter().map(|(mut path, fault)| {
                    path.splice(0..0, ["metrics".to_owned(), name.clone()]);
                    (path, fault)
                })),
            }
        }
        for (path, fault) in faults {
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            report(document, &path, fault, diagnostics);
        }
        models.models.push(model);
    }
    let order = resolve(&drafts, &models, diagnostics);
    for name in order {
        if let Some(metric) = drafts.shift_remove(&name) {
            check_whole(&metric, &models, diagnostics);
            models.metrics.insert(name, metric);
        }
    }
    for (document, path, fault) in rollup::compile(&mut models, &around) {
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        report(&document, &path, fault, diagnostics);
    }
    models
}

/// Where each metric is declared; a name declared twice is reported at both places.
fn declared<'a>(
    project: &'a Project,
    diagnostics: &mut Diagnostics,
) -> IndexMap<&'a str, &'a Document<SemanticModelDef>> {
    let mut places: IndexMap<&str, &Document<_>> = IndexMap::new();
    for document in &project.models {
        for name in document.def.metrics.keys() {
            if let Some(first) = places.get(name.as_str()) {
                for (here, there) in [(document, *first), (*first, document)] {
                    let fault = Fault::new(format!("metric `{name}` is declared in {} too", place(there, name)))
                        .hint("metric names are unique in the project");
                    report(here, &["metrics", name], fault, diagnostics);
                }
            } else {
                places.insert(name, document);
            }
        }
    }
    places
}

type Faults = Vec<(Vec<String>, Fault)>;

/// Resolves one metric's names. `None` where a part was reported elsewhere.
fn formula(
    name: &str,
    def: &MetricDef,
    model: &Model,
    places: &IndexMap<&str, &Document<SemanticModelDef>>,
    session: &SessionState,
) -> Result<Option<Formula>, Faults> {
    if !is_identifier(name) {
        let fault =
            Fault::new(format!("`{name}` is not a name")).hint("use lower-case letters, digits and underscores");
        return Err(vec![(vec![], fault)]);
    }
    match &def.kind {
        MetricKind::Simple { measure } => {
            Ok(known(model, measure, "measure")?.then(|| Formula::Measure { measure: measure.clone(), window: None }))
        }
        MetricKind::Ratio { numerator, denominator } => {
            let both = [known(model, numerator, "numerator"), known(model, denominator, "denominator")];
            let usable = all(both)?.into_iter().all(|usable| usable);
            Ok(usable.then(|| Formula::Ratio { numerator: numerator.clone(), denominator: denominator.clone() }))
        }
        MetricKind::Cumulative { measure, window } => {
            if !known(model, measure, "measure")? {
                return Ok(None);
            }
            let window = cumulative(model, measure, window)?;
            Ok(Some(Formula::Measure { measure: measure.clone(), window: Some(window) }))
        }
        MetricKind::Derived { expr, inputs } => {
            let resolved = all(inputs.iter().map(|(name, input)| resolve_input(name, input, places)))?;
            let expr = derived_expr(expr, inputs, session).map_err(|fault| vec![(vec!["expr".into()], fault)])?;
            let inputs = inputs.keys().cloned().zip(resolved).collect();
            Ok(Some(Formula::Derived { expr, inputs }))
        }
        MetricKind::Change { metric, offset, shown } => change(metric, offset, *shown, places).map(Some),
    }
}

/// Whether `measure` can be used; an error where the model declares none of that name.
fn known(model: &Model, measure: &str, key: &str) -> Result<bool, Faults> {
    if model.measures.contains_key(measure) {
        return Ok(true);
    }
    let declared: Vec<_> = model.document.def.measures.keys().cloned().collect();
    if declared.iter().any(|name| name == measure) {
        return Ok(false);
    }
    let fault = Fault::new(format!("there is no measure `{measure}`")).hint(suggest(measure, &declared));
    Err(vec![(vec![key.into()], fault)])
}

fn cumulative(model: &Model, measure: &str, window: &CumulativeWindow) -> Result<Window, Faults> {
    let fault = |text: String| Err(vec![(vec!["measure".into()], Fault::new(text))]);
    let window = Window::read(window).map_err(|error| vec![(vec!["window".into()], Fault::new(error.to_string()))])?;
    let Some(found) = model.measures.get(measure) else { return Ok(window) };
    if model.document.def.time_dimension.is_none() {
        return fault("a cumulative metric adds up over time, and the model has no time_dimension".into());
    }
    if found.stock {
        return fault("a stock is never added up over time".into());
    }
    if !found.aggregation.additive && found.aggregation.sketch.is_none() {
        let (why, hint) = found.aggregation.why_not_added();
        let fault = Fault::new(format!("only sums and counts can be added up over periods: {why}"));
        let fault = hint.into_iter().fold(fault, Fault::hint);
        return Err(vec![(vec!["measure".into()], fault)]);
    }
    Ok(window)
}

/// A change is a derived metric over two inputs, the same metric now and before.
fn change(
    metric: &str,
    offset: &str,
    shown: ChangeKind,
    places: &IndexMap<&str, &Document<SemanticModelDef>>,
) -> Result<Formula, Faults> {
    // The keys stand at the metric itself, and not at inputs.
    let bare = |faults: Faults| -> Faults {
        faults.into_iter().map(|(path, fault)| (path.into_iter().rev().take(1).collect(), fault)).collect()
    };
    let input = |offset: Option<&str>| {
        let input = DerivedInput { metric: metric.into(), offset: offset.map(Into::into) };
        resolve_input("now", &input, places).map_err(bare)
    };
    let (now, before) = (input(None)?, input(Some(offset))?);
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let expr = match shown {
        ChangeKind::Ratio => column("now") / column("before") - lit(1.0),
        ChangeKind::Difference => column("now") - column("before"),
    };
    Ok(Formula::Derived { expr, inputs: [("now".into(), now), ("before".into(), before)].into_iter().collect() })
}

/// Two levels at the least, each a dimension or a region dimension's level; else the key that is to blame.
fn check_hierarchy(hierarchy: &HierarchyDef, model: &Model) -> Result<(), (&'static str, Fault)> {
    if hierarchy.levels.len() < 2 {
        return Err(("levels", Fault::new("a hierarchy has two levels at the least")));
    }
    let mut known: Vec<String> = Vec::new();
    for (name, dimension) in &model.dimensions {
        known.push(name.clone());
        if dimension.kind == super::DimensionKind::Region {
            known.extend(Level::ALL.iter().map(|level| format!("{name}.{}", level.name())));
        }
    }
    let declared = |level: &String| {
        let name = level.split_once('.').map_or(level.as_str(), |(name, _)| name);
        model.document.def.dimensions.contains_key(name) && !model.dimensions.contains_key(name)
    };
    for level in &hierarchy.levels {
        // A dimension that was reported takes no hierarchy with it.
        if !known.contains(level) && !declared(level) {
            let fault = Fault::new(format!("there is no dimension `{level}`")).hint(suggest(level, &known));
            return Err(("levels", fault));
        }
    }
    Ok(())
}

fn resolve_input(
    name: &str,
    input: &DerivedInput,
    places: &IndexMap<&str, &Document<SemanticModelDef>>,
) -> Result<Input, Faults> {
    let at = |key: &str, fault| vec![(vec!["inputs".to_owned(), name.to_owned(), key.to_owned()], fault)];
    if !is_identifier(name) {
        return Err(at("metric", Fault::new(format!("`{name}` is not a name"))));
    }
    if !places.contains_key(input.metric.as_str()) {
        let names: Vec<_> = places.keys().map(ToString::to_string).collect();
        let fault = Fault::new(format!("there is no metric `{}`", input.metric)).hint(suggest(&input.metric, &names));
        return Err(at("metric", fault));
    }
    let lookback = match input.offset.as_deref() {
        None => Lookback::default(),
        Some(text) => text.parse().map_err(|error| at("offset", Fault::new(format!("{error}"))))?,
    };
    Ok(Input { metric: input.metric.clone(), lookback })
}

fn derived_expr(sql: &str, inputs: &IndexMap<String, DerivedInput>, session: &SessionState) -> Result<Expr, Fault> {
    let fields: Vec<_> = inputs.keys().map(|name| Field::new(name, DataType::Float64, true)).collect();
    let schema = DFSchema::try_from(Schema::new(fields))?;
    let (expr, data_type) = parse_scalar(session, sql, &schema)?;
    if !is_number(&data_type) {
        return Err(Fault::new(format!("a metric is a number, not {data_type}")));
    }
    let used = expr.column_refs();
    if let Some(unused) = inputs.keys().find(|name| !used.iter().any(|column| column.name() == name.as_str())) {
        return Err(Fault::new(format!("input `{unused}` is not used")));
    }
    Ok(expr)
}

/// All results, or all faults.
fn all<T>(results: impl IntoIterator<Item = Result<T, Faults>>) -> Result<Vec<T>, Faults> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(faults) => bad.extend(faults),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// The usable metrics, each behind its inputs. Cycles are reported at every metric of theirs.
fn resolve(drafts: &IndexMap<String, Metric>, models: &Models, diagnostics: &mut Diagnostics) -> Vec<String> {
    let (path, done, order) = (Vec::new(), HashMap::new(), Vec::new());
    let mut walk = Walk { drafts, models, diagnostics, path, done, cycles: HashSet::new(), order };
    for name in drafts.keys() {
        walk.visit(name);
    }
    walk.order
}

struct Walk<'a> {
    drafts: &'a IndexMap<String, Metric>,
    models: &'a Models,
    diagnostics: &'a mut Diagnostics,
    /// From the metric that the walk began at to the present one.
    path: Vec<String>,
    /// Leaves under each metric that was left behind; `None` for one that cannot be used.
    done: HashMap<String, Option<usize>>,
    /// Steps of cycles that were reported: two inputs may lead into one.
    cycles: HashSet<(String, String)>,
    order: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) -> Option<usize> {
        if let Some(leaves) = self.done.get(name) {
            return *leaves;
        }
        if let Some(start) = self.path.iter().position(|step| step == name) {
            self.report_cycle(start);
            return None;
        }
        let metric = self.drafts.get(name)?;
        let leaves = match &metric.formula {
            Formula::Measure { .. } => Some(1),
            Formula::Ratio { .. } => Some(2),
            Formula::Derived { inputs, .. } => {
                self.path.push(name.into());
                let under: Vec<_> = inputs.values().map(|input| self.visit(&input.metric)).collect();
                self.path.pop();
                under.into_iter().sum::<Option<usize>>()
            }
        };
        let usable = leaves.filter(|leaves| *leaves <= MAX_LEAVES);
        if let (Some(leaves), None) = (leaves, usable) {
            let fault = Fault::new(format!("metric `{name}` rests on {leaves} measures, more than {MAX_LEAVES}"));
            report(&self.models.models[metric.home].document, &["metrics", name], fault, self.diagnostics);
        }
        self.done.insert(name.into(), usable);
        if usable.is_some() {
            self.order.push(name.into());
        }
        usable
    }

    fn report_cycle(&mut self, start: usize) {
        let cycle: Vec<&Metric> = self.path[start..].iter().map(|name| &self.drafts[name]).collect();
        let document = |metric: &Metric| &self.models.models[metric.home].document;
        for (at, metric) in cycle.iter().enumerate() {
            let next = cycle[(at + 1) % cycle.len()];
            if !self.cycles.insert((metric.name.clone(), next.name.clone())) {
                continue;
            }
            let message = format!(
                "metric `{}` is computed from itself, by way of `{}` in {}",
                metric.name,
                next.name,
                place(document(next), &next.name)
            );
            report(document(metric), &["metrics", &metric.name, "inputs"], Fault::new(message), self.diagnostics);
        }
    }
}

/// Checks what needs the metric's whole tree.
fn check_whole(metric: &Metric, models: &Models, diagnostics: &mut Diagnostics) {
    let document = &models.models[metric.home].document;
    let under: Vec<_> = models.models_under(metric).into_iter().map(|model| &models.models[model]).collect();
    let is_timed = under.iter().all(|model| model.document.def.time_dimension.is_some());
    if is_timed && under.iter().all(|model| model.time.is_some()) && models.grains(metric).is_empty() {
        let fault = Fault::new(format!("metric `{}` cannot be asked by any grain", metric.name));
        let hint = "its offsets, windows, fiscal years and finest grains must share one";
        report(document, &["metrics", &metric.name], fault.hint(hint), diagnostics);
    }
    let Formula::Derived { inputs, .. } = &metric.formula else { return };
    for (name, input) in inputs {
        let target = models.metrics.get(&input.metric);
        let timeless = target
            .into_iter()
            .flat_map(|target| models.models_under(target))
            .find(|model| models.models[*model].document.def.time_dimension.is_none());
        if let (false, Some(model)) = (input.lookback.is_none(), timeless) {
            let table = &models.models[model].table;
            let fault = Fault::new(format!("the model of `{table}` has no time_dimension, so nothing lies before"));
            let path: &[&str] = match metric.def.kind {
                MetricKind::Change { .. } => &["metrics", &metric.name, "offset"],
                _ => &["metrics", &metric.name, "inputs", name, "offset"],
            };
            report(document, path, fault, diagnostics);
        }
    }
}

fn report_missing_table(project: &Project, document: &Document<SemanticModelDef>, diagnostics: &mut Diagnostics) {
    let table = &document.def.table;
    // A view that is declared and has no shape did not plan: that was reported at the view.
    if project.table(table).is_none() && project.view(table).is_none() {
        let tables = project.tables.iter().map(|table| table.def.name.to_string());
        let names: Vec<_> = tables.chain(project.views.iter().map(|view| view.def.name.to_string())).collect();
        let fault =
            Fault::new(format!("there is no table or view `{table}`")).hint(suggest(&table.to_string(), &names));
        report(document, &["table"], fault, diagnostics);
    }
}

fn report(document: &Document<SemanticModelDef>, path: &[&str], fault: Fault, diagnostics: &mut Diagnostics) {
    let diagnostic = document.fault(path, fault.message);
    diagnostics.push(match fault.hint {
        Some(hint) => diagnostic.with_hint(hint),
        None => diagnostic,
    });
}

/// `file:line:column` of a metric.
fn place(document: &Document<SemanticModelDef>, metric: &str) -> String {
    document.place_of(&["metrics", metric])
}
