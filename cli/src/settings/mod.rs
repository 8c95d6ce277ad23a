//! Settings: flags > environment > `xiangyun.toml` > defaults, resolved once, each with its origin.

mod documents;
mod file;
mod keys;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use xiangyun_engine::project::{Diagnostics, nearest};
use xiangyun_engine::query::{ClassLimits, KeptLimits, Limits};
use xiangyun_engine::storage::StorageOptions;
use xiangyun_engine::{Error, ErrorKind};
use xiangyun_ingest::connection::{SECRET_PREFIX, SecretText, Secrets};

pub(crate) use documents::template;
pub(crate) use keys::{KEYS, Key, SERVER_LISTEN};
pub(crate) use value::{Origin, Value};

use crate::report::Faults;

/// The file that marks a project's root and holds its settings.
pub(crate) const FILE_NAME: &str = "xiangyun.toml";

/// What stands for standard output in place of a file.
const STANDARD_OUTPUT: &str = "-";

/// Where a log goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Standard output.
    StandardOutput,
    /// The end of a file.
    File(PathBuf),
}

/// Variables of others that are no settings.
const OTHER_READ: [&str; 4] = ["NO_COLOR", "HOME", "XDG_STATE_HOME", "OTEL_SDK_DISABLED"];

/// Where traces go, as it was given.
#[derive(Debug)]
pub(crate) struct Otlp {
    /// The collector.
    pub(crate) endpoint: String,
    /// What named it.
    pub(crate) origin: Origin,
    /// Its headers.
    pub(crate) headers: Option<SecretText>,
    /// Part of the traces that are sent.
    pub(crate) sample_ratio: f64,
    /// Who sends them.
    pub(crate) service_name: String,
}

/// What is shown in place of a secret.
const MASK: &str = "********";

/// The process's environment as far as it concerns us: the only place that reads it.
#[derive(Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's variables. An empty variable counts as unset.
    pub(crate) fn of_process() -> Self {
        let ours = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = ours.filter(|(name, value)| {
            let is_shared = || KEYS.iter().any(|key| key.shared_variable == Some(name.as_str()));
            let is_ours = name.starts_with("XIANGYUN_") || OTHER_READ.contains(&name.as_str()) || is_shared();
            is_ours && !value.is_empty()
        });
        Self(ours.map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect())
    }

    /// The variables that connections may read.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(self.0.clone())
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Variables that look like a slip of a setting's, each with the one that was probably meant.
    pub(crate) fn slips(&self) -> Vec<(&str, String)> {
        let known: Vec<String> = KEYS.iter().map(|key| key.variable()).collect();
        let other = keys::OTHER_VARIABLES.map(|(name, _)| name);
        let unknown = self.0.keys().filter(|name| name.starts_with("XIANGYUN_") && !name.starts_with(SECRET_PREFIX));
        let unknown = unknown.filter(|name| !known.contains(name) && !other.contains(&name.as_str()));
        unknown
            .filter_map(|name| Some((name.as_str(), nearest(name, known.iter().map(String::as_str))?.to_owned())))
            .collect()
    }
}

/// One resolved setting.
pub(crate) struct Setting {
    pub(crate) key: &'static Key,
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
}

impl Setting {
    /// The value as it may be shown.
    pub(crate) fn shown(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(if self.key.secret { MASK.into() } else { value.to_string() })
    }
}

impl fmt::Debug for Setting {
    /// A secret stays one in logs and failed tests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {:?} ({})", self.key.path(), self.shown(), self.origin)
    }
}

/// All settings of one project, in the order of the list.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The project's folder, absolute.
    pub(crate) root: PathBuf,
    entries: Vec<Setting>,
}

/// Values given by flags, each with the flag's name.
pub(crate) type Flags = Vec<(&'static Key, &'static str, String)>;

/// Finds the project: `--project`, else `XIANGYUN_PROJECT`, else the nearest folder upwards that has `xiangyun.toml`.
pub(crate) fn find_project(flag: Option<&Path>, environment: &Environment) -> anyhow::Result<PathBuf> {
    let named = flag.map(Path::to_path_buf).or_else(|| environment.get("XIANGYUN_PROJECT").map(PathBuf::from));
    if let Some(folder) = named {
        let absolute = folder.canonicalize().with_context(|| format!("cannot open the folder {}", folder.display()))?;
        return match absolute.join(FILE_NAME).is_file() {
            true => Ok(absolute),
            false => Err(Error::new(ErrorKind::InvalidInput, format!("{} has no {FILE_NAME}", folder.display()))
                .with_hint(format!("`xiangyun init {}` makes it a project", folder.display()))
                .into()),
        };
    }
    let here = std::env::current_dir().context("cannot tell the working folder")?;
    let found = here.ancestors().find(|folder| folder.join(FILE_NAME).is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, format!("no {FILE_NAME} in this folder or any above it"))
            .with_hint("name the project by `--project DIR`, or make one by `xiangyun init DIR`")
            .into()
    })
}

impl Settings {
    /// Resolves every setting of the project at `root`, or fails with all faults of its file.
    pub(crate) fn resolve(root: PathBuf, environment: &Environment, flags: &Flags) -> anyhow::Result<Self> {
        let mut diagnostics = Diagnostics::default();
        let file = file::read(&root, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(Faults::new(diagnostics).into());
        }
        Self::layer(root, &file, environment, flags)
    }

    /// The faults of the project's `xiangyun.toml` alone.
    pub(crate) fn check_file(root: &Path, diagnostics: &mut Diagnostics) {
        file::read(root, diagnostics);
    }

    fn layer(
        root: PathBuf,
        file: &file::FileSettings,
        environment: &Environment,
        flags: &Flags,
    ) -> anyhow::Result<Self> {
        let mut entries = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let flag = flags.iter().rev().find(|(of, ..)| std::ptr::eq(*of, key));
            let variable = key.variable();
            let (value, origin) = if let Some((_, name, text)) = flag {
                (Some(parse(key, text, name)?), Origin::Flag(name))
            } else if let Some(text) = environment.get(&variable) {
                (Some(parse(key, text, &variable)?), Origin::Environment(variable))
            } else if let Some((_, value, line)) = file.0.iter().find(|(of, ..)| std::ptr::eq(*of, key)) {
                (Some(within_project(key, value, &root)), Origin::File { line: *line })
            } else if let Some((variable, text)) =
                key.shared_variable.and_then(|name| Some((name, environment.get(name)?)))
            {
                (Some(parse(key, text, variable)?), Origin::Environment(variable.to_owned()))
            } else {
                (default_of(key, &root)?, Origin::Default)
            };
            entries.push(Setting { key, value, origin });
        }
        Ok(Self { root, entries })
    }

    /// All of them.
    pub(crate) fn entries(&self) -> &[Setting] {
        &self.entries
    }

    /// How to reach the lake.
    pub(crate) fn storage(&self) -> StorageOptions {
        StorageOptions {
            url: self.text(&keys::STORAGE_URL).unwrap_or_default(),
            endpoint: self.text(&keys::STORAGE_ENDPOINT),
            region: self.text(&keys::STORAGE_REGION),
            access_key_id: self.text(&keys::STORAGE_ACCESS_KEY_ID),
            secret_access_key: self.text(&keys::STORAGE_SECRET_ACCESS_KEY),
            allow_http: matches!(self.value(&keys::STORAGE_ALLOW_HTTP), Some(Value::Flag(true))),
        }
    }

    /// Limits of queries.
    pub(crate) fn limits(&self) -> Limits {
        let count = |key| match self.value(key) {
            Some(Value::Count(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
            _ => 0,
        };
        let defaults = Limits::default();
        Limits {
            memory_bytes: count(&keys::LIMITS_MEMORY_BYTES),
            target_partitions: count(&keys::LIMITS_TARGET_PARTITIONS),
            timeout: Duration::from_secs(count(&keys::LIMITS_TIMEOUT_SECONDS) as u64),
            sql_bytes: count(&keys::LIMITS_SQL_BYTES),
            max_rows: count(&keys::LIMITS_MAX_ROWS),
            dashboard: ClassLimits {
                concurrent: count(&keys::LIMITS_DASHBOARD_CONCURRENT),
                queued: count(&keys::LIMITS_DASHBOARD_QUEUED),
                timeout: Duration::from_secs(count(&keys::LIMITS_DASHBOARD_TIMEOUT_SECONDS) as u64),
                memory_bytes: count(&keys::LIMITS_DASHBOARD_MEMORY_BYTES),
                scan_bytes: count(&keys::LIMITS_DASHBOARD_SCAN_BYTES) as u64,
                max_rows: count(&keys::LIMITS_DASHBOARD_MAX_ROWS),
            },
            analyst: ClassLimits {
                concurrent: count(&keys::LIMITS_ANALYST_CONCURRENT),
                queued: count(&keys::LIMITS_ANALYST_QUEUED),
                timeout: Duration::from_secs(count(&keys::LIMITS_ANALYST_TIMEOUT_SECONDS) as u64),
                memory_bytes: count(&keys::LIMITS_ANALYST_MEMORY_BYTES),
                scan_bytes: count(&keys::LIMITS_ANALYST_SCAN_BYTES) as u64,
                max_rows: count(&keys::LIMITS_ANALYST_MAX_ROWS),
            },
            kept: KeptLimits {
                result_bytes: count(&keys::LIMITS_RESULT_BYTES) as u64,
                total_bytes: count(&keys::LIMITS_RESULTS_BYTES) as u64,
                lease: Duration::from_secs(count(&keys::LIMITS_RESULT_LEASE_SECONDS) as u64),
                retention: Duration::from_secs(count(&keys::LIMITS_RESULT_RETENTION_SECONDS) as u64),
            },
            cache_bytes: count(&keys::LIMITS_CACHE_BYTES) as u64,
            ..defaults
        }
    }

    /// Where the server listens.
    pub(crate) fn listen(&self) -> anyhow::Result<SocketAddr> {
        let text = self.text(&keys::SERVER_LISTEN).unwrap_or_default();
        text.parse().with_context(|| format!("`{text}` is not an address and port"))
    }

    /// The file of tokens.
    pub(crate) fn tokens(&self) -> Option<PathBuf> {
        self.text(&keys::SERVER_TOKENS).map(PathBuf::from)
    }

    /// The files of certificate and key; both or none.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
        let file = |key| self.text(key).map(PathBuf::from);
        let missing = match (file(&keys::SERVER_TLS_CERTIFICATE), file(&keys::SERVER_TLS_KEY)) {
            (Some(certificate), Some(key)) => return Ok(Some((certificate, key))),
            (None, None) => return Ok(None),
            (Some(_), None) => &keys::SERVER_TLS_KEY,
            (None, Some(_)) => &keys::SERVER_TLS_CERTIFICATE,
        };
        let message = format!("TLS needs a certificate and its key, and `{}` is not set", missing.path());
        Err(Error::new(ErrorKind::InvalidInput, message).with_hint("set both of them, or none for plain HTTP").into())
    }

    /// Where a line of each request goes.
    pub(crate) fn access_log(&self) -> Option<LogTarget> {
        Some(match self.text(&keys::SERVER_ACCESS_LOG)?.as_str() {
            STANDARD_OUTPUT => LogTarget::StandardOutput,
            path => LogTarget::File(path.into()),
        })
    }

    /// Requests that a caller may send a second, and at once.
    pub(crate) fn request_rate(&self) -> (u32, NonZeroU32) {
        let count = |key| match self.value(key) {
            Some(Value::Count(number)) => u32::try_from(*number).unwrap_or(u32::MAX),
            _ => 0,
        };
        let burst = NonZeroU32::new(count(&keys::LIMITS_REQUEST_BURST)).unwrap_or(NonZeroU32::MIN);
        (count(&keys::LIMITS_REQUESTS_PER_SECOND), burst)
    }

    /// Whether the server records queries in the lake.
    pub(crate) fn logs_queries(&self) -> bool {
        matches!(self.value(&keys::SERVER_QUERY_LOG), Some(Value::Flag(true)))
    }

    /// Whether small files are put together by themselves.
    pub(crate) fn optimizes(&self) -> bool {
        !matches!(self.value(&keys::MAINTAIN_OPTIMIZE), Some(Value::Flag(false)))
    }

    /// Whether the server works the schedule.
    pub(crate) fn serves_jobs(&self) -> bool {
        matches!(self.value(&keys::SERVER_JOBS), Some(Value::Flag(true)))
    }

    /// Pipelines that run at the same time.
    pub(crate) fn parallel_jobs(&self) -> usize {
        match self.value(&keys::JOBS_PARALLEL) {
            Some(Value::Count(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
            _ => 1,
        }
    }

    /// Where failed runs are told of: the address and the token.
    pub(crate) fn webhook(&self) -> Option<(String, Option<SecretText>)> {
        let token = self.text(&keys::JOBS_WEBHOOK_TOKEN).map(SecretText::new);
        Some((self.text(&keys::JOBS_WEBHOOK)?, token))
    }

    /// Where all runs are told of: the address and the token.
    pub(crate) fn open_lineage(&self) -> Option<(String, Option<SecretText>)> {
        let token = self.text(&keys::JOBS_OPENLINEAGE_TOKEN).map(SecretText::new);
        Some((self.text(&keys::JOBS_OPENLINEAGE)?, token))
    }

    /// Where traces go; nowhere unless a collector is named.
    pub(crate) fn otlp(&self, environment: &Environment) -> Option<Otlp> {
        if environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let entry = self.entries.iter().find(|entry| std::ptr::eq(entry.key, &keys::TELEMETRY_OTLP_ENDPOINT))?;
        Some(Otlp {
            endpoint: entry.value.as_ref()?.to_string(),
            origin: entry.origin.clone(),
            headers: self.text(&keys::TELEMETRY_OTLP_HEADERS).map(SecretText::new),
            // A ratio was checked when it was read.
            sample_ratio: self
                .text(&keys::TELEMETRY_OTLP_SAMPLE_RATIO)
                .and_then(|text| text.parse().ok())
                .unwrap_or(1.0),
            service_name: self.text(&keys::TELEMETRY_SERVICE_NAME).unwrap_or_default(),
        })
    }

    fn value(&self, key: &Key) -> Option<&Value> {
        self.entries.iter().find(|entry| std::ptr::eq(entry.key, key))?.value.as_ref()
    }

    fn text(&self, key: &Key) -> Option<String> {
        self.value(key).map(Value::to_string)
    }
}

/// The setting called `path`, for `--set`; secrets are refused there, other processes see command lines.
pub(crate) fn settable(path: &str) -> anyhow::Result<&'static Key> {
    let Some(key) = keys::key(path) else {
        let names: Vec<String> = KEYS.iter().map(|key| key.path()).collect();
        let mut message = format!("unknown setting `{path}`");
        if let Some(near) = nearest(path, names.iter().map(String::as_str)) {
            message.push_str(&format!(", did you mean `{near}`?"));
        }
        let hint = format!("known settings: {}", names.join(", "));
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint).into());
    };
    if key.secret {
        let message = format!("`{path}` is a secret and is not taken from the command line, where others can read it");
        let hint = format!("set the environment variable {}", key.variable());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(hint).into());
    }
    Ok(key)
}

fn parse(key: &Key, text: &str, origin: &str) -> anyhow::Result<Value> {
    key.parse(text).map_err(|message| {
        Error::new(ErrorKind::InvalidInput, format!("{origin}: {message}")).with_hint(key.doc.to_owned()).into()
    })
}

/// A relative path in the project's file starts at the project's folder.
fn within_project(key: &Key, value: &Value, root: &Path) -> Value {
    match (key.kind, value) {
        (keys::Kind::Path, Value::Text(path)) if path != STANDARD_OUTPUT => {
            Value::Text(root.join(path).to_string_lossy().into_owned())
        }
        _ => value.clone(),
    }
}

fn default_of(key: &Key, root: &Path) -> anyhow::Result<Option<Value>> {
    if std::ptr::eq(key, &keys::STORAGE_URL) {
        let url = url::Url::from_file_path(root.join("lake"))
            .map_err(|()| anyhow!("the folder {} has no file URL", root.display()))?;
        return Ok(Some(Value::Text(url.into())));
    }
    if std::ptr::eq(key, &keys::LIMITS_TARGET_PARTITIONS) {
        return Ok(Some(Value::Count(Limits::default().target_partitions as u64)));
    }
    key.default.map(|text| parse(key, text, &key.path())).transpose()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
