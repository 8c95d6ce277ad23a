//! Against a server on this machine that answers as such APIs do.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use xiangyun_engine::project::{Diagnostics, Document, SourceText};

use super::paging::Fetched;
use super::*;
use crate::connection::{ConnectionDef, Connections, Secrets};
use crate::pipeline::{CkanSource, HttpSource, SocrataSource};
use crate::source::{SourceContext, SourceError};

/// A request as the server saw it.
struct Request {
    path: String,
    params: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

/// Status, further headers, body.
type Reply = (u16, Vec<(&'static str, String)>, String);

/// Answers requests by `answer` until the test ends; gives its address and the requests' lines.
async fn serve(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
            while !bytes.ends_with(b"\r\n\r\n") {
                match socket.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => bytes.extend_from_slice(&piece[..read]),
                }
            }
            let text = String::from_utf8(bytes).unwrap();
            let Some(target) = text.split_whitespace().nth(1) else { continue };
            let url = url::Url::parse("http://x").unwrap().join(target).unwrap();
            let request = Request {
                path: url.path().to_owned(),
                params: url.query_pairs().into_owned().collect(),
                headers: text
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect(),
            };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(target.to_owned());
                log.len()
            };
            let (status, headers, body) = answer(&request, number);
            let mut reply = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                reply.push_str(&format!("{name}: {value}\r\n"));
            }
            reply.push_str(&format!("\r\n{body}"));
            let _ = socket.write_all(reply.as_bytes()).await;
        }
    });
    (address, seen)
}

fn ok(body: serde_json::Value) -> Reply {
    (200, Vec::new(), body.to_string())
}

fn context(url: &str, more: &str) -> SourceContext {
    let text = format!("version = 1\nname = \"api\"\nurl = \"{url}\"\ntls = \"off\"\n{more}\n");
    let source = SourceText { path: "connections/api.toml".into(), text };
    let mut diagnostics = Diagnostics::default();
    let document = Document::<ConnectionDef>::parse(source, &mut diagnostics).unwrap();
    let secrets = Secrets::new([("XIANGYUN_SECRET_API".to_owned(), "geheim".to_owned())]);
    let connections = Connections::new(std::path::Path::new("."), vec![document], secrets);
    SourceContext {
        root: ".".into(),
        connections,
        runtime: tokio::runtime::Handle::current(),
        cursor: None,
        read_once_from: None,
    }
}

fn source(text: &str) -> HttpSource {
    toml::from_str(&format!("connection = \"api\"\npath = \"/v2/items\"\n{text}")).unwrap()
}

async fn fetch(
    context: &SourceContext,
    def: HttpSource,
    since: Option<&str>,
) -> Result<(Vec<String>, Fetched), SourceError> {
    let context = SourceContext { cursor: since.map(str::to_owned), ..context.clone() };
    let fetched = tokio::task::spawn_blocking(move || open(&context, &def)).await.unwrap()?;
    Ok((lines(&fetched), fetched))
}

fn lines(fetched: &Fetched) -> Vec<String> {
    std::fs::read_to_string(&fetched.file.path).unwrap().lines().map(str::to_owned).collect()
}

/// Seven records in all, `size` from `from` on.
fn seven(from: usize, size: usize) -> Vec<serde_json::Value> {
    (from..7.min(from + size)).map(|id| json!({"id": id})).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_every_page_comes_once_and_as_it_is_written() {
    let number = |request: &Request, name: &str| request.params[name].parse::<usize>().unwrap();
    let (address, seen) = serve(move |request, _| match request.params.get("kind").map(String::as_str) {
        Some("page") => ok(json!({"data": {"items": seven((number(request, "p") - 1) * 3, 3)}})),
        Some("offset") => ok(json!(seven(number(request, "skip"), number(request, "top")))),
        Some("cursor") => {
            let from = request.params.get("after").map_or(0, |text| text.parse().unwrap());
            let next = if from + 4 < 7 { json!(from + 4) } else { json!(null) };
            ok(json!({"items": seven(from, 4), "meta": {"next": next}}))
        }
        Some("link") => {
            let from = request.params.get("from").map_or(0, |text| text.parse().unwrap());
            let link = format!("<?kind=link&from={}>; rel=\"next\"", from + 5);
            let headers = if from + 5 < 7 { vec![("link", link)] } else { Vec::new() };
            (200, headers, json!(seven(from, 5)).to_string())
        }
        _ => (200, Vec::new(), "[{\"n\": 12345678901234567890.50,\n \"t\": \"a\\nb\"}]".into()),
    })
    .await;
    let context = context(&format!("{address}/base"), "");
    let ids: Vec<String> = (0..7).map(|id| format!("{{\"id\":{id}}}")).collect();
    for (text, requests) in [
        ("records = \"/data/items\"\nparams = { kind = \"page\" }\npaging = { kind = \"page\", parameter = \"p\" }", 4),
        (
            "params = { kind = \"offset\" }\npaging = { kind = \"offset\", parameter = \"skip\", size_parameter = \"top\", size = 3 }",
            3,
        ),
        (
            "records = \"/items\"\nparams = { kind = \"cursor\" }\npaging = { kind = \"cursor\", parameter = \"after\", next = \"/meta/next\" }",
            2,
        ),
        ("params = { kind = \"link\" }\npaging = { kind = \"link\" }", 2),
    ] {
        seen.lock().unwrap().clear();
        let (lines, fetched) = fetch(&context, source(text), None).await.unwrap();
        assert_eq!(lines, ids, "{text}");
        assert_eq!((fetched.records, fetched.file.name.as_str()), (7, "api:/v2/items"));
        assert_eq!(seen.lock().unwrap().len(), requests, "{text}: {:?}", seen.lock().unwrap());
        assert!(seen.lock().unwrap()[0].starts_with("/base/v2/items?"));
    }
    let (lines, _) = fetch(&context, source(""), None).await.unwrap();
    assert_eq!(lines, ["{\"n\": 12345678901234567890.50,  \"t\": \"a\\nb\"}"], "spelling is kept, a record is a line");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_new_is_asked_for() {
    let (address, seen) = serve(|request, _| match request.params.get("since").map(String::as_str) {
        Some("2024-03-02") => ok(json!([])),
        _ => ok(json!([{"at": "2024-03-02"}, {"at": "2024-03-01"}, {"at": null}])),
    })
    .await;
    let context = context(&address, "");
    let def = || source("incremental = { parameter = \"since\", field = \"at\", first = \"2000-01-01\" }");
    let (_, first) = fetch(&context, def(), None).await.unwrap();
    assert_eq!(first.cursor.as_deref(), Some("2024-03-02"));
    let (lines, second) = fetch(&context, def(), first.cursor.as_deref()).await.unwrap();
    assert_eq!((lines.len(), second.cursor.as_deref()), (0, Some("2024-03-02")));
    assert_eq!(*seen.lock().unwrap(), ["/v2/items?since=2000-01-01", "/v2/items?since=2024-03-02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again_and_a_refusal_is_final() {
    let (address, seen) = serve(|request, number| match (request.path.as_str(), number) {
        (_, 1) => (503, vec![("retry-after", "0".into())], String::new()),
        (_, 2) => (429, vec![("retry-after", "0".into())], String::new()),
        ("/v2/items", _) if request.headers.get("authorization").map(String::as_str) == Some("Bearer geheim") => {
            ok(json!([{"id": 1}]))
        }
        _ => (401, Vec::new(), "{\"error\": \"no token\"}".into()),
    })
    .await;
    let with_token = context(&address, "secret = { env = \"XIANGYUN_SECRET_API\" }");
    assert_eq!(fetch(&with_token, source(""), None).await.unwrap().0, ["{\"id\":1}"]);
    assert_eq!(seen.lock().unwrap().len(), 3);
    let error = fetch(&context(&address, ""), source(""), None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "`/v2/items` of connection `api` cannot be loaded: it does not accept the secret (401 Unauthorized): {\"error\": \"no token\"}"
    );
    assert_eq!(seen.lock().unwrap().len(), 4);
    let own_header = context(&address, "secret = { env = \"XIANGYUN_SECRET_API\" }\nheader = \"x-token\"");
    assert!(fetch(&own_header, source(""), None).await.is_err(), "another header is sent instead");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_as_declared_say_how() {
    let (address, _) = serve(|request, _| match request.params.get("kind").map(String::as_str) {
        Some("text") => (200, Vec::new(), "<html>".into()),
        Some("elsewhere") => (200, vec![("link", "<http://127.0.0.1:1/x>; rel=next".into())], "[]".into()),
        Some("circle") => (200, vec![("link", "</v2/items?kind=circle>; rel=next".into())], "[]".into()),
        _ => ok(json!({"items": {"id": 1}})),
    })
    .await;
    let context = context(&address, "");
    for (text, expected) in [
        ("", "its answer is no array: say by `records` where the records are"),
        ("records = \"/data\"", "its answer has nothing at `/data`"),
        ("records = \"/items\"", "`/items` of its answer is no array"),
        ("params = { kind = \"text\" }", "its answer is not JSON"),
        ("params = { kind = \"elsewhere\" }\npaging = { kind = \"link\" }", "the next page is at another host"),
        (
            "params = { kind = \"circle\" }\npaging = { kind = \"link\" }",
            "its pages do not end: after 1 pages it came back",
        ),
        ("records = \"data\"", "`records` of the source cannot be `data`"),
    ] {
        let error = fetch(&context, source(text), None).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = fetch(&context, HttpSource { connection: "apo".into(), ..source("") }, None).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no connection `apo`");
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_are_harvested_by_the_id_of_a_dataset() {
    let (address, seen) = serve(|request, _| match request.path.as_str() {
        "/api/3/action/package_show" if request.params["id"] == "gdp" => {
            ok(json!({"success": true, "result": {"resources": [
            {"id": "r1", "name": "by year", "datastore_active": true},
            {"id": "r2", "name": "notes", "datastore_active": false}]}}))
        }
        "/api/3/action/datastore_search" => {
            let from: usize = request.params["offset"].parse().unwrap();
            ok(json!({"success": true, "result": {"records": if from == 0 { seven(0, 7) } else { Vec::new() }}}))
        }
        "/resource/wrvz-psew.json" => ok(json!(seven(request.params["$offset"].parse().unwrap(), 7))),
        _ => (404, Vec::new(), String::new()),
    })
    .await;
    let context = context(&address, "");
    let ckan = async |dataset: &str, resource: Option<&str>| {
        let def = CkanSource {
            connection: "api".into(),
            dataset: dataset.into(),
            resource: resource.map(str::to_owned),
            null_values: Vec::new(),
        };
        let context = context.clone();
        tokio::task::spawn_blocking(move || open_ckan(&context, &def)).await.unwrap()
    };
    let fetched = ckan("gdp", Some("by year")).await.unwrap();
    assert_eq!((fetched.records, fetched.file.name.as_str()), (7, "api:gdp/r1"));
    assert!(
        ckan("gdp", None)
            .await
            .unwrap_err()
            .to_string()
            .contains("has 2 resources: name one as `resource`: by year, notes")
    );
    assert!(ckan("gdp", Some("r2")).await.unwrap_err().to_string().contains("is a file and no table"));
    assert!(
        ckan("gdp", Some("r3")).await.unwrap_err().to_string().contains("has no resource `r3`; it has by year, notes")
    );
    assert!(ckan("none", None).await.unwrap_err().to_string().contains("it has no such path (404 Not Found)"));
    seen.lock().unwrap().clear();
    let def = SocrataSource {
        connection: "api".into(),
        dataset: "wrvz-psew".into(),
        condition: Some("year > 2018".into()),
        null_values: Vec::new(),
    };
    let harvest = context.clone();
    let fetched = tokio::task::spawn_blocking(move || open_socrata(&harvest, &def)).await.unwrap().unwrap();
    assert_eq!(fetched.records, 7);
    assert_eq!(
        *seen.lock().unwrap(),
        ["/resource/wrvz-psew.json?%24order=%3Aid&%24where=year+%3E+2018&%24offset=0&%24limit=10000"]
    );
}
