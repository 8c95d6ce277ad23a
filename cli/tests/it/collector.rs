//! A collector of traces: takes OTLP over HTTP in protobuf, and gives what it took.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

/// Longer than anything takes: who waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A span as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// As the protocol numbers it; 2 is a server's.
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) failed: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of the process that sent it.
    pub(crate) resource: BTreeMap<String, String>,
    /// Head of the request that brought it.
    pub(crate) head: String,
    pub(crate) nanoseconds: u64,
}

impl Span {
    /// An attribute; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The collector, which listens until the tests end.
pub(crate) struct Collector {
    pub(crate) url: String,
    taken: Arc<(Mutex<Vec<Span>>, Condvar)>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::<(Mutex<Vec<Span>>, Condvar)>::default();
        let shared = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, taken) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || while take(&stream, &taken).is_some() {});
            }
        });
        Self { url, taken }
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.0.lock().unwrap().clone()
    }

    /// The spans, once there is one that is wanted.
    #[track_caller]
    pub(crate) fn wait_for(&self, wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        let (began, mut spans) = (Instant::now(), self.taken.0.lock().unwrap());
        while !spans.iter().any(&wanted) {
            assert!(began.elapsed() < PATIENCE, "it never came: {spans:#?}");
            spans = self.taken.1.wait_timeout(spans, Duration::from_secs(1)).unwrap().0;
        }
        spans.clone()
    }
}

/// One request of a connection; none after its last.
fn take(stream: &TcpStream, taken: &(Mutex<Vec<Span>>, Condvar)) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    let mut spans = taken.0.lock().unwrap();
    for of_resource in request.resource_spans {
        let resource = pairs(of_resource.resource.unwrap().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                name: span.name,
                kind: span.kind,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                attributes: pairs(span.attributes),
                resource: resource.clone(),
                head: head.clone(),
                nanoseconds: span.end_time_unix_nano - span.start_time_unix_nano,
            });
        }
    }
    taken.1.notify_all();
    drop(spans);
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    (&mut &*stream).write_all(answer.as_bytes()).ok()
}

fn pairs(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
