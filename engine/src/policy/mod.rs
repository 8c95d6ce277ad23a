//! Who asks: the [`Principal`] that every call carries, and what it may see.

mod access;

use std::sync::Arc;

pub use access::{LoadRefused, check_load};
pub(crate) use access::{scope, sees, sees_all_queries};

/// The class that decides a principal's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalClass {
    /// A dashboard: small, frequent, short.
    Dashboard,
    /// An analyst: large, rare, long.
    Analyst,
    /// A batch job: loads data.
    Batch,
    /// Operates the platform.
    Operator,
}

impl PrincipalClass {
    /// The class as token files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::Analyst => "analyst",
            Self::Batch => "batch",
            Self::Operator => "operator",
        }
    }
}

/// The caller of one request, already authenticated. There is no query without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    name: Arc<str>,
    agency: Arc<str>,
    class: PrincipalClass,
}

impl Principal {
    /// A caller by name, agency (a schema's name, or `*` for the platform itself) and class.
    pub fn new(name: impl Into<Arc<str>>, agency: impl Into<Arc<str>>, class: PrincipalClass) -> Self {
        Self { name: name.into(), agency: agency.into(), class }
    }

    /// The person at this machine's keyboard, or a caller on loopback without a token file: sees what the operating
    /// system already lets them read.
    pub fn local() -> Self {
        Self::new("local", "*", PrincipalClass::Operator)
    }

    /// The platform itself, for pipelines.
    pub fn system() -> Self {
        Self::new("system", "*", PrincipalClass::Batch)
    }

    /// Name, as recorded in logs and audit.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Agency.
    pub fn agency(&self) -> &str {
        &self.agency
    }

    /// Class.
    pub fn class(&self) -> PrincipalClass {
        self.class
    }
}
