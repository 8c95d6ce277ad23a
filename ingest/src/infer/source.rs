//! Which kind of source a file is, by its name and its first bytes.

use xiangyun_engine::{Error, ErrorKind, Result};

use super::file_name;
use crate::pipeline::{ColumnarSource, CsvSource, ExcelSource, GeoJsonSource, JsonSource, SourceDef, XmlSource};
use crate::source::{SourceContext, first_line, guess_json_records, guess_xml_row};

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
            let delimiter = if ending == "tsv" { '\t' } else { delimiter(context, path)? };
            let encoding = "auto".to_owned();
            SourceDef::Csv(CsvSource { encoding, delimiter, ..CsvSource::at(path) })
        }
        "json" => SourceDef::Json(JsonSource { records: guess_json_records(context, path)?, ..JsonSource::at(path) }),
        "ndjson" | "jsonl" => SourceDef::Json(JsonSource::at(path)),
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
                "give it the ending of its kind, as in .csv, .tsv, .xlsx, .xls, .ods, .json, .ndjson, .xml, .geojson, .parquet, .arrow or .avro, \
                 perhaps with .gz or .zst behind",
            ));
        }
    })
}

/// The delimiter that stands most often in the header; the first of those that stand equally often.
fn delimiter(context: &SourceContext, path: &str) -> Result<char> {
    let line = first_line(context, path)?;
    let count = |delimiter: &char| line.matches(*delimiter).count();
    Ok(DELIMITERS.into_iter().rev().max_by_key(count).filter(|found| count(found) > 0).unwrap_or(','))
}
