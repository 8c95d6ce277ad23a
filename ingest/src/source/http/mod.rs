//! Records of HTTP APIs. What comes over the network is spooled as one line of JSON a record and hashed on the way, so
//! that such a source is like any other: opened first, its content known, then read, as often as it is needed.

mod ckan;
mod client;
mod paging;
mod socrata;
mod spool;

pub(super) use ckan::open as open_ckan;
pub(super) use paging::{check as check_paging, open};
pub(super) use socrata::open as open_socrata;

#[cfg(test)]
mod tests;
