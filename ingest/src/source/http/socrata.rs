//! A dataset of a Socrata portal, by the SODA API (version 2.1).

use super::client::Api;
use super::paging::{Fetched, Pages};
use crate::pipeline::{PagingDef, SocrataSource};
use crate::source::{SourceContext, SourceError};

/// Records of one request; the API gives 50,000 at the most.
const PAGE: u64 = 10_000;

/// Fetches all records. The default order is undefined, so they are asked for in the order of the row's own id. Blocks.
pub(in crate::source) fn open(context: &SourceContext, def: &SocrataSource) -> Result<Fetched, SourceError> {
    let api = Api::open(context, &def.connection)?;
    let mut params = vec![("$order".to_owned(), ":id".to_owned())];
    params.extend(def.condition.iter().map(|condition| ("$where".to_owned(), condition.clone())));
    let paging = PagingDef::Offset { parameter: "$offset".into(), size_parameter: "$limit".into(), size: PAGE };
    let path = format!("resource/{}.json", def.dataset);
    let pages = Pages { api: &api, path: &path, params, paging: Some(&paging), records: "", field: None };
    context.runtime.block_on(pages.fetch(format!("{}:{}", def.connection, def.dataset)))
}
