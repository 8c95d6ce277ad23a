//! Which array of a document seems to be its rows.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::source::SourceError;
use crate::source::file::{Decoded, SourceFile, inspect};

/// Bytes of the document that are looked at.
const LOOK_BYTES: usize = 4 << 20;

/// The pointer to the array with the most objects, of those the outermost; none where the file itself is an array, has
/// an object on each line, or holds no such array.
pub(in crate::source) fn guess_records(file: &SourceFile) -> Result<Option<String>, SourceError> {
    let mut text = Decoded::open(file, inspect(file, None)?.encoding)?;
    while text.rest().len() < LOOK_BYTES && !text.has_ended() {
        text.fill()?;
    }
    Ok(guess(text.rest()))
}

fn guess(start: &str) -> Option<String> {
    let mut objects = IndexMap::new();
    let mut deserializer = serde_json::Deserializer::from_str(start);
    let is_whole = Look { pointer: String::new(), objects: &mut objects }.deserialize(&mut deserializer).is_ok();
    if is_whole && deserializer.end().is_err() {
        // Something follows: there is an object on each line.
        return None;
    }
    // A document that is cut off has told enough; whoever reads a broken one says better what is wrong with it.
    let levels = |pointer: &String| pointer.split('/').count();
    let best = objects.into_iter().max_by_key(|(pointer, count)| (*count, std::cmp::Reverse(levels(pointer))));
    best.map(|(pointer, _)| pointer).filter(|pointer| !pointer.is_empty())
}

/// Counts the objects of each array that is reached through objects alone, and tells whether it is at an object.
struct Look<'a> {
    pointer: String,
    objects: &'a mut IndexMap<String, usize>,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let pointer = format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"));
            map.next_value_seed(Look { pointer, objects: &mut *self.objects })?;
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        // What lies within a row is no row.
        while let Some(is_object) =
            elements.next_element_seed(Look { pointer: String::new(), objects: &mut IndexMap::new() })?
        {
            if is_object {
                *self.objects.entry(self.pointer.clone()).or_default() += 1;
            }
        }
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_with_the_most_objects_is_found() {
        for (text, expected) in [
            (r#"{"code":0,"data":{"total":2,"rows":[{"a":1},{"a":2}]},"links":[{"next":"x"}]}"#, Some("/data/rows")),
            (r#"{"links":["a","b","c"],"a/b":[{"x":[{"y":1},{"y":2},{"y":3}]}, null]}"#, Some("/a~1b")),
            // Cut off where the look ends.
            (r#"{"result":{"records":[{"a":1},{"a":2},{"a":"#, Some("/result/records")),
            (r#"[{"a":[{"b":1}]}]"#, None),
            ("{\"a\":[{\"b\":1}]}\n{\"a\":[{\"b\":1}]}\n", None),
            (r#"{"a":1,"b":[1,2],"c":null,"d":true,"e":1.5,"f":-1}"#, None),
            ("", None),
            (r#"{"a":[{]}"#, None),
        ] {
            assert_eq!(guess(text).as_deref(), expected, "{text}");
        }
        assert_eq!(guess(&"[".repeat(10_000)), None);
        assert_eq!(guess(&r#"{"a":"#.repeat(10_000)), None);
    }
}
