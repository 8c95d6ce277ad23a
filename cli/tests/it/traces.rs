//! Traces by OTLP, from the binary to a collector.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::collector::{Collector, PATIENCE, Span};
use crate::support::{Project, finish};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const SUM: &str = "/v1/query?sql=select+sum(fee)+as+secret_word+from+permits.decisions";

/// A server that does not outlive its test.
struct Server {
    process: Child,
    address: String,
    told: std::thread::JoinHandle<Vec<String>>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = told.find_map(|line| line.split_once("listens on http://").map(|(_, rest)| rest.to_owned()));
        let told = std::thread::spawn(move || told.collect());
        Self { process, address: address.unwrap(), told }
    }

    /// Asks; `headers` are lines.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (address, length) = (&self.address, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}");
        write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.ask("GET", path, headers, "")
    }

    /// Tells it to end, and waits until it has; its messages.
    fn end(mut self) -> Vec<String> {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success());
        let done = std::thread::spawn(Vec::new);
        std::mem::replace(&mut self.told, done).join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn serve(project: &Project, endpoint: &str) -> Command {
    let mut command = project.command(["serve", "--listen", "127.0.0.1:0"]);
    command.args(["--set", &format!("telemetry.otlp_endpoint={endpoint}")]);
    command
}

fn traceparent(trace: &str, flags: &str) -> String {
    format!("traceparent: 00-{trace}-{CALLER}-{flags}\r\n")
}

/// The only span that is called `name` below `parent`.
#[track_caller]
fn child<'a>(spans: &'a [Span], parent: &Span, name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.parent == parent.id && span.name == name).collect();
    assert_eq!(found.len(), 1, "`{name}` below {parent:#?} among {spans:#?}");
    assert_eq!(found[0].trace, parent.trace);
    found[0]
}

fn requests<'a>(spans: &'a [Span], trace: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.trace == trace && span.kind == 2).collect()
}

#[test]
fn a_query_is_spans_below_its_caller_and_they_tell_no_sql() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let log = project.path().join("access.log");
    let mut command = serve(&project, &collector.url);
    command.args(["--set", &format!("server.access_log={}", log.display()), "--set", "telemetry.service_name=省厅"]);
    command.env("XIANGYUN_TELEMETRY_OTLP_HEADERS", "authorization=Bearer hunter2");
    command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    let server = Server::start(&mut command);
    let caller = traceparent(TRACE, "01");
    let answer = server.get(SUM, &caller);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let again = server.get(&format!("{SUM}&format=csv"), &traceparent(&TRACE.replace('4', "5"), "01"));
    assert!(again.starts_with("HTTP/1.1 200") && again.contains("cache-status: xiangyun; hit"), "{again}");
    let told = server.end();
    assert!(told.iter().all(|line| !line.contains("hunter2")), "{told:?}");
    // Nobody waited for anything: the end has sent the rest.
    let spans = collector.spans();

    let [request] = requests(&spans, TRACE)[..] else { panic!("{spans:#?}") };
    assert_eq!((request.name.as_str(), request.parent.as_str()), ("GET /v1/query", CALLER));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v1/query"),
        ("url.path", "/v1/query"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(request.get(name), value, "{request:#?}");
    }
    assert!(!request.failed && request.get("error.type").is_empty(), "{request:#?}");
    assert!(request.head.contains("\r\nauthorization: bearer hunter2\r\n"), "{}", request.head);
    assert_eq!(request.resource["service.name"], "省厅");
    assert_eq!(request.resource["deployment.environment.name"], "test");

    let query = child(&spans, request, "query");
    let id = query.get("xiangyun.query.id");
    assert!(answer.contains(&format!("x-xiangyun-query-id: {id}\r\n")), "{answer}\n{query:#?}");
    assert_eq!(request.get("xiangyun.query.id"), id);
    for (name, value) in [
        ("xiangyun.principal.class", "operator"),
        ("xiangyun.query.cache", "miss"),
        ("xiangyun.query.rows", "1"),
        ("xiangyun.query.outcome", "succeeded"),
    ] {
        assert_eq!(query.get(name), value, "{query:#?}");
    }
    child(&spans, query, "plan");
    child(&spans, query, "queue");
    let execution = child(&spans, query, "execute");
    assert_eq!(execution.get("xiangyun.query.rows"), "1");
    assert!(execution.get("xiangyun.query.read_bytes").parse::<u64>().unwrap() > 0, "{execution:#?}");
    assert!(execution.nanoseconds <= query.nanoseconds && query.nanoseconds <= request.nanoseconds, "{spans:#?}");

    let [request] = requests(&spans, &TRACE.replace('4', "5"))[..] else { panic!("{spans:#?}") };
    let query = child(&spans, request, "query");
    assert_eq!(query.get("xiangyun.query.cache"), "hit");
    assert!(!spans.iter().any(|span| span.parent == query.id && span.name == "execute"), "{spans:#?}");

    assert!(!format!("{spans:?}").contains("secret_word"), "{spans:#?}");
    let lines = std::fs::read_to_string(log).unwrap();
    assert!(lines.lines().next().unwrap().contains(TRACE), "{lines}");
}

#[test]
fn a_metric_is_compiled_below_its_plan_and_its_reply_given_again_is_a_hit() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let server = Server::start(&mut serve(&project, &collector.url));
    let path = "/v1/metrics/decisions?by=channel";
    let traces = ["1", "2"].map(|digit| TRACE.replace('4', digit));
    for trace in &traces {
        let answer = server.get(path, &traceparent(trace, "01"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.end();
    let spans = collector.spans();
    let [first, again] = traces.map(|trace| {
        let [request] = requests(&spans, &trace)[..] else { panic!("{spans:#?}") };
        assert_eq!(
            (request.get("http.route"), request.get("url.path")),
            ("/v1/metrics/{name}", "/v1/metrics/decisions")
        );
        child(&spans, request, "query")
    });
    let plan = child(&spans, first, "plan");
    assert_eq!(child(&spans, plan, "compile metric").get("xiangyun.metric.name"), "decisions");
    child(&spans, first, "execute");
    assert_eq!((first.get("xiangyun.query.cache"), again.get("xiangyun.query.cache")), ("miss", "hit"));
    assert_eq!((first.get("xiangyun.query.rows"), again.get("xiangyun.query.rows")), ("2", "2"));
    assert!(!spans.iter().any(|span| span.parent == again.id), "{spans:#?}");
}

#[test]
fn a_query_that_fails_says_so_by_its_code_and_a_request_by_its_status() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let server = Server::start(&mut serve(&project, &collector.url));
    let answer = server.get("/v1/query?sql=select+nothing+from+permits.decisions", &traceparent(TRACE, "01"));
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("sql_error"), "{answer}");
    server.end();
    let spans = collector.spans();
    let [request] = requests(&spans, TRACE)[..] else { panic!("{spans:#?}") };
    assert_eq!(request.get("http.response.status_code"), "400");
    assert!(!request.failed, "what a caller does wrong is no failure of the server: {request:#?}");
    let query = child(&spans, request, "query");
    assert!(query.failed, "{query:#?}");
    assert_eq!((query.get("error.type"), query.get("xiangyun.query.outcome")), ("sql_error", "failed"));
    assert!(!format!("{spans:?}").contains("nothing"), "{spans:#?}");
}

#[test]
fn a_caller_decides_for_its_trace_and_the_ratio_for_those_without_one() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let log = project.path().join("access.log");
    let mut command = serve(&project, &collector.url);
    command.args(["--set", "telemetry.otlp_sample_ratio=0", "--set", &format!("server.access_log={}", log.display())]);
    let server = Server::start(&mut command);
    let traces = ["1", "2"].map(|digit| TRACE.replace('4', digit));
    server.get(SUM, &traceparent(&traces[0], "00"));
    server.get(SUM, "");
    server.get(SUM, &traceparent(&traces[1], "01"));
    let counters = server.get("/metrics", "");
    assert!(counters.contains("xiangyun_trace_spans_total{outcome=\"dropped\"} 0\n"), "{counters}");
    server.end();
    let spans = collector.spans();
    assert_eq!(requests(&spans, &traces[1]).len(), 1, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace == traces[1]), "{spans:#?}");
}

#[test]
fn a_request_without_a_caller_is_logged_under_the_trace_that_is_exported() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let log = project.path().join("access.log");
    let mut command = serve(&project, &collector.url);
    command.args(["--set", &format!("server.access_log={}", log.display())]);
    let server = Server::start(&mut command);
    server.get("/healthz", "");
    server.end();
    let line = std::fs::read_to_string(log).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let spans = collector.spans();
    let [request] = requests(&spans, line["trace_id"].as_str().unwrap())[..] else { panic!("{line} {spans:#?}") };
    assert_eq!((request.name.as_str(), request.parent.as_str()), ("GET /healthz", ""));
    assert_eq!(request.get("xiangyun.request.id"), line["request_id"].as_str().unwrap());
}

#[test]
fn spans_leave_a_running_server_by_themselves() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let server = Server::start(serve(&project, &collector.url).env("OTEL_BSP_SCHEDULE_DELAY", "50"));
    server.get("/healthz", &traceparent(TRACE, "01"));
    collector.wait_for(|span| span.trace == TRACE);
    let began = Instant::now();
    // It is counted when the collector's answer has come.
    while !server
        .get("/metrics", &traceparent(TRACE, "00"))
        .contains("xiangyun_trace_spans_total{outcome=\"exported\"} 1\n")
    {
        assert!(began.elapsed() < PATIENCE, "it is never counted");
    }
}

#[test]
fn a_collector_that_is_away_disturbs_no_request_and_what_it_misses_is_counted() {
    let project = Project::loaded();
    // Nobody listens there any more.
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = serve(&project, &format!("http://{away}"));
    let server = Server::start(command.env("OTEL_BSP_SCHEDULE_DELAY", "50"));
    let answer = server.get(SUM, "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let began = Instant::now();
    loop {
        let counters = server.get("/metrics", "");
        let line =
            counters.lines().find_map(|line| line.strip_prefix("xiangyun_trace_spans_total{outcome=\"dropped\"} "));
        if line.unwrap().parse::<u64>().unwrap() > 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{counters}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(server.get(SUM, "").starts_with("HTTP/1.1 200"));
    let told = server.end();
    let said = told.iter().filter(|line| line.contains("the collector does not take them")).count();
    assert_eq!(said, 1, "{told:?}");
}

#[test]
fn a_collector_that_never_answers_does_not_keep_the_server_from_ending() {
    let project = Project::loaded();
    // Connections are made by the system, and nobody ever looks at them.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = serve(&project, &format!("http://{}", mute.local_addr().unwrap()));
    let server = Server::start(&mut command);
    assert!(server.get(SUM, "").starts_with("HTTP/1.1 200"));
    server.end();
}

#[test]
fn rows_that_are_pushed_name_the_run_that_loads_them() {
    let (project, collector) = (Project::loaded(), Collector::start());
    let pipeline = "version = 1\nname = \"pushed\"\ntable = \"permits.decisions\"\nmode = \"append\"\n\
                    source = { kind = \"push\" }\n";
    project.write("pipelines/pushed.toml", pipeline);
    let decisions = std::fs::read_to_string(project.path().join("pipelines/decisions.toml")).unwrap();
    project.write("pipelines/decisions.toml", &decisions.replace("mode = \"replace\"", "mode = \"append\""));
    let server = Server::start(&mut serve(&project, &collector.url));
    let headers = format!("content-type: text/csv\r\nidempotency-key: one\r\n{}", traceparent(TRACE, "01"));
    let rows = "decision_no,filed_on,fee,channel\n101,2019-03-26,1,online\n102,never,1,online\n";
    let answer = server.ask("POST", "/v1/tables/permits/decisions/rows", &headers, rows);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.end();
    let spans = collector.spans();
    let [request] = requests(&spans, TRACE)[..] else { panic!("{spans:#?}") };
    let push = child(&spans, request, "push");
    assert_eq!((push.get("xiangyun.push.rows_loaded"), push.get("xiangyun.push.rows_rejected")), ("1", "1"));
    let id = push.get("xiangyun.run.id");
    let run = spans.iter().find(|span| span.name == "run pipeline" && span.get("xiangyun.run.id") == id).unwrap();
    assert_eq!(run.get("xiangyun.pipeline.name"), "pushed");
    assert_eq!(child(&spans, run, "commit").get("xiangyun.table.version"), push.get("xiangyun.table.version"));
}

#[test]
fn a_load_is_a_run_with_its_commit_and_the_variables_of_opentelemetry_count_too() {
    let (project, collector) = (Project::new(), Collector::start());
    let load = |disabled: &str| {
        let mut command = project.command(["load"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url).env("OTEL_SERVICE_NAME", "夜间");
        finish(command.env("OTEL_SDK_DISABLED", disabled)).ok();
    };
    load("true");
    assert!(collector.spans().is_empty());
    std::fs::remove_dir_all(project.path().join("lake")).unwrap();
    load("false");
    let spans = collector.spans();
    let run = spans.iter().find(|span| span.name == "run pipeline").unwrap();
    assert_eq!(run.resource["service.name"], "夜间");
    for (name, value) in [
        ("xiangyun.pipeline.name", "decisions"),
        ("xiangyun.table.name", "permits.decisions"),
        ("xiangyun.run.outcome", "loaded"),
        ("xiangyun.run.rows_read", "4"),
        ("xiangyun.run.rows_loaded", "3"),
        ("xiangyun.run.rows_rejected", "1"),
    ] {
        assert_eq!(run.get(name), value, "{run:#?}");
    }
    let commit = child(&spans, run, "commit");
    assert_eq!(commit.get("xiangyun.table.version"), run.get("xiangyun.table.version"));
    let recorded = project.run(["sql", "-c", "select run_id from system.runs"]).ok();
    assert!(recorded.contains(run.get("xiangyun.run.id")), "{recorded}");
}

#[test]
fn a_run_that_fails_has_its_code_and_none_of_its_text() {
    let (project, collector) = (Project::new(), Collector::start());
    std::fs::remove_file(project.path().join("data/decisions.csv")).unwrap();
    let mut command = project.command(["load", "--set", &format!("telemetry.otlp_endpoint={}", collector.url)]);
    let run = finish(&mut command);
    assert_ne!(run.code, 0, "{}", run.stderr);
    let spans = collector.spans();
    let [run] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((run.name.as_str(), run.get("xiangyun.run.outcome")), ("run pipeline", "failed"));
    assert!(run.failed && !run.get("error.type").is_empty(), "{run:#?}");
    assert!(!format!("{run:?}").contains("csv"), "{run:#?}");
}

#[test]
fn a_wrong_collector_is_refused_at_the_start_by_the_name_of_what_set_it() {
    let project = Project::new();
    let run = finish(&mut serve(&project, "127.0.0.1:4317"));
    let message = run.failed(2);
    assert!(message.contains("`telemetry.otlp_endpoint` (flag --set): `127.0.0.1:4317`"), "{message}");
    assert!(message.contains("http://host:4318"), "{message}");
    let run = finish(project.command(["load"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector"));
    let message = run.failed(2);
    assert!(message.contains("(environment OTEL_EXPORTER_OTLP_ENDPOINT)"), "{message}");
    let mut command = serve(&project, "http://127.0.0.1:4318");
    let run = finish(command.env("XIANGYUN_TELEMETRY_OTLP_HEADERS", "hunter2"));
    let message = run.failed(2);
    assert!(message.contains("`telemetry.otlp_headers`") && !message.contains("hunter2"), "{message}");
    let run = project.run(["serve", "--set", "telemetry.otlp_sample_ratio=2"]);
    assert!(run.failed(2).contains("`2` is not a number from 0 to 1"), "{}", run.stderr);
}
