use std::fs;
use std::path::Path;

use anyhow::Context;
use include_dir::{Dir, include_dir};
use xiangyun_engine::{Error, ErrorKind};

use crate::args::InitArgs;
use crate::output::note;
use crate::session::Session;
use crate::settings::{FILE_NAME, template};

/// What a new project holds beside its settings: a page for each folder, with an example.
static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/project");

/// Creates an empty, commented project.
pub(super) fn run(session: &Session, args: &InitArgs) -> anyhow::Result<()> {
    let dir = &args.dir;
    if dir.join(FILE_NAME).exists() {
        let message = format!("{} is a project already", dir.display());
        return Err(Error::new(ErrorKind::InvalidInput, message).into());
    }
    if dir.exists() && !is_empty(dir)? {
        let error = Error::new(ErrorKind::InvalidInput, format!("{} is not empty", dir.display()));
        return Err(error.with_hint("name a folder that does not exist yet, or an empty one").into());
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    TEMPLATE.extract(dir).with_context(|| format!("cannot write into {}", dir.display()))?;
    // the settings last: with them the folder is a project
    let ignored = dir.join(".gitignore");
    fs::write(&ignored, "/lake/\n/tokens.toml\n").with_context(|| format!("cannot write {}", ignored.display()))?;
    let settings = dir.join(FILE_NAME);
    fs::write(&settings, template()).with_context(|| format!("cannot write {}", settings.display()))?;
    if !session.global.quiet {
        note(&format!("created the project {}", dir.display()));
        note("next: read its README.md, declare a table and a pipeline, then run");
        note(&format!("  xiangyun check --project {0}\n  xiangyun load --project {0}", dir.display()));
    }
    Ok(())
}

/// Whether a folder holds nothing.
pub(super) fn is_empty(dir: &Path) -> anyhow::Result<bool> {
    let mut entries = fs::read_dir(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    Ok(entries.next().is_none())
}
