//! What a principal may see of the catalog.

use super::{Principal, PrincipalClass};
use crate::catalog::TableName;

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
