use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::support::Project;

/// A server that does not outlive its test.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// One request, answered to the end of the connection.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_end_writes_down_what_was_asked() {
    let project = Project::loaded();
    let mut command = project.command(["serve", "--listen", "127.0.0.1:0"]);
    let mut server = Server(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut told = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = told.find_map(|line| line.split_once("listens on http://").map(|(_, rest)| rest.to_owned())).unwrap();
    let answer = get(&address, "/v1/query?sql=select+count(*)+as+n+from+permits.decisions&format=csv");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\n3"), "{answer}");
    let pid = server.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // Its messages are read to their end, so that it never waits for a reader.
    told.for_each(drop);
    assert!(server.0.wait().unwrap().success());
    let asked = "select statement, rows, outcome, tables from system.queries where principal = 'local'";
    let asked = project.run(["sql", "-c", asked]).ok();
    assert!(asked.contains("select count(*) as n from permits.decisions,1,succeeded"), "{asked}");
    assert!(asked.contains("permits.decisions") && asked.contains("version"), "{asked}");
}

/// Starts a server; the scheme and address that it says, and its messages.
#[cfg(unix)]
pub(crate) fn start(project: &Project, settings: &[String]) -> (Server, String, impl Iterator<Item = String> + use<>) {
    let mut command = project.command(["serve", "--listen", "127.0.0.1:0"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let mut server = Server(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut told = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = told.find_map(|line| line.split_once("listens on ").map(|(_, url)| url.to_owned())).unwrap();
    (server, url, told)
}

/// Tells the server to end, and waits until it has.
#[cfg(unix)]
pub(crate) fn end(mut server: Server, told: impl Iterator<Item = String>) {
    signal(&server, "-TERM");
    // Its messages are read to their end, so that it never waits for a reader.
    told.for_each(drop);
    assert!(server.0.wait().unwrap().success());
}

#[cfg(unix)]
fn signal(server: &Server, name: &str) {
    let pid = server.0.id().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn the_access_log_and_the_rate_are_those_of_the_settings() {
    let project = Project::loaded();
    let log = project.path().join("access.log");
    let settings = [
        format!("server.access_log={}", log.display()),
        "limits.requests_per_second=1".into(),
        "limits.request_burst=7".into(),
    ];
    let (server, url, told) = start(&project, &settings);
    let address = url.strip_prefix("http://").unwrap();
    let answer = get(address, "/v1/query?sql=select+count(*)+as+n+from+permits.decisions");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("ratelimit-limit: 7\r\n"), "{answer}");
    let counters = get(address, "/metrics");
    let counted = "xiangyun_query_duration_seconds_count{class=\"operator\",outcome=\"succeeded\",error_type=\"\"} 1\n";
    assert!(counters.contains(counted), "{counters}");
    end(server, told);
    let lines = std::fs::read_to_string(log).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&line["route"], &line["status"], &line["complete"]), (&"/v1/query".into(), &200.into(), &true.into()));
}

#[cfg(unix)]
#[test]
fn a_server_with_tls_outlives_a_hang_up_and_answers_nothing_in_the_clear() {
    let project = Project::new();
    let fixture = |name| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/fixtures/tls").join(name);
    let settings = [("tls_certificate", "first.pem"), ("tls_key", "first.key")]
        .map(|(name, file)| format!("server.{name}={}", fixture(file).display()));
    let (server, url, told) = start(&project, &settings);
    let address = url.strip_prefix("https://").unwrap();
    let plain = || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    };
    // The second connection is accepted after the server has begun to listen to signals.
    (0..2).for_each(|_| plain());
    signal(&server, "-HUP");
    plain();
    end(server, told);
}

#[test]
fn half_of_tls_is_refused_before_anything_is_served() {
    let project = Project::new();
    let run = project.run(["serve", "--set", "server.tls_key=server.key"]);
    let message = run.failed(2);
    assert!(message.contains("`server.tls_certificate` is not set"), "{message}");
    let settings = ["server.tls_key=server.key", "server.tls_certificate=server.pem"];
    let run = project.run(["serve", "--set", settings[0], "--set", settings[1]]);
    assert!(run.failed(2).contains("cannot read the certificate server.pem"), "{}", run.stderr);
}
