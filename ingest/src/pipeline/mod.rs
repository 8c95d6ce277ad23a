//! A declared load: source → SQL transform → checks → write mode.

mod definition;
mod load;
mod statement;

pub use definition::{
    ArrivalDef, BatchCheckDef, BatchRule, CatchUp, CheckDef, CheckRule, CkanSource, ColumnarSource, ControlTotalRule,
    CsvSource, DaysOf, DaysPeriod, DaysRule, DuplicateNames, Duplicates, ExcelSource, FileLocation, FooterDef,
    FoundInRule, GeoJsonSource, HeaderDef, HeaderWord, HistoryMode, HttpIncrementalDef, HttpSource, JsonSource,
    OnBatchFail, OnChangedFile, OnFail, PagingDef, PipelineDef, RaggedDef, RetryDef, RowCountRule, ScheduleDays,
    ScheduleDef, SchemaPolicy, Share, SheetDef, SocrataSource, SourceDef, SyntheticSource, Tolerance, TransformDef,
    UpsertMode, WriteMode, WrittenDef, WrittenForm, XmlSource,
};
pub(crate) use load::{load_pipelines, nullable_schema};
pub(crate) use statement::{SOURCE, parse as parse_transform};
