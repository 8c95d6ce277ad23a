//! A GeoJSON FeatureCollection (RFC 7946): a row a feature.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use indexmap::{IndexMap, IndexSet};
use serde::Deserialize;
use serde_json::value::RawValue;
use xiangyun_engine::catalog::RunSource;

use super::file::{Content, Detector, Encoding, Format, OpenFile, SourceFile, StoredBytes, TextDecoder};
use super::text::is_missing;
use super::{BATCH_ROWS, Batches, SourceBatch, SourceError};

/// Bytes of text that a file may have: unlike delimited text it is held in memory as a whole.
const LIMIT_BYTES: usize = 512 << 20;

/// The column that holds a feature's geometry as GeoJSON text.
const GEOMETRY: &str = "geometry";

/// A FeatureCollection. Its columns are the properties, in the order in which they first occur, as text, and
/// `geometry`. Numbers keep their spelling; nested properties are JSON text.
#[derive(Debug)]
pub(super) struct GeoJson;

#[derive(Debug, Clone)]
struct GeoJsonFile {
    file: SourceFile,
    encoding: Encoding,
    record: RunSource,
    schema: SchemaRef,
}

#[derive(Deserialize)]
struct Collection<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    features: Vec<Feature<'a>>,
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    properties: Option<IndexMap<String, &'a RawValue>>,
    #[serde(borrow, default)]
    geometry: Option<&'a RawValue>,
}

impl Format for GeoJson {
    /// Reads the file once for its columns.
    ///
    /// # Errors
    /// Where the file is missing, cut off, too large or no FeatureCollection.
    fn open(&self, file: &SourceFile) -> Result<Vec<Box<dyn OpenFile>>, SourceError> {
        let (text, encoding, stored) = read(file)?;
        let collection = parse(&file.name, &text)?;
        let mut names = IndexSet::new();
        for feature in &collection.features {
            names.extend(feature.properties.iter().flat_map(|properties| properties.keys().cloned()));
        }
        if names.contains(GEOMETRY) {
            return Err(bad(&file.name, "a property is called `geometry`, which is the column of the geometry"));
        }
        names.insert(GEOMETRY.into());
        if collection.features.is_empty() {
            return Err(SourceError::NoRows { path: file.name.clone() });
        }
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let record = RunSource {
            path: file.name.clone(),
            size_bytes: stored.size_bytes,
            sha256: Some(stored.sha256),
            encoding: Some(encoding.name().into()),
        };
        let schema = Arc::new(Schema::new(fields));
        Ok(vec![Box::new(GeoJsonFile { file: file.clone(), encoding, record, schema })])
    }
}

impl OpenFile for GeoJsonFile {
    fn record(&self) -> &RunSource {
        &self.record
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batches(&self) -> Result<Batches, SourceError> {
        let (text, encoding, stored) = read(&self.file)?;
        if Some(stored.sha256) != self.record.sha256 || encoding != self.encoding {
            return Err(SourceError::Changed { path: self.file.name.clone() });
        }
        let features = parse(&self.file.name, &text)?.features;
        let file: Arc<str> = self.file.name.as_str().into();
        let mut batches = Vec::new();
        let mut bytes = self.record.size_bytes;
        for (index, features) in features.chunks(BATCH_ROWS).enumerate() {
            let first = (index * BATCH_ROWS) as u64 + 1;
            batches.push(Ok(SourceBatch {
                batch: batch(&self.schema, features),
                file: Arc::clone(&file),
                lines: UInt64Array::from_iter_values(first..first + features.len() as u64),
                unreadable: Vec::new(),
                bytes: std::mem::take(&mut bytes),
            }));
        }
        Ok(Box::new(batches.into_iter()))
    }
}

fn batch(schema: &SchemaRef, features: &[Feature<'_>]) -> RecordBatch {
    let arrays = schema.fields().iter().map(|field| {
        let mut column = StringBuilder::new();
        for feature in features {
            let value = if field.name() == GEOMETRY {
                feature.geometry.map(|geometry| geometry.get().to_owned())
            } else {
                feature.properties.as_ref().and_then(|all| all.get(field.name())).map(|value| plain(value))
            };
            column.append_option(value.filter(|value| value != "null" && !is_missing(value, &[])));
        }
        Arc::new(column.finish()) as ArrayRef
    });
    RecordBatch::try_new(Arc::clone(schema), arrays.collect())
        .expect("every column is nullable text and got one value a feature")
}

/// A JSON text without its quotes, any other value as it is written.
fn plain(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

fn bad(file: &str, reason: &str) -> SourceError {
    SourceError::BadGeoJson { path: file.into(), reason: reason.into() }
}

fn parse<'a>(file: &str, text: &'a str) -> Result<Collection<'a>, SourceError> {
    let collection: Collection<'_> = serde_json::from_str(text).map_err(|error| bad(file, &error.to_string()))?;
    if collection.kind != "FeatureCollection" {
        return Err(bad(file, &format!("its type is `{}`", collection.kind)));
    }
    if let Some(index) = collection.features.iter().position(|feature| feature.kind != "Feature") {
        return Err(bad(file, &format!("feature {} is a `{}`", index + 1, collection.features[index].kind)));
    }
    Ok(collection)
}

fn read(file: &SourceFile) -> Result<(String, Encoding, StoredBytes), SourceError> {
    let mut content = Content::open(file)?;
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 256 << 10]);
    let mut detector = Detector::default();
    loop {
        let count = content.read(&mut piece)?;
        if count == 0 {
            break;
        }
        detector.push(&piece[..count]);
        bytes.extend_from_slice(&piece[..count]);
        if bytes.len() > LIMIT_BYTES {
            return Err(bad(&file.name, &format!("it has more than {LIMIT_BYTES} bytes, which is the limit")));
        }
    }
    if bytes.is_empty() {
        return Err(SourceError::Empty { path: file.name.clone() });
    }
    let (encoding, mut text) = (detector.decide(), String::with_capacity(bytes.len()));
    TextDecoder::new(&file.name, encoding).decode(&bytes, true, &mut text)?;
    Ok((text, encoding, content.finish()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::super::Source;
    use super::super::file::Files;
    use super::*;

    fn open(text: &str) -> Result<(tempfile::TempDir, Files), SourceError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.geojson"), text).unwrap();
        let source = Files::open(folder.path(), "a.geojson", &GeoJson)?;
        Ok((folder, source))
    }

    #[test]
    fn features_are_rows_and_numbers_keep_their_spelling() {
        let (_folder, source) = open(
            r#"{"type":"FeatureCollection","features":[
                {"type":"Feature","properties":{"adcode":"220100","name":"长春市","lon":125.3200,"tags":["a"]},
                 "geometry":{"type":"Point","coordinates":[125.3,43.80]}},
                {"type":"Feature","properties":{"adcode":"222400","area":1e3,"name":null},"geometry":null}]}"#,
        )
        .unwrap();
        let batches: Vec<_> = source.batches().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1);
        let batch = &batches[0].batch;
        let column = |name: &str| -> Vec<Option<String>> {
            batch[name].as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
        };
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["adcode", "name", "lon", "tags", "area", "geometry"]);
        assert_eq!(column("lon"), [Some("125.3200".into()), None]);
        assert_eq!(column("name"), [Some("长春市".into()), None]);
        assert_eq!(column("tags")[0].as_deref(), Some(r#"["a"]"#));
        assert_eq!(column("area")[1].as_deref(), Some("1e3"));
        assert_eq!(column("geometry"), [Some(r#"{"type":"Point","coordinates":[125.3,43.80]}"#.into()), None]);
        assert_eq!(batches[0].lines.values(), &[1, 2]);
        assert_eq!(batch["adcode"].null_count(), 0);
    }

    #[test]
    fn other_documents_are_refused_by_what_they_are() {
        for (text, expected) in [
            ("", "is empty"),
            ("{", "EOF"),
            (r#"{"type":"Topology","features":[]}"#, "its type is `Topology`"),
            (r#"{"type":"FeatureCollection","features":[]}"#, "no rows"),
            (r#"{"type":"FeatureCollection","features":[{"type":"Point"}]}"#, "feature 1 is a `Point`"),
            (
                r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"geometry":1}}]}"#,
                "called `geometry`",
            ),
        ] {
            let error = open(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
