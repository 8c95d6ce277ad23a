//! A declared load: source → SQL transform → checks → write mode.

mod definition;
mod load;
mod statement;

pub use definition::{
    ArrivalDef, BatchCheckDef, BatchRule, CatchUp, CheckDef, CheckRule, CkanSource, ColumnarSource, ControlTotalRule,
    CsvSource, DatabaseRows, DaysOf, DaysPeriod, DaysRule, DuplicateNames, Duplicates, ExcelSource, FileLocation,
    FooterDef, FoundInRule, GeoJsonSource, HeaderDef, HeaderWord, HistoryMode, HttpIncrementalDef, HttpSource,
    JsonSource, MysqlSource, OnBatchFail, OnChangedFile, OnFail, PagingDef, PipelineDef, PostgresSource, PushSource,
    RaggedDef, RetryDef, RowCountRule, ScheduleDays, ScheduleDef, SchemaPolicy, Share, SheetDef, SocrataSource,
    SourceDef, SqliteSource, SyntheticSource, Tolerance, TransformDef, UpsertMode, WriteMode, WrittenDef, WrittenForm,
    XmlSource, ZeroDates,
};
pub(crate) use load::{load_pipelines, nullable_schema};
pub(crate) use statement::{SOURCE, parse as parse_transform};
