//! A workbook of any format, opened: its sheets, their merged cells, and their rows one by one.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;

use calamine::{Cell, Data, DataRef, Dimensions, Ods, OdsError, Reader, SheetType, SheetVisible, Xls, XlsError, Xlsb};
use calamine::{XlsbError, Xlsx, XlsxError};

use super::cell::{Value, value};
use super::guard::{self, COLUMNS, ROWS};
use super::kind::{self, Kind, locked};
use super::{bad, open_document};
use crate::source::SourceError;
use crate::source::file::SourceFile;

/// Bytes of text that one row may have: a workbook may point to one long text from each of its cells.
const ROW_LIMIT_BYTES: usize = 16 << 20;

type Input = BufReader<File>;

/// A row with something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// As the sheet counts: from 1.
    pub(super) number: u64,
    /// Column from 0, and what stands there; in the order of the columns, empty cells left out.
    pub(super) cells: Vec<(u32, Value)>,
}

/// A sheet of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SheetName {
    pub(super) name: String,
    pub(super) is_visible: bool,
}

/// An opened workbook.
pub(super) struct Workbook {
    name: String,
    book: Book,
    /// Of an open document, by sheet.
    merged: Vec<(String, Vec<Dimensions>)>,
}

enum Book {
    Xlsx(Box<Xlsx<Input>>),
    Xlsb(Box<Xlsb<Input>>),
    Xls(Box<Xls<Input>>),
    Ods(Box<Ods<Input>>),
}

impl Workbook {
    /// # Errors
    /// What the file really is where it is no workbook, and where it asks for more than it may have.
    pub(super) fn open(mut content: File, file: &SourceFile) -> Result<Self, SourceError> {
        let name = file.name.as_str();
        let kind = kind::of(&mut content, name)?;
        let mut merged = Vec::new();
        match kind {
            Kind::Xls => guard::check_compound(&mut content, name)?,
            Kind::Xlsx | Kind::Xlsb => guard::check_zip(&mut content, name, file.limits)?,
            Kind::Ods => {
                guard::check_zip(&mut content, name, file.limits)?;
                merged = open_document::merged(&mut content, name)?;
            }
        }
        let input = BufReader::new(content);
        let book = match kind {
            Kind::Xlsx => Xlsx::new(input).map(|book| Book::Xlsx(Box::new(book))).map_err(|error| match error {
                XlsxError::Password => locked(name),
                error => bad(name, error.to_string()),
            }),
            Kind::Xlsb => Xlsb::new(input).map(|book| Book::Xlsb(Box::new(book))).map_err(|error| match error {
                XlsbError::Password => locked(name),
                error => bad(name, error.to_string()),
            }),
            Kind::Xls => Xls::new(input).map(|book| Book::Xls(Box::new(book))).map_err(|error| match error {
                XlsError::Password => locked(name),
                error => bad(name, error.to_string()),
            }),
            Kind::Ods => Ods::new(input).map(|book| Book::Ods(Box::new(book))).map_err(|error| match error {
                OdsError::Password => locked(name),
                error => bad(name, error.to_string()),
            }),
        };
        Ok(Self { name: name.into(), book: book?, merged })
    }

    /// The sheets that have cells, charts and macros left out, in their order.
    pub(super) fn sheets(&self) -> Vec<SheetName> {
        let sheets = match &self.book {
            Book::Xlsx(book) => book.sheets_metadata(),
            Book::Xlsb(book) => book.sheets_metadata(),
            Book::Xls(book) => book.sheets_metadata(),
            Book::Ods(book) => book.sheets_metadata(),
        };
        let sheets = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        sheets
            .map(|sheet| SheetName { name: sheet.name.clone(), is_visible: sheet.visible == SheetVisible::Visible })
            .collect()
    }

    /// The merged cells of a sheet by their first row; none where the format does not tell (.xlsb).
    pub(super) fn merged(&mut self, sheet: &str) -> Result<Option<Vec<Dimensions>>, SourceError> {
        let mut merged = match &mut self.book {
            Book::Xlsx(book) => {
                book.merge_cells_by_sheet_name(sheet).map_err(|error| failed(&self.name, sheet, error))?
            }
            Book::Xls(book) => {
                book.merge_cells_by_sheet_name(sheet).map_err(|error| failed(&self.name, sheet, error))?
            }
            Book::Ods(_) => {
                let own = self.merged.iter().find(|(name, _)| name == sheet);
                own.map(|(_, merged)| merged.clone()).unwrap_or_default()
            }
            Book::Xlsb(_) => return Ok(None),
        };
        merged.sort_unstable_by_key(|range| (range.start, range.end));
        Ok(Some(merged))
    }

    /// Hands over the rows of a sheet, hidden ones too, until `take` breaks.
    pub(super) fn each_row(
        &mut self,
        sheet: &str,
        take: &mut dyn FnMut(Row) -> Result<ControlFlow<()>, SourceError>,
    ) -> Result<(), SourceError> {
        let name = self.name.as_str();
        let failed = |error: &dyn std::fmt::Display| failed(name, sheet, error);
        let is_1904 = match &self.book {
            Book::Xlsx(book) => book.has_1904_epoch(),
            Book::Xlsb(book) => book.has_1904_epoch(),
            Book::Xls(book) => book.has_1904_epoch(),
            Book::Ods(_) => false,
        };
        let mut rows = Rows { name, sheet, is_1904, row: None, bytes: 0, take };
        match &mut self.book {
            Book::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| failed(&error))?;
                while let Some(cell) = cells.next_cell().map_err(|error| failed(&error))? {
                    if rows.cell(&cell)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Book::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| failed(&error))?;
                while let Some(cell) = cells.next_cell().map_err(|error| failed(&error))? {
                    if rows.cell(&cell)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Book::Xls(book) => {
                if rows.range(&book.worksheet_range(sheet).map_err(|error| failed(&error))?)?.is_break() {
                    return Ok(());
                }
            }
            Book::Ods(book) => {
                if rows.range(&book.worksheet_range(sheet).map_err(|error| failed(&error))?)?.is_break() {
                    return Ok(());
                }
            }
        }
        rows.end()
    }
}

fn failed(name: &str, sheet: &str, error: impl std::fmt::Display) -> SourceError {
    bad(name, format!("sheet `{sheet}`: {error}"))
}

/// Cells on their way to rows.
struct Rows<'a> {
    name: &'a str,
    sheet: &'a str,
    is_1904: bool,
    row: Option<Row>,
    bytes: usize,
    take: &'a mut dyn FnMut(Row) -> Result<ControlFlow<()>, SourceError>,
}

impl Rows<'_> {
    fn cell(&mut self, cell: &Cell<DataRef<'_>>) -> Result<ControlFlow<()>, SourceError> {
        let (row, column) = cell.get_position();
        self.add(row, column, cell.get_value())
    }

    /// The cells of a sheet that is held in memory.
    fn range(&mut self, range: &calamine::Range<Data>) -> Result<ControlFlow<()>, SourceError> {
        let (row, column) = range.start().unwrap_or_default();
        for (below, beside, cell) in range.used_cells() {
            let (row, column) = (row + below as u32, column + beside as u32);
            if self.add(row, column, &borrowed(cell))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn add(&mut self, row: u32, column: u32, cell: &DataRef<'_>) -> Result<ControlFlow<()>, SourceError> {
        let number = u64::from(row) + 1;
        if number > ROWS || column >= COLUMNS {
            let limits = format!("a sheet has {ROWS} rows and {COLUMNS} columns at most");
            let column = u64::from(column) + 1;
            return Err(failed(
                self.name,
                self.sheet,
                format!("a cell stands in row {number}, column {column}: {limits}"),
            ));
        }
        let Some(value) = value(cell, self.is_1904) else { return Ok(ControlFlow::Continue(())) };
        let mut flow = ControlFlow::Continue(());
        if self.row.as_ref().is_some_and(|row| row.number != number) {
            if self.row.as_ref().is_some_and(|row| row.number > number) {
                return Err(failed(self.name, self.sheet, format!("row {number} stands behind later ones")));
            }
            flow = self.hand_over()?;
        }
        self.bytes += value.text.len();
        if self.bytes > ROW_LIMIT_BYTES {
            let (path, limit_bytes) = (self.name.to_owned(), ROW_LIMIT_BYTES);
            return Err(SourceError::RowTooLong { path, line: number, limit_bytes });
        }
        let row = self.row.get_or_insert_with(|| Row { number, cells: Vec::new() });
        row.cells.push((column, value));
        Ok(flow)
    }

    fn hand_over(&mut self) -> Result<ControlFlow<()>, SourceError> {
        self.bytes = 0;
        let Some(mut row) = self.row.take() else { return Ok(ControlFlow::Continue(())) };
        row.cells.sort_by_key(|(column, _)| *column);
        if row.cells.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(failed(self.name, self.sheet, format!("row {} has two cells in one column", row.number)));
        }
        (self.take)(row)
    }

    fn end(mut self) -> Result<(), SourceError> {
        self.hand_over().map(|_| ())
    }
}

fn borrowed(cell: &Data) -> DataRef<'_> {
    match cell {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(text) => DataRef::SharedString(text),
        Data::Bool(value) => DataRef::Bool(*value),
        Data::DateTime(instant) => DataRef::DateTime(*instant),
        Data::DateTimeIso(text) => DataRef::DateTimeIso(text.clone()),
        Data::DurationIso(text) => DataRef::DurationIso(text.clone()),
        Data::Error(error) => DataRef::Error(error.clone()),
        Data::Empty => DataRef::Empty,
    }
}

/// The letters of a column, from 0: `A`, `Z`, `AA`.
pub(super) fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (column + 1, Vec::new());
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect()
}
