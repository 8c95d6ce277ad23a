//! Which kind of source a file is, by its name and its first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xiangyun_engine::{Error, ErrorKind, Result};

use super::file_name;
use crate::pipeline::{ColumnarSource, CsvSource, ExcelSource, GeoJsonSource, SourceDef, XmlSource};
use crate::source::{SourceContext, guess_xml_row};

/// Endings that say how a file is packed, not what it is.
const PACKED: [&str; 4] = ["gz", "zst", "bz2", "xz"];

/// Delimiters that agencies use, in the order in which one is preferred where several fit.
const DELIMITERS: [char; 4] = [',', '\t', ';', '|'];

/// The source that reads `path`.
pub(super) fn of_file(context: &SourceContext, path: &str) -> Result<SourceDef> {
    let name = file_name(path).to_ascii_lowercase();
    let mut parts = name.rsplit('.');
    let mut ending = parts.next().unwrap_or_default();
    if PACKED.contains(&ending) {
        ending = parts.next().unwrap_or_default();
    }
    Ok(match ending {
        "csv" | "txt" | "tsv" => {
            let delimiter = if ending == "tsv" { '\t' } else { delimiter(&context.root.join(path)) };
            let encoding = "auto".to_owned();
            SourceDef::Csv(CsvSource { encoding, delimiter, ..CsvSource::at(path) })
        }
        "geojson" => SourceDef::GeoJson(GeoJsonSource {
            path: path.into(),
            connection: None,
            entries: None,
            expanded_limit_gib: None,
        }),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => SourceDef::Excel(ExcelSource::at(path)),
        "xml" => SourceDef::Xml(XmlSource { row: guess_xml_row(context, path)?, ..XmlSource::at(path) }),
        "parquet" => SourceDef::Parquet(ColumnarSource::at(path)),
        "arrow" | "arrows" | "feather" | "ipc" => SourceDef::Arrow(ColumnarSource::at(path)),
        "avro" => SourceDef::Avro(ColumnarSource::at(path)),
        _ => {
            let message = format!("what `{path}` is cannot be told from its name");
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(
                "give it the ending of its kind, as in .csv, .tsv, .xlsx, .xls, .ods, .xml, .geojson, .parquet, .arrow or .avro, \
                 perhaps with .gz or .zst behind",
            ));
        }
    })
}

/// The delimiter that stands most often in the first line; a comma where the file is packed or cannot be read yet.
fn delimiter(path: &Path) -> char {
    let mut start = vec![0; 64 << 10];
    let read = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or_default();
    let line = start[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: char| line.iter().filter(|byte| char::from(**byte) == delimiter).count();
    // The first of those that stand equally often.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| count(*delimiter))
        .filter(|found| count(*found) > 0)
        .unwrap_or(',')
}
