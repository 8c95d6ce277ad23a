//! A declared load: source → SQL transform → checks → write mode.

mod definition;
mod load;
mod statement;

pub use definition::{
    ArrivalDef, CatchUp, CheckDef, CheckRule, CsvSource, Duplicates, FileLocation, GeoJsonSource, OnFail, PipelineDef,
    RetryDef, ScheduleDays, ScheduleDef, SourceDef, SyntheticSource, TransformDef, WriteMode,
};
pub(crate) use load::{load_pipelines, nullable_schema};
pub(crate) use statement::{SOURCE, parse as parse_transform, tables_of};
