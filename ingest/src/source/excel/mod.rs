//! Workbooks: sheets of .xlsx, .xlsb, .xls and .ods files as rows of text.

mod cell;
mod compound;
mod guard;
mod header;
mod kind;
mod open_document;
mod rows;
mod workbook;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use glob::Pattern;
use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::RunSource;

use super::file::{Format, OpenFile, SourceFile, hex, spool};
use super::table::{Footer, LeftOut, NameRules, Unit};
use super::{Batches, SourceError, apart};
use crate::pipeline::{ExcelSource, SheetDef};
use header::{Finder, Header, HeaderRule};
use rows::{Batcher, RowRules};
use workbook::{SheetName, Workbook};

/// What these files are called in errors.
const KIND: &str = "a workbook";

/// Workbooks as a pipeline declares them.
#[derive(Debug, Clone)]
pub(super) struct Excel {
    sheet: SheetRule,
    sheet_column: Option<String>,
    header: HeaderRule,
    names: NameRules,
    footer: Footer,
    fill_merged: bool,
    null_values: Arc<[String]>,
}

/// Which sheets are read.
#[derive(Debug, Clone)]
enum SheetRule {
    /// The first one that is visible.
    First,
    Number(u64),
    /// The one of this name, or all that the pattern fits.
    Name(String, Pattern),
}

impl Excel {
    /// # Errors
    /// [`SourceError::BadSetting`] for settings that mean nothing.
    pub(super) fn try_new(def: &ExcelSource) -> Result<Self, SourceError> {
        let bad = |value: String, hint: &str| Err(SourceError::BadSetting { key: "sheet", value, hint: hint.into() });
        let sheet = match &def.sheet {
            None => SheetRule::First,
            Some(SheetDef::Number(0)) => return bad("0".into(), "sheets count from 1"),
            Some(SheetDef::Number(number)) => SheetRule::Number(*number),
            Some(SheetDef::Name(name)) => match Pattern::new(name) {
                Ok(pattern) => SheetRule::Name(name.clone(), pattern),
                // Brackets that pair with nothing are part of a name.
                Err(_) => SheetRule::Name(name.clone(), Pattern::new(&Pattern::escape(name)).unwrap_or_default()),
            },
        };
        Ok(Self {
            sheet,
            sheet_column: def.sheet_column.clone(),
            header: HeaderRule::try_new(def)?,
            names: NameRules::new(def.duplicate_names, def.fold_names),
            footer: Footer::try_new(def.footer.as_ref())?,
            fill_merged: def.fill_merged,
            null_values: def.null_values.clone().into(),
        })
    }

    /// The sheets that are meant, in the workbook's order.
    fn pick(&self, file: &str, sheets: Vec<SheetName>) -> Result<Vec<String>, SourceError> {
        let names: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
        let missing = |what: String| {
            let all = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Err(bad(file, format!("it has no sheet {what}; its sheets are {all}")))
        };
        if names.is_empty() {
            return Err(bad(file, "it has no sheet of cells"));
        }
        match &self.sheet {
            SheetRule::First => {
                let first = sheets.iter().find(|sheet| sheet.is_visible).unwrap_or(&sheets[0]);
                Ok(vec![first.name.clone()])
            }
            SheetRule::Number(number) => match usize::try_from(number - 1).ok().and_then(|index| names.get(index)) {
                Some(name) => Ok(vec![name.clone()]),
                None => missing(number.to_string()),
            },
            SheetRule::Name(name, _) if names.contains(name) => Ok(vec![name.clone()]),
            SheetRule::Name(name, pattern) => {
                let found: Vec<String> = names.iter().filter(|name| pattern.matches(name)).cloned().collect();
                if found.is_empty() { missing(format!("`{name}`")) } else { Ok(found) }
            }
        }
    }

    /// Whether one file may give several sheets.
    fn is_pattern(&self) -> bool {
        matches!(&self.sheet, SheetRule::Name(name, _) if name.contains(['*', '?', '[']))
    }
}

impl Format for Excel {
    /// Reads each sheet as far as its header.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let (content, stored) = spool(file)?;
        apart::run(&file.name, KIND, move || {
            let mut workbook = Workbook::open(content, file)?;
            let sheets = workbook.sheets();
            let mut opened: Vec<Box<dyn OpenFile>> = Vec::new();
            for sheet in self.pick(&file.name, sheets.clone())? {
                let header = self.header(&mut workbook, file, &sheet)?;
                let mut fields: Vec<_> =
                    header.names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
                if let Some(column) = &self.sheet_column {
                    if header.names.contains(column) {
                        let hint = format!("sheet `{sheet}` of `{}` has a column of that name", file.name);
                        return Err(SourceError::BadSetting { key: "sheet_column", value: column.clone(), hint });
                    }
                    fields.push(Field::new(column, DataType::Utf8, true));
                }
                // Sheets of one workbook are different contents.
                let sha256 = match self.is_pattern() {
                    true => hex(&Sha256::digest(format!("{}\n{sheet}", stored.sha256))),
                    false => stored.sha256.clone(),
                };
                let record = RunSource {
                    path: format!("{}/{sheet}", file.name),
                    size_bytes: stored.size_bytes,
                    sha256: Some(sha256),
                    encoding: None,
                };
                opened.push(Box::new(Sheet {
                    file: file.clone(),
                    format: self.clone(),
                    stored: stored.sha256.clone(),
                    others: sheets.len() - 1,
                    schema: Arc::new(Schema::new(fields)),
                    left_out: Arc::default(),
                    sheet,
                    header,
                    record,
                }));
            }
            Ok(opened)
        })
    }
}

impl Excel {
    fn header(&self, workbook: &mut Workbook, file: &SourceFile, sheet: &str) -> Result<Header, SourceError> {
        let path = || format!("{}/{sheet}", file.name);
        let merged = workbook.merged(sheet)?;
        if self.fill_merged && merged.is_none() {
            let hint = format!("`{}` is .xlsb, whose merged cells are not known: save it as .xlsx", file.name);
            return Err(SourceError::BadSetting { key: "fill_merged", value: "true".into(), hint });
        }
        let mut finder = Finder::new(&self.header, self.names, merged.as_deref());
        let unusable = |reason| SourceError::BadHeader { path: path(), reason };
        let mut found = None;
        workbook.each_row(sheet, &mut |row| {
            found = finder.push(row).map_err(unusable)?;
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if found.is_none() {
            found = finder.end().map_err(unusable)?;
        }
        match found {
            Some((header, _)) => Ok(header),
            None => Err(SourceError::Empty { path: path() }),
        }
    }
}

/// One sheet of a workbook.
#[derive(Debug, Clone)]
struct Sheet {
    file: SourceFile,
    format: Excel,
    /// Hash of the workbook.
    stored: String,
    /// How many other sheets the workbook has.
    others: usize,
    sheet: String,
    header: Header,
    schema: SchemaRef,
    record: RunSource,
    /// Of the last reading that came to the end; all of them find the same.
    left_out: Arc<Mutex<LeftOut>>,
}

impl Sheet {
    fn read(&self, sink: &apart::Sink) -> Result<(), SourceError> {
        let (content, stored) = spool(&self.file)?;
        if stored.sha256 != self.stored {
            return Err(SourceError::Changed { path: self.record.path.clone() });
        }
        let mut workbook = Workbook::open(content, &self.file)?;
        let filled = match self.format.fill_merged {
            true => workbook.merged(&self.sheet)?.unwrap_or_default(),
            false => Vec::new(),
        };
        let mut batcher = Batcher::new(
            RowRules {
                file: self.record.path.as_str().into(),
                sheet: self.sheet.clone(),
                schema: Arc::clone(&self.schema),
                header: self.header.clone(),
                has_sheet_column: self.format.sheet_column.is_some(),
                footer: self.format.footer.clone(),
                null_values: Arc::clone(&self.format.null_values),
                filled,
                size_bytes: self.record.size_bytes,
            },
            sink,
        );
        let first = self.header.end();
        let mut is_wanted = true;
        workbook.each_row(&self.sheet, &mut |row| {
            if row.number < first {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = batcher.push(row)?;
            is_wanted = flow.is_continue();
            Ok(flow)
        })?;
        if is_wanted {
            *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = batcher.end()?;
        }
        Ok(())
    }
}

impl OpenFile for Sheet {
    fn record(&self) -> &RunSource {
        &self.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let own = self.clone();
        apart::batches(&self.record.path, KIND, move |sink| own.read(sink))
    }

    fn footer(&self) -> Vec<String> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).footer.clone()
    }

    fn notes(&self) -> Vec<String> {
        let path = &self.record.path;
        let place = match &self.header.rows {
            None => "no header".to_owned(),
            Some(rows) if rows.start() == rows.end() => format!("header in row {}", rows.start()),
            Some(rows) => format!("header in rows {} to {}", rows.start(), rows.end()),
        };
        let others = match (&self.format.sheet, self.others) {
            (SheetRule::First, 1) => ", the first of 2 sheets".to_owned(),
            (SheetRule::First, 2..) => format!(", the first of {} sheets", self.others + 1),
            _ => String::new(),
        };
        let mut notes = vec![format!("`{path}`: read sheet `{}`{others}, {place}", self.sheet)];
        notes.extend(self.left_out.lock().unwrap_or_else(PoisonError::into_inner).notes(path, Unit::Row));
        notes
    }
}

fn bad(path: &str, reason: impl Into<String>) -> SourceError {
    SourceError::BadFile { path: path.into(), kind: KIND, reason: reason.into() }
}

#[cfg(test)]
mod tests;
