//! Rows as a table for readers, and as Markdown.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

/// How a missing value looks: told from an empty text.
const NULL: &str = "NULL";

/// The rows as columns drawn with lines; full-width characters count as two columns. A table wider than the terminal
/// wraps within its cells.
pub(super) fn draw(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(schema.fields().iter().map(|field| Cell::new(one_line(field.name()))));
    let alignments: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| if field.data_type().is_numeric() { CellAlignment::Right } else { CellAlignment::Left })
        .collect();
    each_row(batches, |values| {
        let cells = values.into_iter().zip(&alignments);
        table.add_row(cells.map(|(value, alignment)| Cell::new(value).set_alignment(*alignment)));
    })?;
    Ok(format!("{table}\n"))
}

/// The rows as a Markdown table.
pub(super) fn markdown(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let escape = |text: &str| one_line(text).replace('\\', "\\\\").replace('|', "\\|");
    let mut text = line(schema.fields().iter().map(|field| escape(field.name())).collect());
    let marks = schema.fields().iter().map(|field| if field.data_type().is_numeric() { "---:" } else { "---" });
    let _ = writeln!(text, "|{}|", marks.collect::<Vec<_>>().join("|"));
    each_row(batches, |values| text.push_str(&line(values.iter().map(|value| escape(value)).collect())))?;
    Ok(text)
}

fn each_row(batches: &[RecordBatch], mut row: impl FnMut(Vec<String>)) -> Result<(), ArrowError> {
    let options = FormatOptions::default().with_null(NULL);
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
        for index in 0..batch.num_rows() {
            let values = columns.iter().map(|column| Ok(one_line(&column.value(index).try_to_string()?)));
            row(values.collect::<Result<_, ArrowError>>()?);
        }
    }
    Ok(())
}

/// Line breaks and tabs as their escapes, other control characters replaced: a value never moves the cursor.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => line.push(char::REPLACEMENT_CHARACTER),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn rows() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("名称", Arc::new(StringArray::from(vec![Some("长春市"), Some("a|b\n\x1b[2J"), None])) as ArrayRef),
            ("n", Arc::new(Int64Array::from(vec![7, 1234, -1]))),
        ])
        .unwrap()
    }

    #[test]
    fn full_width_text_keeps_the_lines_straight() {
        let text = draw(&rows().schema(), &[rows()]).unwrap();
        let widths: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        assert!(text.contains("┆    7 │"), "numbers stand to the right:\n{text}");
    }

    #[test]
    fn values_cannot_break_the_table() {
        let text = draw(&rows().schema(), &[rows()]).unwrap();
        assert!(text.contains("a|b\\n\u{fffd}[2J") && text.contains(NULL), "{text}");
        let text = markdown(&rows().schema(), &[rows()]).unwrap();
        assert_eq!(text, "| 名称 | n |\n|---|---:|\n| 长春市 | 7 |\n| a\\|b\\\\n\u{fffd}[2J | 1234 |\n| NULL | -1 |\n");
    }

    #[test]
    fn a_result_without_rows_shows_its_columns() {
        assert!(draw(&rows().schema(), &[]).unwrap().contains("名称"));
    }
}
