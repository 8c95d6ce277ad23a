//! Everything the project declares that the engine needs.

use std::path::{Path, PathBuf};

use super::check::{check_calendar, check_models, check_relations};
use super::check_alerts::check_alerts;
use super::check_dashboards::check_dashboards;
use super::diagnostic::Diagnostics;
use super::document::{Document, load_folder};
use crate::alert::AlertDef;
use crate::catalog::{TableDef, TableName, ViewDef};
use crate::dashboard::DashboardDef;
use crate::functions::calendar::CalendarYearDef;
use crate::semantic::SemanticModelDef;

/// The declarations of one project folder.
#[derive(Debug, Default, Clone)]
pub struct Project {
    /// The project's root.
    pub root: PathBuf,
    /// `tables/*.toml`.
    pub tables: Vec<Document<TableDef>>,
    /// `views/*.toml`.
    pub views: Vec<Document<ViewDef>>,
    /// `metrics/*.toml`.
    pub models: Vec<Document<SemanticModelDef>>,
    /// `calendar/*.toml`: years of working days added to the built-in ones.
    pub calendar: Vec<Document<CalendarYearDef>>,
    /// `dashboards/*.toml`.
    pub dashboards: Vec<Document<DashboardDef>>,
    /// `alerts/*.toml`.
    pub alerts: Vec<Document<AlertDef>>,
}

impl Project {
    /// Reads the project's files and checks what can be checked without an engine: names, duplicates, references.
    /// Faults go to `diagnostics`; what is faulty is left out.
    pub fn load(root: &Path, diagnostics: &mut Diagnostics) -> Self {
        let mut project = Self {
            root: root.to_path_buf(),
            tables: load_folder(root, diagnostics),
            views: load_folder(root, diagnostics),
            models: load_folder(root, diagnostics),
            calendar: load_folder(root, diagnostics),
            dashboards: load_folder(root, diagnostics),
            alerts: load_folder(root, diagnostics),
        };
        check_relations(&mut project.tables, &mut project.views, diagnostics);
        check_models(&mut project.models, diagnostics);
        check_calendar(&mut project.calendar, diagnostics);
        check_dashboards(&mut project.dashboards, diagnostics);
        check_alerts(&mut project.alerts, diagnostics);
        project
    }

    /// The contract of `name`.
    pub fn table(&self, name: &TableName) -> Option<&Document<TableDef>> {
        self.tables.iter().find(|table| table.def.name == *name)
    }

    /// The view called `name`.
    pub fn view(&self, name: &TableName) -> Option<&Document<ViewDef>> {
        self.views.iter().find(|view| view.def.name == *name)
    }
}
