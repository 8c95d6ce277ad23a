//! What a file that is called a workbook is: agencies' exports are web pages and delimited text under that name.

use std::fs::File;
use std::io::{Read, Seek};

use zip::ZipArchive;

use super::bad;
use super::compound::Compound;
use crate::source::SourceError;

/// Bytes of a file that tell what a text is.
const START_BYTES: usize = 4096;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

/// The format by the file's content.
///
/// # Errors
/// What the file really is.
pub(super) fn of(file: &mut File, name: &str) -> Result<Kind, SourceError> {
    let failed = |source| SourceError::Read { path: name.into(), source };
    let mut start = Vec::new();
    file.rewind().map_err(failed)?;
    file.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start.is_empty() {
        return Err(SourceError::Empty { path: name.into() });
    }
    if start.starts_with(b"PK") {
        return of_zip(file, name);
    }
    if start.starts_with(&Compound::MAGIC) {
        return of_compound(&Compound::open(file, name)?, name);
    }
    Err(bad(name, no_workbook(&start)))
}

fn of_zip(file: &mut File, name: &str) -> Result<Kind, SourceError> {
    let archive = ZipArchive::new(file).map_err(|error| bad(name, format!("it is no complete zip file ({error})")))?;
    let has = |entry: &str| {
        let mut names = archive.file_names().flatten();
        names.any(|found| found.trim_start_matches('/').eq_ignore_ascii_case(entry))
    };
    if has("xl/workbook.bin") {
        return Ok(Kind::Xlsb);
    }
    if has("xl/workbook.xml") {
        return Ok(Kind::Xlsx);
    }
    let is = |what: &str| Err(bad(name, format!("it is {what}")));
    if has("word/document.xml") {
        return is("a Word document");
    }
    if has("ppt/presentation.xml") {
        return is("a PowerPoint presentation");
    }
    if has("content.xml") && has("mimetype") {
        return Ok(Kind::Ods);
    }
    if has("[Content_Types].xml") {
        return Ok(Kind::Xlsx);
    }
    is("a zip file without a workbook in it")
}

fn of_compound(compound: &Compound, name: &str) -> Result<Kind, SourceError> {
    if compound.has("Workbook") || compound.has("Book") {
        return Ok(Kind::Xls);
    }
    let what = if compound.has("EncryptedPackage") {
        return Err(locked(name));
    } else if compound.has("WordDocument") {
        "it is a Word document"
    } else if compound.has("PowerPoint Document") {
        "it is a PowerPoint presentation"
    } else {
        "it is an Office file without a workbook in it"
    };
    Err(bad(name, what))
}

/// The error for a workbook with a password.
pub(super) fn locked(name: &str) -> SourceError {
    bad(name, "it is encrypted with a password: ask for it, and save the workbook without one")
}

/// What bytes that are no workbook are.
fn no_workbook(start: &[u8]) -> String {
    let text: String = start.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
    let text = text.trim_start_matches(['\u{ef}', '\u{bb}', '\u{bf}', '\u{ff}', '\u{fe}']).trim_start();
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("<?xml") && lower.contains("office:spreadsheet") {
        return "it is an XML spreadsheet of Excel 2003 (`kind = \"xml\"` reads its rows); save it as .xlsx".into();
    }
    if lower.starts_with("<!doctype html") || lower.contains("<html") || lower.starts_with("<table") {
        return "it is a web page (HTML) that is only called a workbook, as some portals export it; open it and save it \
                as .xlsx"
            .into();
    }
    if lower.starts_with("<?xml") || lower.starts_with('<') {
        return "it is XML: read it with `kind = \"xml\"`".into();
    }
    if lower.starts_with("%pdf") {
        return "it is a PDF".into();
    }
    if start.starts_with(b"\x09\x00") || start.starts_with(b"\x09\x02") || start.starts_with(b"\x09\x04") {
        return "it is a worksheet of Excel 4 or older; save it as .xlsx".into();
    }
    if lower.starts_with('{') || lower.starts_with('[') {
        return "it is JSON: read it with `kind = \"json\"`".into();
    }
    let line = text.lines().next().unwrap_or_default();
    let is_text = start.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\r' | b'\n' | 0));
    match is_text {
        true if line.contains([',', '\t', ';', '|']) => {
            "it is delimited text that is only called a workbook: read it with `kind = \"csv\"`".into()
        }
        true => "it is plain text that is only called a workbook".into(),
        false => "it is none: neither .xlsx, .xls, .xlsb nor .ods".into(),
    }
}
