//! A declared load: source → SQL transform → checks → write mode.

mod definition;

pub use definition::{
    CheckDef, CheckRule, CsvSource, Duplicates, GeoJsonSource, OnFail, PipelineDef, SourceDef, SyntheticSource,
    TransformDef, WriteMode,
};
