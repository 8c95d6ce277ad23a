//! A project with one table of trades, loaded into a lake below it, and the server over it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::daemon::{Daemon, address_in};
use super::rows;
use crate::report;

/// The table.
pub(super) const TABLE: &str = "bench.trades";

/// Tokens of the callers. They guard nothing: the lake goes with the run.
pub(super) const DASHBOARD: &str = "bench-dashboard";
pub(super) const ANALYST: &str = "bench-analyst";
pub(super) const OPERATOR: &str = "bench-operator";

/// Small files stay as they were loaded, and queries are not recorded: nothing but requests takes time.
const SETTINGS: &str = r#"version = 1

[server]
tokens = "tokens.toml"
query_log = false

[maintain]
optimize = false
"#;

const CONTRACT: &str = r#"version = 1
name = "bench.trades"
agency = "bench"
title = { zh = "交易", en = "Trades" }
description = { zh = "交易", en = "Trades" }
synthetic = true
owner = "bench"
level = "general-1"
sharing = "unconditional"
"#;

const PIPELINE: &str = r#"version = 1
name = "trades"
table = "bench.trades"
mode = "replace"
duplicates = "keep"
source = { kind = "parquet", path = "data" }
"#;

const MODEL: &str = r#"version = 1
table = "bench.trades"
time_dimension = "day"

[dimensions]
region = { title = { zh = "地区", en = "Region" } }
channel = { title = { zh = "渠道", en = "Channel" } }

[measures]
amount = { expr = "sum(amount)" }

[metrics.amount]
title = { zh = "交易额", en = "Amount" }
description = { zh = "交易额合计。", en = "Sum of the trades." }
unit = "CNY"
owner = "bench"
type = "simple"
measure = "amount"
"#;

/// As `docs/metrics.md` declares one.
const ROLLUP: &str = r#"
[rollups.amount_by_day]
dimensions = ["region", "channel"]
grain = "day"
metrics = ["amount"]
"#;

/// The project on disk.
#[derive(Debug)]
pub(super) struct Site {
    folder: TempDir,
    binary: PathBuf,
    /// The files that were loaded.
    pub(super) sources: Vec<PathBuf>,
    /// The table's rows.
    pub(super) rows: u64,
}

impl Site {
    /// Makes `rows` rows and loads them with `binary`.
    pub(super) fn load(binary: &Path, rows: u64, with_rollup: bool) -> Result<Self> {
        report::progress(&format!("making and loading {rows} rows"));
        let binary = std::path::absolute(binary)?;
        let folder = tempfile::tempdir()?;
        let sources = rows::write(&folder.path().join("data"), rows)?;
        let site = Self { folder, binary, sources, rows };
        site.declare(with_rollup)?;
        site.run(&["load", "trades"])?;
        if with_rollup {
            site.run(&["rollup", "refresh"])?;
        }
        Ok(site)
    }

    /// The project's folder.
    pub(super) fn project(&self) -> &Path {
        self.folder.path()
    }

    /// A pattern of the table's files, for peers that read them.
    pub(super) fn files(&self) -> String {
        self.project().join("lake/bench/trades/**/*.parquet").display().to_string()
    }

    /// The folder of the server's temporary files.
    pub(super) fn scratch(&self) -> PathBuf {
        self.project().join("scratch")
    }

    /// Starts the server on a free port, with settings beyond the usual ones, as `limits.cache_bytes=0`.
    pub(super) fn serve(&self, settings: &[&str]) -> Result<Daemon> {
        let mut command = self.command();
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let name = self.binary.display().to_string();
        Daemon::start(&name, &mut command, address_in)
            .with_context(|| "`--binary` names the server, which `cargo build --release --workspace` builds")
    }

    fn declare(&self, with_rollup: bool) -> Result<()> {
        let project = self.project();
        let mut contract = CONTRACT.to_owned();
        for (name, kind) in rows::COLUMNS {
            write!(contract, "\n[[columns]]\nname = \"{name}\"\ntype = \"{kind}\"\n")?;
        }
        let mut tokens = String::from("version = 1\n");
        for (token, class) in [(DASHBOARD, "dashboard"), (ANALYST, "analyst"), (OPERATOR, "operator")] {
            let hash = Sha256::digest(token).iter().fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
            write!(
                tokens,
                "\n[[tokens]]\nname = \"{class}\"\nagency = \"*\"\nclass = \"{class}\"\nsha256 = \"{hash}\"\n"
            )?;
        }
        let model = format!("{MODEL}{}", if with_rollup { ROLLUP } else { "" });
        for (path, text) in [
            ("xiangyun.toml", SETTINGS),
            ("tokens.toml", &tokens),
            ("tables/bench.trades.toml", &contract),
            ("pipelines/trades.toml", PIPELINE),
            ("metrics/trades.toml", &model),
        ] {
            let path = project.join(path);
            std::fs::create_dir_all(path.parent().context("a file has no folder")?)?;
            std::fs::write(path, text)?;
        }
        std::fs::create_dir_all(self.scratch())?;
        Ok(())
    }

    /// The binary over this project. Its temporary files lie in a folder of its own, where they can be counted.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--project").arg(self.project()).env("TMPDIR", self.scratch());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let done = self.command().arg("--quiet").args(arguments).stdin(Stdio::null()).output();
        let done = done.with_context(|| format!("cannot run {}", self.binary.display()))?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "`xiangyun {}` failed:\n{said}", arguments.join(" "));
        Ok(())
    }
}
