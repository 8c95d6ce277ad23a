//! The example project and the generator agree.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::path::Path;

use xiangyun_engine::project::{Diagnostics, Project, load_folder, render};

use super::SyntheticRows;
use crate::pipeline::{PipelineDef, SourceDef};
use crate::source::Source;

fn example() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/jilin"))
}

#[test]
fn the_example_has_no_fault_and_every_table_is_loaded_once() {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(example(), &mut diagnostics);
    let pipelines = load_folder::<PipelineDef>(example(), &mut diagnostics);
    let faults: Vec<_> = diagnostics.iter().map(|fault| render(fault, false)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let tables: HashSet<_> = project.tables.iter().map(|table| table.def.name.to_string()).collect();
    let loaded: HashSet<_> = pipelines.iter().map(|pipeline| pipeline.def.table.to_string()).collect();
    assert_eq!((tables.len(), pipelines.len()), (15, 15));
    assert_eq!(tables, loaded);
}

#[test]
fn generated_rows_have_their_contracts_columns_and_say_what_they_are() {
    let mut diagnostics = Diagnostics::default();
    let project = Project::load(example(), &mut diagnostics);
    let mut generated = 0;
    for pipeline in load_folder::<PipelineDef>(example(), &mut diagnostics) {
        let table = &project.table(&pipeline.def.table).unwrap().def;
        let SourceDef::Synthetic(source) = &pipeline.def.source else {
            assert!(!table.synthetic, "{} is read from a file", table.name);
            continue;
        };
        assert_eq!(SyntheticRows::open(source).unwrap().schema(), table.arrow_schema(), "{}", table.name);
        assert!(table.synthetic, "{}", table.name);
        assert!(table.title.zh.contains("合成数据") && table.title.en.contains("synthetic"), "{}", table.name);
        generated += 1;
    }
    assert_eq!(generated, 9);
}
