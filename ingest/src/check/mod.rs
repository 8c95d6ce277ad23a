//! What must hold of a row before it is loaded: the contract's types and nullability, the pipeline's checks, and
//! that it comes once. Rows that fail go to quarantine with their place and the reason.

mod batch;
mod cast;
mod codes;
mod duplicates;
mod expression;
mod keys;
mod places;
mod rules;
mod typed;
mod unique;
mod values;
mod written;

pub(crate) use batch::{ControlFile, Gathered, NAMED, Total, VALUES_LIMIT, china_days, gather, missing_days, shown};
pub use cast::MismatchedColumn;
pub(crate) use cast::{ColumnPlan, plan_columns};
pub(crate) use duplicates::Duplicated;
pub use places::Place;
pub(crate) use places::{FILE_COLUMN, LINE_COLUMN, Places};
pub(crate) use rules::{CheckContext, CheckKey, CompiledCheck, Failure, compile, implied};
pub(crate) use typed::type_columns;
pub(crate) use unique::Values;
pub(crate) use values::{decimal, parse_column};
pub(crate) use written::{apply as apply_written, faults as written_faults};

/// A row that is not loaded, or that is loaded with a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where the row stands; unknown where the transform groups or joins.
    pub place: Option<Place>,
    /// The column to blame.
    pub column: Option<String>,
    /// The check that found it, where the project declares one, as in `uscc on uscc`.
    pub rule: Option<String>,
    /// Reason code, as in `TYPE`, `NOT_NULL`, `USCC_CHECK`.
    pub reason: String,
    /// What is wrong, in words.
    pub message: String,
    /// The row as text: as it stands in the file, or as JSON.
    pub raw: String,
}
