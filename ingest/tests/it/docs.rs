//! The published schemas are the ones that the loader uses, and the pages name every key.

use std::path::Path;

use xiangyun_engine::project::{Resource, json_schema};
use xiangyun_ingest::connection::ConnectionDef;
use xiangyun_ingest::pipeline::PipelineDef;

fn is_up_to_date<T: Resource>() {
    let name = format!("docs/schema/{}.json", T::KIND);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&name);
    let expected = format!("{}\n", serde_json::to_string_pretty(&json_schema::<T>()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs from the type: run the test with UPDATE_DOCS=1");
}

#[test]
fn the_schema_of_pipelines_is_up_to_date() {
    is_up_to_date::<PipelineDef>();
}

#[test]
fn the_schema_of_connections_is_up_to_date() {
    is_up_to_date::<ConnectionDef>();
}
