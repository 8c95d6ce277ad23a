//! The JSON Schema of a kind of project file, for editors and for the loader's own checks.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Resource;

/// The JSON Schema (draft 2020-12) of `T`'s files.
pub fn json_schema<T: Resource>() -> Value {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>().to_value()
}
