//! A resource of a CKAN portal, by its action API (version 3).

use reqwest::Url;
use serde::Deserialize;

use super::client::Api;
use super::paging::{Fetched, Pages};
use crate::pipeline::{CkanSource, PagingDef};
use crate::source::{SourceContext, SourceError};

/// Records of one request to the datastore; portals give 32,000 at the most.
const PAGE: u64 = 10_000;

#[derive(Deserialize)]
struct Reply {
    success: bool,
    result: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    datastore_active: bool,
}

/// Fetches a resource's records from the portal's datastore. Blocks.
///
/// # Errors
/// Where the dataset has no such resource, or has several and none is named, or where the resource is a file that the
/// portal has not read into its datastore.
pub(in crate::source) fn open(context: &SourceContext, def: &CkanSource) -> Result<Fetched, SourceError> {
    let api = Api::open(context, &def.connection)?;
    context.runtime.block_on(async {
        let path = "api/3/action/package_show";
        let url = api.address(path, &[("id".to_owned(), def.dataset.clone())])?;
        let resource = resource(&api, def, &url).await?;
        if !resource.datastore_active {
            let reason = format!(
                "resource `{}` is a file and no table: load its address with the kind of the file",
                resource.id
            );
            return Err(api.failed(path, reason, false));
        }
        let paging = PagingDef::Offset { parameter: "offset".into(), size_parameter: "limit".into(), size: PAGE };
        // `_id` is the datastore's own order of the rows: without one, pages may overlap.
        let params = [("resource_id", resource.id.as_str()), ("sort", "_id")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let pages = Pages {
            api: &api,
            path: "api/3/action/datastore_search",
            params,
            paging: Some(&paging),
            records: "/result/records",
            field: None,
        };
        pages.fetch(format!("{}:{}/{}", def.connection, def.dataset, resource.id)).await
    })
}

async fn resource(api: &Api, def: &CkanSource, url: &Url) -> Result<Resource, SourceError> {
    let answer = api.get(url).await?;
    let failed = |reason: String| api.failed(url.path(), reason, false);
    let reply: Reply =
        serde_json::from_slice(&answer.body).map_err(|error| failed(format!("its answer is not CKAN's: {error}")))?;
    let package = reply.result.filter(|_| reply.success);
    let package = package.ok_or_else(|| failed(format!("it has no dataset `{}`", def.dataset)))?;
    let names = |resources: &[Resource]| {
        let shown = resources.iter().map(|resource| resource.name.as_deref().unwrap_or(&resource.id).to_owned());
        shown.collect::<Vec<_>>().join(", ")
    };
    let mut resources = package.resources;
    let position = match &def.resource {
        Some(wanted) => resources
            .iter()
            .position(|resource| resource.id == *wanted || resource.name.as_deref() == Some(wanted))
            .ok_or_else(|| {
                failed(format!("dataset `{}` has no resource `{wanted}`; it has {}", def.dataset, names(&resources)))
            })?,
        None if resources.len() == 1 => 0,
        None => {
            let reason = format!(
                "dataset `{}` has {} resources: name one as `resource`: {}",
                def.dataset,
                resources.len(),
                names(&resources)
            );
            return Err(failed(reason));
        }
    };
    Ok(resources.swap_remove(position))
}
