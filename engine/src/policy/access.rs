//! What a principal may see of the catalog.

use super::{Principal, PrincipalClass};
use crate::catalog::TableName;
use crate::error::{Classify, ErrorKind};

/// Whether a principal may see that a table exists, and read it. Every door asks here before a name becomes a table:
/// queries, views, listings, `information_schema`, metrics. A table that may not be seen is answered as one that does
/// not exist. Every known principal sees all tables until grants are declared.
pub(crate) fn sees(_principal: &Principal, _table: &TableName) -> bool {
    true
}

/// Whether a principal may see what others asked. A statement may hold what is known of a person, so only those who
/// operate the platform do; everybody sees their own.
pub(crate) fn sees_all_queries(principal: &Principal) -> bool {
    principal.class() == PrincipalClass::Operator
}

/// What a principal sees of the rows of the tables it may read, as a name: who has the same one gets the same answers, and
/// may be given one that was worked out for another. Everybody sees all rows until filters are declared.
pub(crate) fn scope(_principal: &Principal) -> &'static str {
    "all"
}

/// Why a principal may not add to a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadRefused {
    /// It may not even see it.
    #[error("there is no table `{table}`")]
    Unseen {
        /// The table.
        table: TableName,
    },
    /// It reads only.
    #[error("`{principal}` may read and not load")]
    Reader {
        /// Who asks.
        principal: String,
    },
    /// The table is another agency's.
    #[error("`{table}` is not a table of `{agency}`, the agency of `{principal}`")]
    OtherAgency {
        /// The table.
        table: TableName,
        /// Who asks.
        principal: String,
        /// Its agency.
        agency: String,
    },
}

impl Classify for LoadRefused {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unseen { .. } => ErrorKind::NotFound,
            Self::Reader { .. } | Self::OtherAgency { .. } => ErrorKind::Forbidden,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unseen { .. } => None,
            Self::Reader { .. } => Some("ask with a token of class `batch` or `operator`".into()),
            Self::OtherAgency { .. } => Some("an agency loads its own tables; ask with a token of that one".into()),
        }
    }
}

/// Whether a principal may add rows to a table: batch jobs and operators may, to the tables of their own agency.
pub fn check_load(principal: &Principal, table: &TableName) -> Result<(), LoadRefused> {
    let name = || principal.name().to_owned();
    if !sees(principal, table) {
        return Err(LoadRefused::Unseen { table: table.clone() });
    }
    if !matches!(principal.class(), PrincipalClass::Batch | PrincipalClass::Operator) {
        return Err(LoadRefused::Reader { principal: name() });
    }
    match principal.agency() {
        "*" => Ok(()),
        agency if agency == table.schema() => Ok(()),
        agency => Err(LoadRefused::OtherAgency { table: table.clone(), principal: name(), agency: agency.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn batch_jobs_load_the_tables_of_their_agency() {
        let table: TableName = "water.levels".parse().unwrap();
        let check = |agency: &str, class| check_load(&Principal::new("p", agency, class), &table);
        assert_eq!(check("water", PrincipalClass::Batch), Ok(()));
        assert_eq!(check("*", PrincipalClass::Operator), Ok(()));
        assert!(matches!(check("water", PrincipalClass::Dashboard), Err(LoadRefused::Reader { .. })));
        assert!(matches!(check("*", PrincipalClass::Analyst), Err(LoadRefused::Reader { .. })));
        assert!(matches!(check("market", PrincipalClass::Batch), Err(LoadRefused::OtherAgency { .. })));
    }
}
