//! A project in a temporary folder, and the binary run over it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as text.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub(crate) fn ok(&self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout()
    }

    /// Standard error of a run that must have ended with `code`.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", String::from_utf8_lossy(&self.bytes), self.stderr);
        &self.stderr
    }
}

/// The binary without any of our variables, and without those of OpenTelemetry.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xiangyun"));
    for (name, _) in std::env::vars_os() {
        if ["XIANGYUN_", "OTEL_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        bytes: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A project of one table of permit decisions, its pipeline, a metric and four rows of which one is bad.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// The files, nothing loaded.
    pub(crate) fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("xiangyun.toml", "version = 1\n[limits]\ntimeout_seconds = 60\n");
        project.write("tables/permits.decisions.toml", TABLE);
        project.write("pipelines/decisions.toml", PIPELINE);
        project.write("metrics/permits.toml", METRICS);
        project.write("data/decisions.csv", DATA);
        project
    }

    /// The same, loaded.
    pub(crate) fn loaded() -> Self {
        let project = Self::new();
        project.run(["load"]).ok();
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The binary, to be given more before it runs.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = binary();
        command.current_dir(self.path()).args(args);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        finish(&mut self.command(args))
    }

    /// Runs with a text on standard input.
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Run {
        let mut command = self.command(args);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            bytes: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

const TABLE: &str = r#"
version = 1
name = "permits.decisions"
agency = "某市行政审批局"
title = { zh = "许可决定", en = "Permit decisions" }
description = { zh = "每行一件许可决定", en = "One permit decision a row" }
owner = "permits office"
level = "general-2"
sharing = "unconditional"
primary_key = ["decision_no"]

[[columns]]
name = "decision_no"
type = "text"
title = { zh = "决定编号", en = "Decision number" }

[[columns]]
name = "filed_on"
type = "date"

[[columns]]
name = "fee"
type = "decimal(38,6)"
unit = "CNY"

[[columns]]
name = "channel"
type = "text"
"#;

const PIPELINE: &str = r#"
version = 1
name = "decisions"
table = "permits.decisions"
source = { kind = "csv", path = "data/decisions.csv" }
columns = { decision_no = "决定编号", filed_on = "受理日期", fee = "费用", channel = "渠道" }
mode = "replace"
"#;

const METRICS: &str = r#"
version = 1
table = "permits.decisions"
time_dimension = "filed_on"

[dimensions.channel]
title = { zh = "渠道", en = "Channel" }

[measures.cases]
expr = "count(*)"

[measures.fees]
expr = "sum(fee)"

[metrics.decisions]
type = "simple"
measure = "cases"
title = { zh = "许可决定数", en = "Permit decisions" }
description = { zh = "许可决定的件数", en = "Number of permit decisions" }
unit = "件"
owner = "permits office"

[metrics.fees]
type = "simple"
measure = "fees"
title = { zh = "费用", en = "Fees" }
description = { zh = "收取的费用", en = "Fees charged" }
unit = "CNY"
owner = "permits office"
"#;

/// Four rows; the third has no date where one must be.
const DATA: &str = "决定编号,受理日期,费用,渠道\n001,2019-03-26,12.5,online\n002,2019-03-27,9007199254740993.25,window\n\
                    003,not a day,1,online\n004,2019-04-01,0,online\n";
