//! Every setting there is: the one list from which the file's keys, the environment variables, the documents and the
//! template of `xiangyun init` are made.

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number, at least this.
    Count {
        /// The least value.
        least: u64,
    },
    /// `address:port`.
    Address,
    /// A file; relative to the project in the file, to the working folder elsewhere.
    Path,
    /// A number from 0 to 1.
    Ratio,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Table of `xiangyun.toml`.
    pub(crate) section: &'static str,
    /// Key in that table.
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) kind: Kind,
    /// The default as documents show it; none where the setting is unset by default.
    pub(crate) default: Option<&'static str>,
    /// An example for the template, in TOML.
    pub(crate) example: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
    /// Never printed, never taken from a flag.
    pub(crate) secret: bool,
    /// A variable that other software reads too; it counts where nothing else says.
    pub(crate) shared_variable: Option<&'static str>,
}

impl Key {
    /// `section.name`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that overrides it, as in `XIANGYUN_STORAGE_URL`.
    pub(crate) fn variable(&self) -> String {
        format!("XIANGYUN_{}_{}", self.section, self.name).to_ascii_uppercase()
    }
}

const PLAIN: Key = Key {
    section: "",
    name: "",
    kind: Kind::Text,
    default: None,
    example: "",
    doc: "",
    secret: false,
    shared_variable: None,
};

pub(crate) static STORAGE_URL: Key = Key {
    section: "storage",
    name: "url",
    default: Some("the folder `lake` of the project"),
    example: "\"file:///srv/lake\"",
    doc: "Where the lake is: `file:///folder` or `s3://bucket/prefix`.",
    ..PLAIN
};
pub(crate) static STORAGE_ENDPOINT: Key = Key {
    section: "storage",
    name: "endpoint",
    example: "\"https://s3.example.gov.cn\"",
    doc: "Endpoint of an S3-compatible store that is not the provider's own.",
    ..PLAIN
};
pub(crate) static STORAGE_REGION: Key =
    Key { section: "storage", name: "region", example: "\"cn-north-1\"", doc: "S3 region.", ..PLAIN };
pub(crate) static STORAGE_ACCESS_KEY_ID: Key = Key {
    section: "storage",
    name: "access_key_id",
    example: "\"...\"",
    doc: "S3 access key id.",
    secret: true,
    ..PLAIN
};
pub(crate) static STORAGE_SECRET_ACCESS_KEY: Key = Key {
    section: "storage",
    name: "secret_access_key",
    example: "\"...\"",
    doc: "S3 secret access key. Better set by the environment than written into a file.",
    secret: true,
    ..PLAIN
};
pub(crate) static STORAGE_ALLOW_HTTP: Key = Key {
    section: "storage",
    name: "allow_http",
    kind: Kind::Flag,
    default: Some("false"),
    example: "true",
    doc: "Allow an endpoint without TLS, inside a closed network.",
    ..PLAIN
};
pub(crate) static SERVER_LISTEN: Key = Key {
    section: "server",
    name: "listen",
    kind: Kind::Address,
    default: Some("127.0.0.1:8080"),
    example: "\"127.0.0.1:8080\"",
    doc: "Address and port that `xiangyun serve` listens on. Port 0 takes a free one.",
    ..PLAIN
};
pub(crate) static SERVER_TOKENS: Key = Key {
    section: "server",
    name: "tokens",
    kind: Kind::Path,
    example: "\"tokens.toml\"",
    doc: "File of hashed tokens that names each caller. Without it the server binds loopback addresses only.",
    ..PLAIN
};
pub(crate) static SERVER_QUERY_LOG: Key = Key {
    section: "server",
    name: "query_log",
    kind: Kind::Flag,
    default: Some("true"),
    example: "false",
    doc: "Whether `xiangyun serve` records every query in the lake, to be read as `system.queries`.",
    ..PLAIN
};
pub(crate) static SERVER_JOBS: Key = Key {
    section: "server",
    name: "jobs",
    kind: Kind::Flag,
    default: Some("false"),
    example: "true",
    doc: "Whether `xiangyun serve` works the schedule too, as `xiangyun run` does.",
    ..PLAIN
};
pub(crate) static SERVER_TLS_CERTIFICATE: Key = Key {
    section: "server",
    name: "tls_certificate",
    kind: Kind::Path,
    example: "\"server.pem\"",
    doc: "PEM file of the server's certificate, followed by those that signed it. With `tls_key` the server speaks TLS; \
          without both it speaks plain HTTP. A changed file is read again.",
    ..PLAIN
};
pub(crate) static SERVER_TLS_KEY: Key = Key {
    section: "server",
    name: "tls_key",
    kind: Kind::Path,
    example: "\"server.key\"",
    doc: "PEM file of that certificate's key, without a passphrase.",
    ..PLAIN
};
pub(crate) static SERVER_ACCESS_LOG: Key = Key {
    section: "server",
    name: "access_log",
    example: "\"/var/log/xiangyun/access.log\"",
    doc: "File that gets a line of JSON for each request, or `-` for standard output; relative to the project in the file, \
          to the working folder elsewhere.",
    kind: Kind::Path,
    ..PLAIN
};
pub(crate) static JOBS_PARALLEL: Key = Key {
    section: "jobs",
    name: "parallel",
    kind: Kind::Count { least: 1 },
    default: Some("2"),
    example: "4",
    doc: "Pipelines that run at the same time.",
    ..PLAIN
};
pub(crate) static JOBS_WEBHOOK: Key = Key {
    section: "jobs",
    name: "webhook",
    example: "\"https://chat.example.gov.cn/hooks/loads\"",
    doc: "Address that is told of each run that failed, and of alerts that name no connection, as JSON.",
    ..PLAIN
};
pub(crate) static JOBS_WEBHOOK_TOKEN: Key = Key {
    section: "jobs",
    name: "webhook_token",
    example: "\"...\"",
    doc: "Bearer token for that address.",
    secret: true,
    ..PLAIN
};
pub(crate) static JOBS_OPENLINEAGE: Key = Key {
    section: "jobs",
    name: "openlineage",
    example: "\"https://lineage.example.gov.cn/api/v1/lineage\"",
    doc: "Address of an OpenLineage server that is told of each run as it begins and ends.",
    ..PLAIN
};
pub(crate) static JOBS_OPENLINEAGE_TOKEN: Key = Key {
    section: "jobs",
    name: "openlineage_token",
    example: "\"...\"",
    doc: "Bearer token for that server.",
    secret: true,
    ..PLAIN
};
pub(crate) static MAINTAIN_OPTIMIZE: Key = Key {
    section: "maintain",
    name: "optimize",
    kind: Kind::Flag,
    default: Some("true"),
    example: "false",
    doc: "Whether small files are put together by themselves: in the background of `serve` and `run`, and at the end of \
          `load`. Each table says from how many on.",
    ..PLAIN
};
pub(crate) static LIMITS_MEMORY_BYTES: Key = Key {
    section: "limits",
    name: "memory_bytes",
    kind: Kind::Count { least: 16 << 20 },
    default: Some("2147483648"),
    example: "2147483648",
    doc: "Bytes that the operators of all queries may hold together before they spill or fail.",
    ..PLAIN
};
pub(crate) static LIMITS_TIMEOUT_SECONDS: Key = Key {
    section: "limits",
    name: "timeout_seconds",
    kind: Kind::Count { least: 1 },
    default: Some("300"),
    example: "300",
    doc: "Seconds that one query may take.",
    ..PLAIN
};
pub(crate) static LIMITS_MAX_ROWS: Key = Key {
    section: "limits",
    name: "max_rows",
    kind: Kind::Count { least: 0 },
    default: Some("0"),
    example: "1000000",
    doc: "Rows that one result may have where the request does not say; 0 is no limit.",
    ..PLAIN
};
pub(crate) static LIMITS_TARGET_PARTITIONS: Key = Key {
    section: "limits",
    name: "target_partitions",
    kind: Kind::Count { least: 1 },
    default: Some("the number of processors"),
    example: "4",
    doc: "Partitions that a query runs in.",
    ..PLAIN
};
pub(crate) static LIMITS_SQL_BYTES: Key = Key {
    section: "limits",
    name: "sql_bytes",
    kind: Kind::Count { least: 1024 },
    default: Some("262144"),
    example: "262144",
    doc: "Bytes that one statement may have.",
    ..PLAIN
};
pub(crate) static LIMITS_REQUESTS_PER_SECOND: Key = Key {
    section: "limits",
    name: "requests_per_second",
    kind: Kind::Count { least: 0 },
    default: Some("0"),
    example: "10",
    doc: "Requests to `/v1` that each caller may send a second, on average; 0 is no limit.",
    ..PLAIN
};
pub(crate) static LIMITS_REQUEST_BURST: Key = Key {
    section: "limits",
    name: "request_burst",
    kind: Kind::Count { least: 1 },
    default: Some("50"),
    example: "50",
    doc: "Requests that a caller may send at once before `requests_per_second` holds it back.",
    ..PLAIN
};

/// A limit of which 0 is none.
const fn limit(name: &'static str, default: &'static str, example: &'static str, doc: &'static str) -> Key {
    Key { section: "limits", name, kind: Kind::Count { least: 0 }, default: Some(default), example, doc, ..PLAIN }
}

pub(crate) static LIMITS_DASHBOARD_CONCURRENT: Key = limit(
    "dashboard_concurrent",
    "64",
    "64",
    "Queries of dashboards that run at one time; further ones wait. 0 is no limit, as for all limits of classes.",
);
pub(crate) static LIMITS_DASHBOARD_QUEUED: Key = limit(
    "dashboard_queued",
    "1000",
    "1000",
    "Queries of dashboards that wait for that; further ones are answered 429.",
);
pub(crate) static LIMITS_DASHBOARD_TIMEOUT_SECONDS: Key = limit(
    "dashboard_timeout_seconds",
    "60",
    "60",
    "Seconds that one query of dashboards may take, waiting included, where that is less than `timeout_seconds`.",
);
pub(crate) static LIMITS_DASHBOARD_MEMORY_BYTES: Key = limit(
    "dashboard_memory_bytes",
    "0",
    "536870912",
    "Bytes that the operators of one query of dashboards may hold before they spill or fail.",
);
pub(crate) static LIMITS_DASHBOARD_SCAN_BYTES: Key =
    limit("dashboard_scan_bytes", "0", "10737418240", "Bytes that one query of dashboards may read from files.");
pub(crate) static LIMITS_DASHBOARD_MAX_ROWS: Key = limit(
    "dashboard_max_rows",
    "0",
    "100000",
    "Rows that one result of dashboards may have where the request does not say.",
);
pub(crate) static LIMITS_ANALYST_CONCURRENT: Key = limit(
    "analyst_concurrent",
    "8",
    "8",
    "Queries of analysts that run at one time; further ones wait. 0 is no limit, as for all limits of classes.",
);
pub(crate) static LIMITS_ANALYST_QUEUED: Key =
    limit("analyst_queued", "100", "100", "Queries of analysts that wait for that; further ones are answered 429.");
pub(crate) static LIMITS_ANALYST_TIMEOUT_SECONDS: Key = limit(
    "analyst_timeout_seconds",
    "0",
    "60",
    "Seconds that one query of analysts may take, waiting included, where that is less than `timeout_seconds`.",
);
pub(crate) static LIMITS_ANALYST_MEMORY_BYTES: Key = limit(
    "analyst_memory_bytes",
    "0",
    "536870912",
    "Bytes that the operators of one query of analysts may hold before they spill or fail.",
);
pub(crate) static LIMITS_ANALYST_SCAN_BYTES: Key =
    limit("analyst_scan_bytes", "0", "10737418240", "Bytes that one query of analysts may read from files.");
pub(crate) static LIMITS_ANALYST_MAX_ROWS: Key = limit(
    "analyst_max_rows",
    "0",
    "100000",
    "Rows that one result of analysts may have where the request does not say.",
);
pub(crate) static LIMITS_RESULT_BYTES: Key =
    limit("result_bytes", "4294967296", "4294967296", "Bytes on disk of one result of an asynchronous query.");
pub(crate) static LIMITS_RESULTS_BYTES: Key =
    limit("results_bytes", "34359738368", "34359738368", "Bytes on disk of all such results together.");
pub(crate) static LIMITS_RESULT_LEASE_SECONDS: Key = Key {
    kind: Kind::Count { least: 1 },
    ..limit(
        "result_lease_seconds",
        "300",
        "300",
        "Seconds after which an asynchronous query that nobody asks about is cancelled.",
    )
};
pub(crate) static LIMITS_RESULT_RETENTION_SECONDS: Key = Key {
    kind: Kind::Count { least: 1 },
    ..limit(
        "result_retention_seconds",
        "600",
        "3600",
        "Seconds after which the result of an asynchronous query that nobody reads is removed.",
    )
};
pub(crate) static LIMITS_CACHE_BYTES: Key = limit(
    "cache_bytes",
    "268435456",
    "268435456",
    "Bytes of small results that are kept in memory for those who ask the same; 0 keeps none.",
);
pub(crate) static TELEMETRY_OTLP_ENDPOINT: Key = Key {
    section: "telemetry",
    name: "otlp_endpoint",
    example: "\"http://127.0.0.1:4318\"",
    doc: "Collector that `serve`, `run` and `load` send traces to, by OTLP over HTTP in protobuf; `/v1/traces` is added to the \
          address. Nothing is traced where it is unset.",
    shared_variable: Some("OTEL_EXPORTER_OTLP_ENDPOINT"),
    ..PLAIN
};
pub(crate) static TELEMETRY_OTLP_HEADERS: Key = Key {
    section: "telemetry",
    name: "otlp_headers",
    example: "\"authorization=Bearer ...\"",
    doc: "Headers that the collector wants, as `name=value`, with commas between several.",
    secret: true,
    ..PLAIN
};
pub(crate) static TELEMETRY_OTLP_SAMPLE_RATIO: Key = Key {
    section: "telemetry",
    name: "otlp_sample_ratio",
    kind: Kind::Ratio,
    default: Some("1"),
    example: "0.1",
    doc: "Part of the traces that are sent, where the caller's `traceparent` does not say.",
    ..PLAIN
};
pub(crate) static TELEMETRY_SERVICE_NAME: Key = Key {
    section: "telemetry",
    name: "service_name",
    default: Some("xiangyun"),
    example: "\"xiangyun-jilin\"",
    doc: "Name that traces are sent under.",
    shared_variable: Some("OTEL_SERVICE_NAME"),
    ..PLAIN
};

/// The list, in the order of the documents.
pub(crate) static KEYS: [&Key; 47] = [
    &STORAGE_URL,
    &STORAGE_ENDPOINT,
    &STORAGE_REGION,
    &STORAGE_ACCESS_KEY_ID,
    &STORAGE_SECRET_ACCESS_KEY,
    &STORAGE_ALLOW_HTTP,
    &SERVER_LISTEN,
    &SERVER_TOKENS,
    &SERVER_QUERY_LOG,
    &SERVER_JOBS,
    &SERVER_TLS_CERTIFICATE,
    &SERVER_TLS_KEY,
    &SERVER_ACCESS_LOG,
    &JOBS_PARALLEL,
    &JOBS_WEBHOOK,
    &JOBS_WEBHOOK_TOKEN,
    &JOBS_OPENLINEAGE,
    &JOBS_OPENLINEAGE_TOKEN,
    &MAINTAIN_OPTIMIZE,
    &LIMITS_MEMORY_BYTES,
    &LIMITS_TIMEOUT_SECONDS,
    &LIMITS_MAX_ROWS,
    &LIMITS_TARGET_PARTITIONS,
    &LIMITS_SQL_BYTES,
    &LIMITS_DASHBOARD_CONCURRENT,
    &LIMITS_DASHBOARD_QUEUED,
    &LIMITS_DASHBOARD_TIMEOUT_SECONDS,
    &LIMITS_DASHBOARD_MEMORY_BYTES,
    &LIMITS_DASHBOARD_SCAN_BYTES,
    &LIMITS_DASHBOARD_MAX_ROWS,
    &LIMITS_ANALYST_CONCURRENT,
    &LIMITS_ANALYST_QUEUED,
    &LIMITS_ANALYST_TIMEOUT_SECONDS,
    &LIMITS_ANALYST_MEMORY_BYTES,
    &LIMITS_ANALYST_SCAN_BYTES,
    &LIMITS_ANALYST_MAX_ROWS,
    &LIMITS_RESULT_BYTES,
    &LIMITS_RESULTS_BYTES,
    &LIMITS_RESULT_LEASE_SECONDS,
    &LIMITS_RESULT_RETENTION_SECONDS,
    &LIMITS_CACHE_BYTES,
    &LIMITS_REQUESTS_PER_SECOND,
    &LIMITS_REQUEST_BURST,
    &TELEMETRY_OTLP_ENDPOINT,
    &TELEMETRY_OTLP_HEADERS,
    &TELEMETRY_OTLP_SAMPLE_RATIO,
    &TELEMETRY_SERVICE_NAME,
];

/// What a section is about.
pub(crate) static SECTIONS: [(&str, &str); 6] = [
    ("storage", "Where the lake is and how to reach it."),
    ("server", "The HTTP server."),
    ("jobs", "Runs of pipelines: on schedule, and who is told of them."),
    ("maintain", "What is done for tables without being asked."),
    ("limits", "What one query, and all of them together, may use."),
    ("telemetry", "Traces of requests and runs, for OpenTelemetry."),
];

/// The setting called `path`, as in `limits.max_rows`.
pub(crate) fn key(path: &str) -> Option<&'static Key> {
    KEYS.into_iter().find(|key| key.path() == path)
}

/// Environment variables that are no settings: variable and meaning.
pub(crate) static OTHER_VARIABLES: [(&str, &str); 7] = [
    ("XIANGYUN_PROJECT", "The project's folder, where `--project` does not say."),
    ("XIANGYUN_LOG", "What is logged to standard error, as in `info` or `xiangyun_ingest=debug`; `warn` unless set."),
    ("XIANGYUN_SECRET_…", "Secrets of connections, under the names that their files give."),
    ("NO_COLOR", "Any value: no colours."),
    ("OTEL_SDK_DISABLED", "`true`: nothing is traced, whatever else says so."),
    ("OTEL_EXPORTER_OTLP_HEADERS", "Headers for the collector, beside those of `telemetry.otlp_headers`."),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        "Attributes of the process that every trace carries, as in `deployment.environment.name=test`.",
    ),
];
