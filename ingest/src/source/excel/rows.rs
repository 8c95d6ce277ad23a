//! Rows of a sheet → batches of text columns.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Builder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use calamine::Dimensions;
use serde_json::{Map, Value as Json};

use super::super::apart::Sink;
use super::super::table::{Footer, HeldBack, LeftOut};
use super::super::text::{is_missing, truncated};
use super::super::{BATCH_ROWS, RAW_LIMIT_BYTES, SourceBatch, SourceError, UnreadableRow};
use super::bad;
use super::cell::Value;
use super::header::Header;
use super::workbook::{Row, letters};

/// Text bytes after which a batch is handed over although it has fewer rows.
const BATCH_BYTES: usize = 16 << 20;

/// What the rows of one sheet are made by.
pub(super) struct RowRules {
    pub(super) file: Arc<str>,
    pub(super) sheet: String,
    pub(super) schema: SchemaRef,
    pub(super) header: Header,
    pub(super) has_sheet_column: bool,
    pub(super) footer: Footer,
    pub(super) null_values: Arc<[String]>,
    /// Merged cells whose value is that of all they cover, by their first row.
    pub(super) filled: Vec<Dimensions>,
    pub(super) size_bytes: u64,
}

/// A row as text, with a comma between the cells from column A on.
fn written(row: &Row) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for (at, value) in &row.cells {
        (column..*at).for_each(|_| text.push(','));
        column = *at;
        text.push_str(&value.text);
    }
    text
}

/// A sheet on its way to batches.
pub(super) struct Batcher<'a> {
    rules: RowRules,
    sink: &'a Sink,
    columns: Vec<StringBuilder>,
    lines: UInt64Builder,
    unreadable: Vec<UnreadableRow>,
    count: usize,
    bytes: usize,
    held_back: HeldBack,
    left_out: LeftOut,
    /// The last row that had something in it.
    last: u64,
    in_footer: bool,
    any: bool,
    pending: VecDeque<Dimensions>,
    /// Merged cells that reach into the current row, with their value.
    open: Vec<(Dimensions, Value)>,
}

impl<'a> Batcher<'a> {
    pub(super) fn new(rules: RowRules, sink: &'a Sink) -> Self {
        let end = rules.header.end();
        let left_out =
            LeftOut { above: rules.header.rows.as_ref().map_or(0, |rows| rows.start() - 1), ..LeftOut::default() };
        let pending = rules.filled.iter().filter(|range| u64::from(range.start.0) + 1 >= end).copied().collect();
        Self {
            columns: rules.schema.fields().iter().map(|_| StringBuilder::new()).collect(),
            rules,
            sink,
            lines: UInt64Builder::new(),
            unreadable: Vec::new(),
            count: 0,
            bytes: 0,
            held_back: HeldBack::default(),
            left_out,
            last: end - 1,
            in_footer: false,
            any: false,
            pending,
            open: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, mut row: Row) -> Result<ControlFlow<()>, SourceError> {
        let blank = row.number - self.last - 1;
        self.last = row.number;
        if self.in_footer {
            self.left_out.footer_lines += 1;
            self.left_out.keep_footer(&written(&row));
            return Ok(ControlFlow::Continue(()));
        }
        self.left_out.blank += blank;
        self.fill(&mut row)?;
        if self.rules.footer.has_pattern()
            && row.cells.first().is_some_and(|(_, first)| self.rules.footer.begins_with(&first.text))
        {
            self.in_footer = true;
            (self.left_out.footer_from, self.left_out.footer_lines) = (Some(row.number), 1);
            self.left_out.keep_footer(&written(&row));
            return Ok(ControlFlow::Continue(()));
        }
        match self.fault(&row) {
            Some(row) => {
                self.bytes += row.raw.len();
                self.unreadable.push(row);
            }
            None => self.take(&row),
        }
        if self.count + self.unreadable.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            return Ok(self.hand_over());
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands over what is left; what was left out on the way.
    pub(super) fn end(mut self) -> Result<LeftOut, SourceError> {
        if self.hand_over().is_break() {
            return Ok(self.left_out);
        }
        let cut = self.held_back.cut(self.rules.footer.rows);
        cut.enter(&mut self.left_out);
        while let Some(batch) = self.held_back.pop(0) {
            if self.send(batch).is_break() {
                return Ok(self.left_out);
            }
        }
        if !self.any {
            return Err(SourceError::NoRows { path: self.rules.file.to_string() });
        }
        Ok(self.left_out)
    }

    /// Puts the value of merged cells into those that they cover.
    fn fill(&mut self, row: &mut Row) -> Result<(), SourceError> {
        let index = row.number - 1;
        self.open.retain(|(range, _)| u64::from(range.end.0) >= index);
        while let Some(range) = self.pending.pop_front_if(|range| u64::from(range.start.0) <= index) {
            let own = row.cells.iter().find(|(column, _)| *column == range.start.1);
            if let Some((_, value)) = own.filter(|_| u64::from(range.start.0) == index) {
                self.open.push((range, value.clone()));
            }
        }
        if self.open.len() > self.rules.header.names.len() {
            let reason = format!("merged cells overlap in row {} of sheet `{}`", row.number, self.rules.sheet);
            return Err(bad(&self.rules.file, reason));
        }
        for (range, value) in &self.open {
            let named = &self.rules.header.columns;
            for column in range.start.1.max(*named.start())..=range.end.1.min(*named.end()) {
                if let Err(at) = row.cells.binary_search_by_key(&column, |(column, _)| *column) {
                    row.cells.insert(at, (column, value.clone()));
                }
            }
        }
        Ok(())
    }

    /// The row as one that cannot be read, where one of its cells cannot.
    fn fault(&self, row: &Row) -> Option<UnreadableRow> {
        let shown = |column: u32| format!("cell {}{} of sheet `{}`", letters(column), row.number, self.rules.sheet);
        let is_value = |value: &Value| !is_missing(&value.text, &self.rules.null_values);
        let named = &self.rules.header.columns;
        let mut cells = row.cells.iter().filter(|(_, value)| is_value(value));
        if let Some((column, value)) = cells.clone().find(|(column, _)| !named.contains(column)) {
            let message = format!(
                "{} holds `{}`, and the header names no such column",
                shown(*column),
                truncated(&value.text, 100)
            );
            let texts: Vec<&str> = row.cells.iter().map(|(_, value)| value.text.as_str()).collect();
            let raw = truncated(&texts.join("\t"), RAW_LIMIT_BYTES).to_owned();
            return Some(UnreadableRow { line: row.number, reason: "FIELD_COUNT", message, raw });
        }
        let (column, (reason, words)) = cells.find_map(|(column, value)| Some((*column, value.fault.as_ref()?)))?;
        let message = format!("{} {words}", shown(column));
        Some(UnreadableRow { line: row.number, reason, message, raw: self.raw(row) })
    }

    /// The row with the names of its columns, so that it can be corrected and loaded again.
    fn raw(&self, row: &Row) -> String {
        let mut object = Map::new();
        for (index, name) in self.rules.header.names.iter().enumerate() {
            let column = self.rules.header.columns.start() + index as u32;
            let at = row.cells.binary_search_by_key(&column, |(column, _)| *column).ok();
            let text = at.map(|at| row.cells[at].1.text.clone());
            object.insert(name.clone(), text.map_or(Json::Null, Json::String));
        }
        if self.rules.has_sheet_column
            && let Some(field) = self.rules.schema.fields().last()
        {
            object.insert(field.name().clone(), Json::String(self.rules.sheet.clone()));
        }
        truncated(&Json::Object(object).to_string(), RAW_LIMIT_BYTES).to_owned()
    }

    fn take(&mut self, row: &Row) {
        let first = *self.rules.header.columns.start();
        let mut cells = row.cells.iter().peekable();
        for (index, builder) in self.columns.iter_mut().take(self.rules.header.names.len()).enumerate() {
            let column = first + index as u32;
            while cells.next_if(|(at, _)| *at < column).is_some() {}
            match cells.next_if(|(at, _)| *at == column) {
                Some((_, value)) if !is_missing(&value.text, &self.rules.null_values) => {
                    self.bytes += value.text.len();
                    builder.append_value(&value.text);
                }
                _ => builder.append_null(),
            }
        }
        if self.rules.has_sheet_column
            && let Some(builder) = self.columns.last_mut()
        {
            builder.append_value(&self.rules.sheet);
        }
        self.lines.append_value(row.number);
        self.count += 1;
        // A missing value takes room too, and a wide sheet has many of them.
        self.bytes += self.columns.len() * size_of::<i32>();
    }

    fn hand_over(&mut self) -> ControlFlow<()> {
        if self.count == 0 && self.unreadable.is_empty() {
            return ControlFlow::Continue(());
        }
        let arrays = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.rules.schema), arrays, &options)
            .expect("every column is nullable text and got one value a row");
        (self.count, self.bytes) = (0, 0);
        let batch = SourceBatch {
            batch,
            file: Arc::clone(&self.rules.file),
            lines: self.lines.finish(),
            unreadable: std::mem::take(&mut self.unreadable),
            // Where in the file a row stands is not known; the first batch stands for all of it.
            bytes: std::mem::take(&mut self.rules.size_bytes),
        };
        if self.rules.footer.rows == 0 {
            return self.send(batch);
        }
        self.held_back.push(batch);
        while let Some(batch) = self.held_back.pop(self.rules.footer.rows) {
            self.send(batch)?;
        }
        ControlFlow::Continue(())
    }

    fn send(&mut self, batch: SourceBatch) -> ControlFlow<()> {
        self.any |= batch.batch.num_rows() + batch.unreadable.len() > 0;
        self.sink.push(batch)
    }
}
