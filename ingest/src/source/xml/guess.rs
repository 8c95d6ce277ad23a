//! Which elements of a document seem to be its rows.

use indexmap::IndexMap;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::encoding;
use super::rows::RowRule;
use super::text::Text;
use crate::source::SourceError;
use crate::source::file::{Decoded, SourceFile, inspect};

/// Parts of the document that are looked at.
const EVENTS: usize = 50_000;

/// Levels at which rows are looked for.
const LEVELS: usize = 8;

/// The place of the outermost elements that are repeated; none where they stand in the document's own, or nothing is.
pub(in crate::source) fn guess_row(file: &SourceFile) -> Result<Option<String>, SourceError> {
    let encoding = inspect(file, encoding::declared(file)?)?.encoding;
    let mut reader = Reader::from_reader(Text::new(&file.name, Decoded::open(file, encoding)?));
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut open) = (Vec::new(), Vec::<String>::new());
    let mut counts: IndexMap<Vec<String>, usize> = IndexMap::new();
    let mut depth = 0_usize;
    for _ in 0..EVENTS {
        buffer.clear();
        reader.get_mut().begin();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(start)) => {
                depth += 1;
                if depth <= LEVELS {
                    open.push(start.local_name().as_ref().to_owned());
                    *counts.entry(open.clone()).or_default() += 1;
                }
            }
            Ok(Event::End(_)) => {
                if depth <= LEVELS {
                    open.pop();
                }
                depth = depth.saturating_sub(1);
            }
            // Whoever reads the file says better what is wrong with it.
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let repeated = counts.iter().filter(|(_, count)| **count > 1);
    let rows = repeated.min_by_key(|(place, count)| (place.len(), std::cmp::Reverse(**count)));
    let place = rows.filter(|(place, _)| place.len() > 2).map(|(place, _)| place.join("/"));
    // Names that a damaged file has by chance would be no setting.
    Ok(place.filter(|place| RowRule::try_new(Some(place)).is_ok()))
}
