//! An Excel workbook. Its rows go to temporary files as they come and are packed at the end, so memory does not grow with
//! the result. Nothing is handed out before the whole workbook is there: one that was cut cannot come into being.

mod column;
mod spool;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use rust_xlsxwriter::{DocProperties, Format as CellFormat, Workbook, Worksheet, XlsxError};
use xiangyun_engine::scratch::Scratch;

use self::column::{Cell, Column, Values};
use self::spool::Spool;
use super::{EncodeError, Encoder, Ending};

/// Rows of a sheet, its header among them.
const SHEET_ROWS: u32 = 1_048_576;
/// Columns of a sheet.
const SHEET_COLUMNS: usize = 16_384;
/// Characters of a cell, as UTF-16 counts them.
const CELL_CHARACTERS: usize = 32_767;
/// Rows whose values decide how wide a column is.
const MEASURED_ROWS: u64 = 1000;

pub(super) struct XlsxEncoder {
    workbook: Workbook,
    columns: Vec<Column>,
    formats: Formats,
    sheet_rows: u32,
    /// The next row of the current sheet; none before the first sheet.
    next: Option<u32>,
    rows: u64,
    packed: Option<Spool>,
    scratch: Arc<Scratch>,
}

/// Formats of cells that do not look like the rest of their column.
struct Formats {
    header: CellFormat,
    text: CellFormat,
    milliseconds: CellFormat,
}

impl XlsxEncoder {
    pub(super) fn try_new(schema: &Schema) -> Result<Self, EncodeError> {
        Self::with_sheets_of(SHEET_ROWS, schema)
    }

    fn with_sheets_of(sheet_rows: u32, schema: &Schema) -> Result<Self, EncodeError> {
        let columns = schema.fields().len();
        if columns > SHEET_COLUMNS {
            return Err(EncodeError::TooManyColumns { columns, limit: SHEET_COLUMNS });
        }
        let scratch = Scratch::of_process().map_err(EncodeError::temporary)?;
        let mut workbook = Workbook::new();
        workbook.set_tempdir(scratch.folder()).map_err(EncodeError::workbook)?;
        let formats = Formats {
            header: CellFormat::new().set_bold(),
            text: CellFormat::new().set_num_format("@"),
            milliseconds: CellFormat::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        };
        let columns = schema.fields().iter().map(|field| Column::new(field)).collect();
        Ok(Self { workbook, columns, formats, sheet_rows, next: None, rows: 0, packed: None, scratch })
    }

    /// Begins a sheet with its header.
    fn begin_sheet(&mut self) -> Result<(), EncodeError> {
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(EncodeError::workbook)?;
        head(sheet, &self.columns, &self.formats.header).map_err(EncodeError::workbook)?;
        self.next = Some(1);
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let columns = self.columns.iter_mut().zip(batch.columns());
        let values = columns.map(|(column, array)| column.values(array)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            if self.next.is_none_or(|next| next == self.sheet_rows) {
                self.begin_sheet()?;
            }
            self.write_row(&values, row)?;
        }
        Ok(())
    }

    fn write_row(&mut self, values: &[Values], row: usize) -> Result<(), EncodeError> {
        let last = self.workbook.worksheets().len().saturating_sub(1);
        let sheet = self.workbook.worksheet_from_index(last).map_err(EncodeError::workbook)?;
        let at = self.next.unwrap_or_default();
        self.rows += 1;
        for (place, (column, values)) in (0_u16..).zip(self.columns.iter_mut().zip(values)) {
            let cell = values.cell(row)?;
            if self.rows <= MEASURED_ROWS {
                column.measure(&cell);
            }
            check_length(&cell, column, self.rows)?;
            put(sheet, at, place, cell, &self.formats).map_err(EncodeError::workbook)?;
        }
        self.next = Some(at + 1);
        Ok(())
    }

    fn pack(&mut self, ending: Ending) -> Result<Spool, EncodeError> {
        for sheet in self.workbook.worksheets_mut() {
            for (place, column) in (0_u16..).zip(&self.columns) {
                sheet.set_column_width(place, column.width()).map_err(EncodeError::workbook)?;
            }
        }
        let rows = ending.rows;
        let told =
            if ending.truncated { format!("{rows} rows, cut by a limit") } else { format!("{rows} rows, complete") };
        self.workbook.set_properties(&DocProperties::new().set_comment(told));
        let mut spool = Spool::create(&self.scratch).map_err(EncodeError::temporary)?;
        self.workbook.save_to_writer(&mut spool).map_err(EncodeError::workbook)?;
        spool.rewind().map_err(EncodeError::temporary)?;
        Ok(spool)
    }
}

impl Encoder for XlsxEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.begin_sheet()
    }

    fn batch(&mut self, batch: &RecordBatch, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        guarded(|| self.write(batch))
    }

    fn end(&mut self, ending: Ending, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.packed = Some(guarded(|| self.pack(ending))?);
        Ok(())
    }

    fn rest(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match &mut self.packed {
            Some(spool) => spool.read_piece(out).map_err(EncodeError::temporary),
            None => Ok(()),
        }
    }
}

/// The library panics where a temporary file cannot be written, which a full disk is enough for.
fn guarded<T>(work: impl FnOnce() -> Result<T, EncodeError>) -> Result<T, EncodeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(EncodeError::temporary(std::io::Error::other("the rows of the workbook could not be written")))
    })
}

fn head(sheet: &mut Worksheet, columns: &[Column], format: &CellFormat) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 0)?;
    for (place, column) in (0_u16..).zip(columns) {
        if let Some(format) = column.format() {
            sheet.set_column_format(place, format)?;
        }
        sheet.write_string_with_format(0, place, column.name(), format)?;
    }
    Ok(())
}

fn check_length(cell: &Cell, column: &Column, row: u64) -> Result<(), EncodeError> {
    let Cell::Text(text) = cell else { return Ok(()) };
    // No text has more UTF-16 units than bytes.
    if text.len() <= CELL_CHARACTERS {
        return Ok(());
    }
    let characters = text.encode_utf16().count();
    if characters <= CELL_CHARACTERS {
        return Ok(());
    }
    Err(EncodeError::TextTooLong { column: column.name().into(), row, characters, limit: CELL_CHARACTERS })
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: Cell, formats: &Formats) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => return Ok(()),
        Cell::Truth(value) => sheet.write_boolean(row, column, value)?,
        Cell::Number(value) => sheet.write_number(row, column, value)?,
        Cell::Milliseconds(value) => sheet.write_number_with_format(row, column, value, &formats.milliseconds)?,
        Cell::Text(text) => sheet.write_string_with_format(row, column, text, &formats.text)?,
    };
    Ok(())
}
