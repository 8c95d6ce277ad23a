//! The merged cells of an open document, which the library that reads it leaves out; and whether cells that are written
//! once and said to be repeated are more than can be held.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};

use calamine::Dimensions;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;

use super::bad;
use super::guard::{COLUMNS, ROWS};
use super::kind::locked;
use crate::source::SourceError;

/// Bytes that the cells of a document may have, each as often as it is repeated.
const REPEATED_BYTES: u64 = 512 << 20;

/// What a cell takes beside its text.
const CELL_BYTES: u64 = 64;

/// The merged cells of each sheet, in the order of the sheets.
pub(super) fn merged(file: &mut File, name: &str) -> Result<Vec<(String, Vec<Dimensions>)>, SourceError> {
    let failed = |source| SourceError::Read { path: name.into(), source };
    let broken = |error: zip::result::ZipError| bad(name, format!("it is no complete zip file ({error})"));
    file.rewind().map_err(failed)?;
    let mut archive = ZipArchive::new(&mut *file).map_err(broken)?;
    if let Ok(manifest) = archive.by_name("META-INF/manifest.xml") {
        let is_encrypted = |line: std::io::Result<Vec<u8>>| {
            line.is_ok_and(|part| String::from_utf8_lossy(&part).contains("encryption-data"))
        };
        if BufReader::new(manifest).split(b'>').any(is_encrypted) {
            return Err(locked(name));
        }
    }
    let content = archive.by_name("content.xml").map_err(broken)?;
    let mut reader = Reader::from_reader(BufReader::new(content));
    reader.config_mut().expand_empty_elements = true;
    // What reads the document looks for the end of an element for ever where there is none.
    let (mut scan, mut depth) = (Scan::default(), 0_u64);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) if depth > 0 => return Err(bad(name, "it is cut off: its content ends within an element")),
            Ok(Event::Eof) => break,
            Ok(event) => {
                match event {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                scan.see(&event).map_err(|reason| bad(name, reason))?;
            }
            Err(error) => return Err(bad(name, format!("its content is no XML ({error})"))),
        }
    }
    drop(reader);
    drop(archive);
    file.rewind().map_err(failed)?;
    Ok(scan.sheets)
}

#[derive(Default)]
struct Scan {
    sheets: Vec<(String, Vec<Dimensions>)>,
    row: u64,
    row_repeats: u64,
    column: u64,
    column_repeats: u64,
    has_value: bool,
    bytes: u64,
}

impl Scan {
    fn see(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => match start.name().as_ref() {
                "table:table" => {
                    self.sheets.push((text_of(start, "table:name").unwrap_or_default(), Vec::new()));
                    (self.row, self.row_repeats) = (0, 0);
                }
                "table:table-row" => {
                    self.row += self.row_repeats;
                    self.row_repeats = number_of(start, "table:number-rows-repeated").clamp(1, ROWS);
                    (self.column, self.column_repeats) = (0, 0);
                }
                "table:table-cell" | "table:covered-table-cell" => self.cell(start)?,
                _ => {}
            },
            Event::Text(text) if self.has_value => self.add(text.len() as u64)?,
            Event::End(end) if matches!(end.name().as_ref(), "table:table-cell" | "table:covered-table-cell") => {
                self.has_value = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn cell(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.column += self.column_repeats;
        self.column_repeats = number_of(start, "table:number-columns-repeated").clamp(1, u64::from(COLUMNS));
        self.has_value = start
            .attributes()
            .with_checks(false)
            .flatten()
            .any(|attribute| attribute.key.as_ref() == "office:value-type");
        if self.has_value {
            self.add(start.len() as u64 + CELL_BYTES)?;
        }
        let wide = number_of(start, "table:number-columns-spanned").max(1);
        let high = number_of(start, "table:number-rows-spanned").max(1);
        if wide * high > 1
            && self.row < ROWS
            && self.column < u64::from(COLUMNS)
            && let Some((_, merged)) = self.sheets.last_mut()
        {
            let end = |from: u64, count: u64, limit: u64| from.saturating_add(count).min(limit) - 1;
            let (last_row, last_column) = (end(self.row, high, ROWS), end(self.column, wide, u64::from(COLUMNS)));
            merged.push(Dimensions::new((self.row as u32, self.column as u32), (last_row as u32, last_column as u32)));
        }
        Ok(())
    }

    fn add(&mut self, bytes: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes * self.column_repeats * self.row_repeats);
        if self.bytes > REPEATED_BYTES {
            return Err(format!("its cells, each as often as it is repeated, have more than {REPEATED_BYTES} bytes"));
        }
        Ok(())
    }
}

fn text_of(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.attributes().with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name)?;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

/// A count below a million; zero where there is none.
fn number_of(start: &BytesStart<'_>, name: &str) -> u64 {
    text_of(start, name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default().min(ROWS)
}
