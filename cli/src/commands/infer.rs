//! `xiangyun infer`: a first contract and pipeline from a sample.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::clock::{Clock, SystemClock};
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::infer::{InferOptions, infer};

use crate::args::InferArgs;
use crate::output::{Output, note};
use crate::session::Session;
use crate::settings::find_project;

/// Shows or writes both files.
pub(super) async fn run(session: &Session, args: &InferArgs) -> anyhow::Result<()> {
    let root = find_project(session.global.project.as_deref(), &session.environment)?;
    let table = args.table.as_deref().map(str::parse::<TableName>).transpose().map_err(Error::from)?;
    let options = InferOptions {
        path: below(&root, &args.file)?,
        root: root.clone(),
        table,
        rows: args.sample as usize,
        today: SystemClock.today(),
    };
    let inferred = tokio::task::spawn_blocking(move || infer(&options)).await.context("the file was not read")??;
    let contract = format!("tables/{}.toml", inferred.table);
    let pipeline = format!("pipelines/{}.toml", inferred.pipeline);
    if args.write {
        create(&root, &contract, &inferred.contract)?;
        create(&root, &pipeline, &inferred.pipeline_file)?;
    } else {
        let mut output = Output::open(&session.global)?;
        output.plain(&format!(
            "# --- {contract} ---\n{}\n# --- {pipeline} ---\n{}",
            inferred.contract, inferred.pipeline_file
        ))?;
        output.finish()?;
    }
    if !session.global.quiet {
        if inferred.unreadable > 0 {
            note(&format!("{} rows of the sample could not be split into columns", inferred.unreadable));
        }
        match args.write {
            true => note(&format!(
                "wrote {contract} and {pipeline}; next: fill in what is marked `write`, then `xiangyun check`"
            )),
            false => note("nothing was written; add --write to put both files into the project"),
        }
    }
    Ok(())
}

/// The file as a pipeline names it: below the project where it lies there, else absolute.
fn below(root: &Path, file: &str) -> anyhow::Result<String> {
    let path = Path::new(file);
    if file.contains("://") || root.join(path).exists() && path.is_relative() {
        return Ok(file.to_owned());
    }
    let absolute = std::env::current_dir().context("cannot tell the working folder")?.join(path);
    Ok(absolute.strip_prefix(root).unwrap_or(&absolute).to_string_lossy().into_owned())
}

fn create(root: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = root.join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let created = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = created.map_err(|cause| {
        let message = format!("cannot create {name}");
        Error::new(ErrorKind::InvalidInput, message).with_hint("choose another name by `--table`").with_source(cause)
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {name}"))
}
