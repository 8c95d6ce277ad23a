//! `pipelines/*.toml` → checked pipelines in the order in which they run.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use xiangyun_engine::catalog::{TableDef, TableName, tables_of};
use xiangyun_engine::clock::system_clock;
use xiangyun_engine::functions::Reference;
use xiangyun_engine::project::{Diagnostic, Diagnostics, Document, Project, load_folder, nearest};

use super::definition::{
    BatchCheckDef, BatchRule, CheckRule, ControlTotalRule, Duplicates, OnChangedFile, PipelineDef, WriteMode,
};
use super::statement;
use crate::check::{CheckContext, CheckKey, compile, gather, written_faults};
use crate::connection::ConnectionDef;
use crate::jobs::check_schedule;
use crate::source::check_settings;

/// The columns of `table` as its rows have them before rows that fail are left out: all may be missing.
pub(crate) fn nullable_schema(table: &TableDef) -> SchemaRef {
    let fields = table.columns.iter().map(|column| Field::new(&column.name, column.column_type.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Reads the project's pipelines and checks them against its tables, offline: no source is opened. Faulty pipelines
/// are reported and left out.
pub(crate) fn load_pipelines(
    project: &Project,
    connections: &[Document<ConnectionDef>],
    diagnostics: &mut Diagnostics,
) -> Vec<Document<PipelineDef>> {
    let mut accepted: Vec<Document<PipelineDef>> = Vec::new();
    for document in load_folder::<PipelineDef>(&project.root, diagnostics) {
        let mut faults = check(project, &document, &accepted);
        faults.extend(check_connection(&document, connections));
        faults.extend(check_times(&document));
        if faults.is_empty() {
            accepted.push(document);
        }
        faults.into_iter().for_each(|fault| diagnostics.push(fault));
    }
    check_after(&accepted, diagnostics);
    in_order(project, accepted, diagnostics)
}

/// Everything that is wrong with one pipeline.
fn check(project: &Project, document: &Document<PipelineDef>, earlier: &[Document<PipelineDef>]) -> Vec<Diagnostic> {
    let def = &*document.def;
    let mut faults = Vec::new();
    if let Some(twin) = earlier.iter().find(|other| other.def.name == def.name) {
        let place = twin.place_of(&["name"]);
        faults.push(document.fault(&["name"], format!("pipeline `{}` is declared in {place} already", def.name)));
    }
    let same_table = earlier.iter().find(|other| other.def.table == def.table);
    if let (WriteMode::Replace, Some(other)) = (&def.mode, same_table) {
        let message =
            format!("pipeline `{}` loads `{}` too, and this one would replace its rows", other.def.name, def.table);
        faults.push(
            document.fault(&["mode"], message).with_hint("append in both, or load from both sources in one pipeline"),
        );
    }
    faults.extend(push_faults(document, earlier));
    if let Err(error) = check_settings(&def.source) {
        let fault = document.fault(&["source"], error.to_string());
        faults.push(match xiangyun_engine::error::Classify::hint(&error) {
            Some(hint) => fault.with_hint(hint),
            None => fault,
        });
    }
    if let Some(transform) = &def.transform {
        match statement::parse(&transform.sql) {
            Ok(sql) => {
                for name in &sql.reads {
                    if project.table(name).is_none() && project.view(name).is_none() && name.schema() != "system" {
                        let message = format!("the transform reads `{name}`, which the project does not declare");
                        faults.push(document.fault(&["transform", "sql"], message));
                    }
                }
            }
            Err(message) => faults.push(document.fault(&["transform", "sql"], message)),
        }
    }
    match project.table(&def.table) {
        Some(table) => {
            faults.extend(check_mode(document, &table.def));
            faults.extend(check_columns(project, document, &def.mode.contract_of_rows(&table.def)));
        }
        None => {
            let fault = document.fault(&["table"], format!("there is no table `{}`", def.table));
            let names: Vec<String> = project.tables.iter().map(|table| table.def.name.to_string()).collect();
            let hint = match nearest(&def.table.to_string(), names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("declare it in tables/{}.toml", def.table),
            };
            faults.push(fault.with_hint(hint));
        }
    }
    faults
}

/// A pipeline of pushed rows says nothing that only a run could follow.
fn push_faults(document: &Document<PipelineDef>, earlier: &[Document<PipelineDef>]) -> Vec<Diagnostic> {
    let def = &*document.def;
    let mut faults = Vec::new();
    if !def.source.is_push() {
        return faults;
    }
    if let Some(other) = earlier.iter().find(|other| other.def.table == def.table && other.def.source.is_push()) {
        let message = format!("pipeline `{}` takes what is pushed to `{}` already", other.def.name, def.table);
        faults.push(document.fault(&["source"], message).with_hint("a table has one pipeline with `kind = \"push\"`"));
    }
    if matches!(def.mode, WriteMode::Replace | WriteMode::ReplacePartition) {
        let message = "each push would take the place of those before".to_owned();
        let hint = "let pushed rows `append`, `upsert`, `delete` or make a `history`";
        faults.push(document.fault(&["mode"], message).with_hint(hint));
    }
    if def.transform.is_some() {
        let message = "pushed rows are taken as they come".to_owned();
        faults.push(document.fault(&["transform"], message).with_hint("declare a view over the table instead"));
    }
    if def.schedule.is_some() {
        let message = "pushed rows come when they come".to_owned();
        faults.push(document.fault(&["schedule"], message).with_hint("leave `schedule` out"));
    }
    faults
}

/// The schedule can be read; whether the pipelines it waits for exist is told once all are known.
fn check_times(document: &Document<PipelineDef>) -> Vec<Diagnostic> {
    let faults = document.def.schedule.iter().flat_map(check_schedule);
    let fault = |(key, message, hint): (&str, String, Option<String>)| {
        let fault = document.fault(&["schedule", key], message);
        match hint {
            Some(hint) => fault.with_hint(hint),
            None => fault,
        }
    };
    faults.map(fault).collect()
}

/// A schedule waits for pipelines that exist, and for none of those that wait for it.
fn check_after(pipelines: &[Document<PipelineDef>], diagnostics: &mut Diagnostics) {
    let names = || pipelines.iter().map(|other| other.def.name.as_str());
    let after = |name: &str| -> &[String] {
        let found = pipelines.iter().find(|other| other.def.name == name);
        found.and_then(|other| other.def.schedule.as_ref()).map_or(&[], |schedule| &schedule.after)
    };
    for document in pipelines {
        let name = &document.def.name;
        for (index, waited) in after(name).iter().enumerate() {
            let path = ["schedule", "after", &index.to_string()];
            if !names().any(|other| other == waited) {
                let fault = document.fault(&path, format!("there is no pipeline `{waited}`"));
                diagnostics.push(match nearest(waited, names()) {
                    Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
                    None => fault,
                });
                continue;
            }
            let (mut open, mut seen) = (vec![waited.as_str()], BTreeSet::new());
            while let Some(next) = open.pop() {
                if next == name {
                    let message = format!("`{name}` waits for `{waited}`, which waits for `{name}`");
                    diagnostics.push(document.fault(&path, message));
                    break;
                }
                if seen.insert(next) {
                    open.extend(after(next).iter().map(String::as_str));
                }
            }
        }
    }
}

/// The mode has in the contract what it needs, and the pipeline says nothing that the mode decides.
fn check_mode(document: &Document<PipelineDef>, table: &TableDef) -> Vec<Diagnostic> {
    let def = &*document.def;
    let mut faults = Vec::new();
    for (key, message) in def.mode.faults(table) {
        let below = match def.mode {
            WriteMode::Upsert(_) => "upsert",
            _ => "history",
        };
        faults.push(match key {
            Some(key) => document.fault(&["mode", below, key], message),
            None => document.fault(&["mode"], message).with_hint(format!("see tables/{}.toml", table.name)),
        });
    }
    if def.mode.is_keyed() && !matches!(def.duplicates, Duplicates::Reject | Duplicates::Keep) {
        let message = "this mode decides itself which of two rows with the same key stays".to_owned();
        faults.push(document.fault(&["duplicates"], message).with_hint("leave `duplicates` out"));
    }
    if def.on_changed_file != OnChangedFile::Load && def.mode != WriteMode::Append {
        let message = "only `append` asks whether a file has changed".to_owned();
        faults.push(document.fault(&["on_changed_file"], message).with_hint("leave `on_changed_file` out"));
    }
    if def.on_changed_file != OnChangedFile::Load && !def.source.has_named_files() {
        let message = "the source has no files that could change under their name".to_owned();
        faults.push(document.fault(&["on_changed_file"], message).with_hint("leave `on_changed_file` out"));
    }
    if def.mode == WriteMode::Replace && def.source.is_incremental() {
        let message = "a load brings only what came since the last one, and would replace all that came before";
        faults.push(document.fault(&["mode"], message.to_owned()).with_hint("use `append` or `upsert`"));
    }
    if !def.mode.is_keyed() && def.source.database_rows().is_some_and(|rows| rows.updated_at.is_some()) {
        let message = "a changed row would not find the one that it takes the place of: the mode is none by key";
        let hint = "use `upsert` or `history`, or `cursor` for a column that only grows";
        faults.push(document.fault(&["source", "updated_at"], message.to_owned()).with_hint(hint));
    }
    faults
}

/// A source names a connection that is declared, and of its own kind.
fn check_connection(document: &Document<PipelineDef>, connections: &[Document<ConnectionDef>]) -> Option<Diagnostic> {
    let name = document.def.source.connection()?;
    if let Some(connection) = connections.iter().find(|connection| connection.def.name == name) {
        let schemes = document.def.source.schemes();
        let scheme = connection.def.url.split("://").next().unwrap_or_default();
        if schemes.is_empty() || schemes.contains(&scheme) {
            return None;
        }
        let message = format!("the source needs `{}://`, and connection `{name}` is `{scheme}://`", schemes[0]);
        let fault = document.fault(&["source", "connection"], message);
        return Some(fault.with_hint("name another connection, or use the `kind` that belongs to it"));
    }
    let fault = document.fault(&["source", "connection"], format!("there is no connection `{name}`"));
    let hint = match nearest(name, connections.iter().map(|connection| connection.def.name.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare it in connections/{name}.toml"),
    };
    Some(fault.with_hint(hint))
}

/// Whether each file has a total of its own.
fn is_of_files(control: &ControlTotalRule) -> bool {
    control.file_suffix.is_some() || control.footer.is_some()
}

/// What is wrong with a check of the load as a whole, and what to do.
fn batch_faults(
    project: &Project,
    def: &PipelineDef,
    check: &BatchCheckDef,
    table: &TableDef,
) -> Vec<(String, Option<String>)> {
    let mut faults: Vec<_> = gather(check, table).err().into_iter().collect();
    match &check.rule {
        BatchRule::ControlTotal(control) if control.footer.is_some() && !def.source.has_footer() => {
            let hint = "declare it in the source, as in `footer = \"合计\"`".to_owned();
            faults.push(("the source declares no `footer` in which the numbers could stand".into(), Some(hint)));
        }
        BatchRule::ControlTotal(control) if is_of_files(control) && def.transform.is_some() => {
            let hint = "give `rows` or `sum`, which are compared with what the transform gives".to_owned();
            faults.push(("the rows of a transform are not those of a file".into(), Some(hint)));
        }
        BatchRule::FoundIn(rule) => match project.table(&rule.table) {
            None => faults.push((format!("there is no table `{}`", rule.table), None)),
            Some(found) if found.def.column(&rule.of).is_none() => {
                faults.push((format!("`{}` has no column `{}`", rule.table, rule.of), None));
            }
            Some(_) => {}
        },
        _ => {}
    }
    faults
}

fn check_columns(project: &Project, document: &Document<PipelineDef>, table: &TableDef) -> Vec<Diagnostic> {
    let def = &*document.def;
    let mut faults = Vec::new();
    for name in def.columns.keys().filter(|name| table.column(name).is_none()) {
        let fault = document.fault(&["columns", name], format!("`{}` has no column `{name}`", table.name));
        let names = table.columns.iter().map(|column| column.name.as_str());
        faults.push(match nearest(name, names) {
            Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
            None => fault.with_hint("on the left stands the table's column, on the right the source's"),
        });
    }
    for (path, message, hint) in written_faults(def, table) {
        let path: Vec<&str> = std::iter::once("written").chain(path.iter().map(String::as_str)).collect();
        faults.push(document.fault(&path, message).with_hint(hint));
    }
    for (index, check) in def.batch.iter().enumerate() {
        faults.extend(batch_faults(project, def, check, table).into_iter().map(|(message, hint)| {
            let fault = document.fault(&["batch", &index.to_string(), "rule"], message);
            match hint {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            }
        }));
    }
    // The clock matters only when checks run.
    let mut context = match CheckContext::try_new(&Reference::built_in(), &system_clock()) {
        Ok(context) => context,
        Err(error) => {
            faults.push(document.fault(&["checks"], format!("checks cannot be planned: {error}")));
            return faults;
        }
    };
    let schema = nullable_schema(table);
    for (index, check) in def.checks.iter().enumerate() {
        if check.rule == CheckRule::UniqueInTable && def.mode != WriteMode::Append {
            let message = "with this `mode` rows of the table are replaced, and not only added to".to_owned();
            let fault = document.fault(&["checks", &index.to_string(), "rule"], message);
            faults.push(fault.with_hint("use `unique`, or `mode = \"append\"`"));
        }
        if let Err(found) = compile(check, table, &schema, &mut context) {
            let key = match found.key {
                CheckKey::Column => "column",
                CheckKey::Rule => "rule",
            };
            let fault = document.fault(&["checks", &index.to_string(), key], found.message);
            faults.push(match found.hint {
                Some(hint) => fault.with_hint(hint),
                None => fault,
            });
        }
    }
    faults
}

/// Pipelines that load what others read come first; otherwise the order of the files stays.
fn in_order(
    project: &Project,
    pipelines: Vec<Document<PipelineDef>>,
    diagnostics: &mut Diagnostics,
) -> Vec<Document<PipelineDef>> {
    let reads: Vec<BTreeSet<TableName>> =
        pipelines.iter().map(|pipeline| tables_read(project, &pipeline.def)).collect();
    let mut waiting: Vec<usize> = (0..pipelines.len()).collect();
    let mut order = Vec::with_capacity(pipelines.len());
    while !waiting.is_empty() {
        let open: HashMap<&TableName, usize> =
            waiting.iter().map(|index| (&pipelines[*index].def.table, *index)).collect();
        // A pipeline may read the table that it loads itself: what earlier runs left there.
        let is_ready =
            |index: &usize| reads[*index].iter().all(|table| open.get(table).is_none_or(|loader| loader == index));
        let Some(position) = waiting.iter().position(is_ready) else {
            let names: Vec<_> = waiting.iter().map(|index| format!("`{}`", pipelines[*index].def.name)).collect();
            let message = format!("the pipelines {} read what the others load, in a circle", names.join(", "));
            diagnostics.push(pipelines[waiting[0]].fault(&["transform", "sql"], message));
            order.append(&mut waiting);
            break;
        };
        order.push(waiting.remove(position));
    }
    order.into_iter().map(|index| pipelines[index].clone()).collect()
}

/// The tables that a pipeline's transform reads, those behind views included.
fn tables_read(project: &Project, def: &PipelineDef) -> BTreeSet<TableName> {
    let mut found = BTreeSet::new();
    let parsed = def.transform.as_ref().and_then(|transform| statement::parse(&transform.sql).ok());
    let mut open: Vec<TableName> = parsed.into_iter().flat_map(|sql| sql.reads).collect();
    while let Some(name) = open.pop() {
        if found.insert(name.clone())
            && let Some(view) = project.view(&name)
        {
            open.extend(tables_of(&view.def.sql));
        }
    }
    found
}

#[cfg(test)]
mod tests;
