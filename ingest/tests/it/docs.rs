//! The published schema of pipelines is the one that the loader uses.

use std::path::Path;

use xiangyun_engine::project::json_schema;
use xiangyun_ingest::pipeline::PipelineDef;

#[test]
fn the_schema_of_pipelines_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/pipeline.json");
    let expected = format!("{}\n", serde_json::to_string_pretty(&json_schema::<PipelineDef>()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/schema/pipeline.json differs from the type: run the test with UPDATE_DOCS=1");
}
