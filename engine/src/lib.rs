//! Define, plan and read: the engine of the Xiangyun platform.

pub mod alert;
pub mod catalog;
pub mod clock;
pub mod dashboard;
mod engine;
pub mod error;
pub mod functions;
pub mod policy;
pub mod project;
pub mod query;
pub mod scratch;
pub mod semantic;
pub mod storage;

pub use engine::{Engine, EngineOptions};
pub use error::{Error, ErrorKind, Result};
pub use policy::{Principal, PrincipalClass};
pub use query::{FunctionDoc, QueryContext};
