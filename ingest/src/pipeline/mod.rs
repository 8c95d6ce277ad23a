//! A declared load: source → SQL transform → checks → write mode.

mod definition;
mod load;
mod statement;

pub use definition::{
    BatchCheckDef, BatchRule, ControlTotalRule, DaysOf, DaysPeriod, DaysRule, FoundInRule, OnBatchFail, RowCountRule,
    Share, Tolerance,
    ArrivalDef, CatchUp, CheckDef, CheckRule, CkanSource, CsvSource, DuplicateNames, Duplicates, FileLocation,
    FooterDef, GeoJsonSource, HeaderDef, HeaderWord, HistoryMode, HttpIncrementalDef, HttpSource, JsonSource,
    OnChangedFile, OnFail, PagingDef, PipelineDef, RaggedDef, RetryDef, ScheduleDays, ScheduleDef, SchemaPolicy,
    SocrataSource, SourceDef, SyntheticSource, TransformDef, UpsertMode, WriteMode, WrittenDef, WrittenForm,
};
pub(crate) use load::{load_pipelines, nullable_schema};
pub(crate) use statement::{SOURCE, parse as parse_transform, tables_of};
