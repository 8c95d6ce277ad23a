//! What a workbook may ask of the library that reads it, looked at before: that library keeps shared strings, old
//! workbooks and open documents in memory as a whole, and takes their own word for how large they are.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek};

use zip::{CompressionMethod, ZipArchive};

use super::bad;
use super::compound::{Compound, u16_at, u32_at};
use crate::source::SourceError;
use crate::source::file::Limits;

/// Rows and columns of a sheet, by ECMA-376.
pub(super) const ROWS: u64 = 1 << 20;
pub(super) const COLUMNS: u32 = 1 << 14;

/// Bytes that a part may have when it is decompressed, if it is held in memory.
const HELD_BYTES: u64 = 512 << 20;

/// Bytes between two brackets of XML: a cell has 32,767 characters at most.
const TOKEN_BYTES: usize = 4 << 20;

/// Rows and columns of a sheet in the old format, and cells that all sheets may span together.
const OLD_ROWS: u64 = 1 << 16;
const OLD_COLUMNS: u64 = 1 << 8;
const OLD_CELLS: u64 = 32 << 20;

const PIECE_BYTES: usize = 128 << 10;

/// Looks at the parts of a workbook that is kept as a zip file: it decompresses them all once.
pub(super) fn check_zip(file: &mut File, name: &str, limits: Limits) -> Result<(), SourceError> {
    let broken = |error: zip::result::ZipError| bad(name, format!("it is no complete zip file ({error})"));
    let failed = |source| SourceError::Read { path: name.into(), source };
    let stored = file.metadata().map_err(failed)?.len();
    let mut archive = ZipArchive::new(&mut *file).map_err(broken)?;
    let (mut expanded, mut piece) = (0_u64, vec![0; PIECE_BYTES]);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let part = entry.name_raw().escape_ascii().to_string().to_ascii_lowercase();
        let is_xml = part.ends_with(".xml") || part.ends_with(".rels");
        if !is_xml && !part.ends_with(".bin") {
            continue;
        }
        // What reads the parts would give other methods the memory that they say they need.
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            let found = entry.compression();
            return Err(bad(
                name,
                format!("its part `{part}` is packed by a method that workbooks do not use ({found})"),
            ));
        }
        let is_held = !part.contains("/worksheets/");
        let (mut bytes, mut token, mut start) = (0_u64, 0_usize, Vec::new());
        loop {
            let count = match entry.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(bad(name, format!("its part `{part}` is damaged ({error})"))),
            };
            (bytes, expanded) = (bytes + count as u64, expanded + count as u64);
            limits.check(name, stored, expanded)?;
            if is_held && bytes > HELD_BYTES {
                return Err(bad(name, format!("its part `{part}` has more than {HELD_BYTES} bytes")));
            }
            if start.len() < 4096 {
                start.extend_from_slice(&piece[..count.min(4096)]);
            }
            if is_xml {
                token = longest_token(&piece[..count], token).ok_or_else(|| {
                    bad(name, format!("its part `{part}` has a text of more than {TOKEN_BYTES} bytes"))
                })?;
            }
        }
        // Room is made for as many strings as it says it has.
        if let Some(count) = declared_strings(&start).filter(|count| *count > bytes / 5) {
            return Err(bad(name, format!("its part `{part}` has {bytes} bytes and says it holds {count} texts")));
        }
    }
    drop(archive);
    file.rewind().map_err(failed)
}

/// Bytes since the last bracket, after `piece`; none where there are too many.
fn longest_token(piece: &[u8], before: usize) -> Option<usize> {
    let mut token = before;
    for part in piece.split_inclusive(|byte| *byte == b'<') {
        token += part.len();
        if token > TOKEN_BYTES {
            return None;
        }
        if part.last() == Some(&b'<') {
            token = 0;
        }
    }
    Some(token)
}

/// `uniqueCount` of a table of shared strings.
fn declared_strings(start: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(start);
    let (_, rest) = text.split_once("uniqueCount")?;
    let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Looks at the records of a workbook of the old format.
pub(super) fn check_compound(file: &mut File, name: &str) -> Result<(), SourceError> {
    let compound = Compound::open(file, name)?;
    let stream = compound.read(if compound.has("Workbook") { "Workbook" } else { "Book" })?;
    let (mut sheets, mut cells) = (HashSet::new(), 0_u64);
    for (kind, data) in Records(&stream) {
        match kind {
            // BoundSheet8: where a sheet's own records begin.
            0x0085 => {
                let at = u32_at(data, 0).map_or(usize::MAX, |at| at as usize);
                let Some(records) = stream.get(at..).filter(|_| sheets.insert(at)) else {
                    return Err(bad(name, "two of its sheets stand at the same place, or one beyond its end"));
                };
                let (rows, columns) = extent(records);
                if rows > OLD_ROWS || columns > OLD_COLUMNS {
                    let found = format!("{rows} rows and {columns} columns");
                    return Err(bad(name, format!("it is damaged: a sheet has {found}, more than the format allows")));
                }
                cells += rows * columns;
            }
            0x000a => break,
            _ => {}
        }
    }
    if cells > OLD_CELLS {
        return Err(bad(name, format!("its sheets span {cells} cells, and {OLD_CELLS} are read; save it as .xlsx")));
    }
    Ok(())
}

/// Rows and columns that the records of one sheet reach.
fn extent(records: &[u8]) -> (u64, u64) {
    let (mut rows, mut columns, mut depth) = (0, 0, 0);
    for (kind, data) in Records(records) {
        match kind {
            0x0809 => depth += 1,
            0x000a if depth <= 1 => break,
            0x000a => depth -= 1,
            // Dimensions, as the sheet says; in the oldest form rows have two bytes.
            0x0200 => {
                let said = match data.len() {
                    14.. => (u32_at(data, 4).map(u64::from), u16_at(data, 10)),
                    _ => (u16_at(data, 2).map(u64::from), u16_at(data, 6)),
                };
                rows = rows.max(said.0.unwrap_or_default());
                columns = columns.max(said.1.map_or(0, u64::from));
            }
            // Number, Label, RString, BoolErr, Rk, LabelSst, Formula and MulRk: row and column come first.
            0x0203 | 0x0204 | 0x00d6 | 0x0205 | 0x027e | 0x00fd | 0x0006 | 0x00bd => {
                let last = if kind == 0x00bd { data.len().checked_sub(2) } else { Some(2) };
                rows = rows.max(u16_at(data, 0).map_or(0, |row| u64::from(row) + 1));
                let column = last.and_then(|last| u16_at(data, last));
                columns = columns.max(column.map_or(0, |column| u64::from(column) + 1));
            }
            _ => {}
        }
    }
    (rows, columns)
}

/// Kind and content of each record.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (u16_at(self.0, 0)?, usize::from(u16_at(self.0, 2)?));
        let data = self.0.get(4..4 + length)?;
        self.0 = &self.0[4 + length..];
        Some((kind, data))
    }
}
