//! What viewers chose, as the condition of a tile's question.

use super::definition::FilterDef;

/// The condition of a tile: its own, and one for each filter with values. Values become literals: a quote in them is
/// doubled, and the condition is held against the list of what may stand in one like any other.
pub(crate) fn condition<'f>(
    own: Option<&str>,
    chosen: impl IntoIterator<Item = (&'f FilterDef, &'f [String])>,
) -> Option<String> {
    let mut parts: Vec<String> =
        own.filter(|text| !text.trim().is_empty()).map(|text| format!("({text})")).into_iter().collect();
    for (filter, values) in chosen {
        if values.is_empty() {
            continue;
        }
        let values: Vec<_> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        parts.push(format!("{} IN ({})", filter.dimension, values.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Bilingual;

    #[test]
    fn values_are_literals_whatever_they_hold() {
        let filter = FilterDef {
            name: "place".into(),
            title: Bilingual::default(),
            dimension: "region.county".into(),
            default: Vec::new(),
        };
        let values = ["220102".to_owned(), "x') OR true --".to_owned()];
        let written = condition(Some("channel = 'a' OR channel = 'b'"), [(&filter, values.as_slice())]);
        let expected = "(channel = 'a' OR channel = 'b') AND region.county IN ('220102', 'x'') OR true --')";
        assert_eq!(written.as_deref(), Some(expected));
        assert_eq!(condition(None, [(&filter, [].as_slice())]), None);
    }
}
