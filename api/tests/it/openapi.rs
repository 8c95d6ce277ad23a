//! The document of the interface, against the router and against real replies.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::lake::{Lake, encoded};
use crate::{alerts, pushes};

const PAGES: [&str; 5] = ["/", "/app.css", "/app.js", "/docs", "/docs.js"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(lake: &Lake) -> Value {
    let reply = lake.get("/v1/openapi.json").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

/// The operations of the document, without those of single metrics.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let named = path.strip_prefix("/v1/metrics/").is_some_and(|name| !name.starts_with("{name}"));
        for (method, operation) in item.as_object().unwrap().iter().filter(|_| !named) {
            found.insert((path.clone(), method.clone()), operation);
        }
    }
    found
}

/// An address of a path: of things of the lake where there are such, of an id that nobody has elsewhere.
fn address(path: &str) -> String {
    let known = path.replace("{name}", "cases").replace("{schema}", "approvals").replace("{table}", "cases");
    known.replace("{id}", "00000000-0000-0000-0000-000000000000")
}

/// The paths that the router shows in its debug output, which is the only place where it tells them.
fn routes(lake: &Lake) -> BTreeSet<String> {
    let shown = format!("{:?}", lake.router());
    let quoted = shown.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/') && !text.contains("__private")).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_path_and_method_of_the_router_is_in_the_document_and_no_other() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    let operations = operations(&document);
    let documented: BTreeSet<_> = operations.keys().map(|(path, _)| path.clone()).collect();
    let routes = routes(&lake);
    assert!(PAGES.iter().all(|page| routes.contains(*page)), "{routes:?}");
    let resources: BTreeSet<_> = routes.into_iter().filter(|path| !PAGES.contains(&path.as_str())).collect();
    assert_eq!(documented, resources);
    for path in &documented {
        let address = address(path);
        let reply = lake.send(Request::builder().method("TRACE").uri(&address).body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed: BTreeSet<_> =
            reply.header("allow").split(',').map(str::to_ascii_lowercase).filter(|method| method != "head").collect();
        let known = METHODS.iter().filter(|method| operations.contains_key(&(path.clone(), (**method).to_owned())));
        assert_eq!(allowed, known.map(|method| (*method).to_owned()).collect(), "{path}");
    }
}

#[tokio::test]
async fn every_parameter_that_a_handler_knows_is_described() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    let mut asked = 0;
    for ((path, method), operation) in operations(&document).iter().filter(|((_, method), _)| method == "get") {
        let address = address(path);
        let reply = lake.get(&format!("{address}?no_such_parameter=1")).await;
        if reply.status == StatusCode::NOT_FOUND {
            continue; // it looks for the thing first
        }
        let body = reply.json();
        let hint = body["hint"].as_str().unwrap_or_default();
        let Some(known) = hint.strip_prefix("known parameters here: ") else {
            assert!(operation["parameters"].is_null(), "{method} {path}: {body}");
            continue;
        };
        let known: BTreeSet<_> = known.split(", ").filter(|name| !name.is_empty()).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described: BTreeSet<_> =
            parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(described, known, "{method} {path}");
        asked += 1;
    }
    assert!(asked >= 7, "only {asked} paths told the parameters that they know");
}

#[tokio::test]
async fn operations_are_named_once_described_and_have_problems_of_one_shape() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    assert_eq!(document["openapi"].as_str().unwrap().split_at(3).0, "3.1");
    let mut names = BTreeSet::new();
    for ((path, method), operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        assert!(operation["summary"].is_string() && operation["x-zh"].is_string(), "{method} {path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string() && parameter["schema"].is_object(), "{path}: {parameter}");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["headers"]["x-request-id"].is_object(), "{method} {path} {status}");
            // A reply that says that nothing changed has no body.
            if !status.starts_with('2') && status != "304" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(*schema, "#/components/schemas/Problem", "{method} {path} {status}");
            }
        }
    }
    let rows = &document["paths"]["/v1/query"]["post"]["responses"]["200"]["content"];
    assert_eq!(rows.as_object().unwrap().len(), xiangyun_api::encode::Format::ALL.len());
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    for name in references {
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not there");
    }
}

#[tokio::test]
async fn the_document_is_as_it_was_reviewed() {
    let lake = Lake::open().await;
    let mut document = document(&lake).await;
    let paths = document["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| path.starts_with("/v1/metrics/{name}") || !path.starts_with("/v1/metrics/"));
    document["info"]["version"] = json!("[version]");
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[tokio::test]
async fn a_metric_has_its_own_operation_with_its_dimensions_and_grains() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    let operation = &document["paths"]["/v1/metrics/cases"]["get"];
    assert_eq!(operation["operationId"], "ask_metric_cases");
    assert_eq!((&operation["summary"], &operation["x-zh"]), (&json!("Cases"), &json!("办件量")));
    let description = operation["description"].as_str().unwrap();
    assert!(description.contains("办件量：全部办件。") && description.contains("Cases: All cases."), "{description}");
    let parameter = |name: &str| operation["parameters"].as_array().unwrap().iter().find(|p| p["name"] == name);
    assert!(parameter("name").is_none());
    assert_eq!(parameter("by").unwrap()["schema"]["items"]["enum"], json!(["channel"]));
    assert_eq!(
        parameter("grain").unwrap()["schema"]["enum"],
        json!(["day", "working-day", "week", "month", "quarter", "year"])
    );
    let orders = &parameter("order").unwrap()["schema"]["items"]["enum"];
    assert_eq!(*orders, json!(["period", "-period", "channel", "-channel", "value", "-value"]));
    for order in orders.as_array().unwrap() {
        let order = order.as_str().unwrap();
        let reply = lake.get(&format!("/v1/metrics/cases?by=channel&grain=month&order={order}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{order}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_replies_have_the_shape_that_is_told() {
    let lake = pushes::taking().await;
    let document = document(&lake).await;
    let sql = encoded("SELECT case_id, channel, fee, decided_at FROM approvals.cases");
    for (path, address) in [
        ("/v1/metrics", "/v1/metrics".to_owned()),
        ("/v1/metrics/{name}", "/v1/metrics/cases?by=channel&grain=month".into()),
        ("/v1/metrics/cases", "/v1/metrics/cases".into()),
        ("/v1/query", format!("/v1/query?sql={sql}")),
        ("/v1/tables", "/v1/tables".into()),
        ("/v1/tables/{schema}/{table}", "/v1/tables/approvals/cases".into()),
        ("/v1/tables/{schema}/{table}/rows", "/v1/tables/approvals/cases/rows?limit=2".into()),
        ("/healthz", "/healthz".into()),
        ("/readyz", "/readyz".into()),
        ("/v1/query", "/v1/query?sql=SELEC".into()),
    ] {
        let reply = lake.get(&address).await;
        check(&document, &document["paths"][path]["get"], &reply, &address);
    }
    for what in ["before it is evaluated", "once it is"] {
        for (path, address) in [("/v1/alerts", "/v1/alerts"), ("/v1/alerts/{name}", "/v1/alerts/cases")] {
            check(&document, &document["paths"][path]["get"], &lake.get(address).await, &format!("{address} {what}"));
        }
        alerts::watch(&lake).await;
    }
    let reply = lake.get(&format!("/v1/query?sql={sql}")).await;
    let known = Request::get(format!("/v1/query?sql={sql}")).header("if-none-match", reply.header("etag"));
    let unchanged = lake.send(known.body(Body::empty()).unwrap()).await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    check(&document, &document["paths"]["/v1/query"]["get"], &unchanged, "an answer that is known");
    let reply = pushes::send(&lake, Some("k"), "application/json", pushes::ROW).await;
    let add = &document["paths"]["/v1/tables/{schema}/{table}/rows"]["post"];
    check(&document, add, &reply, "a push");
    check(&document, add, &pushes::send(&lake, Some("k"), "application/json", pushes::ROW).await, "a repeated push");
    let rejected = pushes::send(&lake, Some("l"), "application/json", "{\"case_id\": 9}").await;
    check(&document, add, &rejected, "a push with a reject");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_replies_of_several_figures_have_the_shape_that_is_told() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    let operation = |path: &str, method: &str| &document["paths"][path][method];
    for address in ["/v1/dashboards", "/v1/dashboards/counter", "/v1/dashboards/none"] {
        let path = if address.ends_with("boards") { "/v1/dashboards" } else { "/v1/dashboards/{name}" };
        check(&document, operation(path, "get"), &lake.get(address).await, address);
    }
    for query in ["", "?way=x", "?provenance=full", "?provenance=none&numbers=native", "?wya=x"] {
        let reply = lake.get(&format!("/v1/dashboards/counter/data{query}")).await;
        check(&document, operation("/v1/dashboards/{name}/data", "get"), &reply, query);
    }
    let questions = json!({"queries": [
        {"name": "all", "metric": "cases", "by": ["channel"], "grain": "month"},
        {"metric": "casse"},
        {"name": "typo", "metric": "cases", "where": "chanel = 'x'"},
    ]});
    for query in ["", "?provenance=full", "?provenance=none", "?explain=true"] {
        let reply = lake.post(&format!("/v1/metrics{query}"), &questions).await;
        assert_eq!(reply.json()["answers"][1]["status"], 404, "{}", reply.text());
        check(&document, operation("/v1/metrics", "post"), &reply, query);
    }
    check(
        &document,
        operation("/v1/metrics", "post"),
        &lake.post("/v1/metrics", &json!({"queries": []})).await,
        "none",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn real_replies_about_loads_have_the_shape_that_is_told() {
    let lake = pushes::taking().await;
    let document = document(&lake).await;
    let operation = |path: &str| &document["paths"][path]["get"];
    let sent = format!("{}\n{{\"case_id\": 9}}\n", pushes::ROW);
    let pushed = pushes::send(&lake, Some("k"), "application/x-ndjson", &sent).await.json();
    let pushed = pushed["run_id"].as_str().unwrap();
    for (run, what) in [(pushed, "a push with a rejected row"), ("test-1", "a load"), ("none", "no load")] {
        for part in ["", "/files", "/rejected"] {
            let reply = lake.get(&format!("/v1/runs/{run}{part}")).await;
            check(&document, operation(&format!("/v1/runs/{{id}}{part}")), &reply, &format!("{what}{part}"));
        }
    }
    for query in ["provenance=full", "provenance=summary&by=channel", "provenance=none"] {
        let reply = lake.get(&format!("/v1/metrics/cases?{query}")).await;
        assert_eq!(reply.json()["provenance"].is_null(), query == "provenance=none");
        check(&document, operation("/v1/metrics/{name}"), &reply, query);
    }
    // The first page, with one line of several.
    let page = lake.get("/v1/metrics/cases/provenance?limit=1&where=channel%20is%20null&grain=month").await;
    assert_eq!((page.status, page.json()["lines"].as_array().unwrap().len()), (StatusCode::OK, 1), "{}", page.text());
    let origins = operation("/v1/metrics/{name}/provenance");
    check(&document, origins, &page, "lines");
    check(&document, origins, &lake.get("/v1/metrics/cases/provenance?limit=0").await, "no lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_replies_about_queries_have_the_shape_that_is_told() {
    let lake = Lake::open().await;
    let document = document(&lake).await;
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    let endless = "SELECT count(*) AS n FROM generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
                   WHERE (x * y) % 7 = 3";
    for (what, sql, wait, status) in [
        (
            "one that succeeds",
            "SELECT channel, count(*) AS n FROM approvals.cases GROUP BY channel",
            60,
            StatusCode::OK,
        ),
        ("one that fails", "SELECT 1 / (case_id - 3) AS y FROM approvals.cases", 60, StatusCode::BAD_REQUEST),
        ("one that goes on", endless, 0, StatusCode::ACCEPTED),
    ] {
        let reply = lake.post("/v1/query", &json!({"sql": sql, "wait": wait})).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        check(&document, &operation("/v1/query", "post"), &reply, what);
        let listed = lake.get("/v1/queries").await;
        check(&document, &operation("/v1/queries", "get"), &listed, what);
        let id = listed.json()["queries"][0]["query_id"].as_str().unwrap().to_owned();
        // The second time its result is gone.
        for _ in 0..2 {
            for part in ["", "/result", "/profile"] {
                let reply = lake.get(&format!("/v1/queries/{id}{part}")).await;
                check(&document, &operation(&format!("/v1/queries/{{id}}{part}"), "get"), &reply, what);
            }
            let taken_back = lake.send(Request::delete(format!("/v1/queries/{id}")).body(Body::empty()).unwrap()).await;
            check(&document, &operation("/v1/queries/{id}", "delete"), &taken_back, what);
            let ended = lake.get(&format!("/v1/queries/{id}?wait=60")).await;
            check(&document, &operation("/v1/queries/{id}", "get"), &ended, what);
        }
        let gone = lake.get(&format!("/v1/queries/{id}/result")).await;
        check(&document, &operation("/v1/queries/{id}/result", "get"), &gone, what);
    }
    let unknown = lake.get("/v1/queries/00000000-0000-0000-0000-000000000000").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    check(&document, &operation("/v1/queries/{id}", "get"), &unknown, "one that there is not");
}

/// The reply's status, media type and body are those of the operation.
fn check(document: &Value, operation: &Value, reply: &crate::lake::Reply, what: &str) {
    let response = &operation["responses"][reply.status.as_str()];
    assert!(response.is_object(), "{what}: {} is not documented", reply.status);
    // Of files, of answers that depend on nothing but tables, and of figures that a rollup tells.
    let not_always = ["content-disposition", "etag", "x-xiangyun-rollups"];
    for header in response["headers"].as_object().unwrap().keys().filter(|name| !not_always.contains(&name.as_str())) {
        assert!(reply.headers.contains_key(header), "{what}: {header}");
    }
    if response["content"].is_null() {
        assert!(reply.body.is_empty(), "{what}: {}", reply.text());
        return;
    }
    let schema = &response["content"][reply.header("content-type")]["schema"];
    assert!(schema.is_object(), "{what}: {} is not documented", reply.header("content-type"));
    let faults = faults(document, schema, &reply.json(), "$");
    assert!(faults.is_empty(), "{what}: {faults:?}");
}

/// Where `value` is not as `schema` says: another type, a member that is missing or not told of.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let all: Vec<_> = choices.iter().map(|choice| faults(document, choice, value, at)).collect();
        return if all.iter().any(Vec::is_empty) { Vec::new() } else { all.concat() };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![name.as_str()],
        _ => vec![],
    };
    let is_told = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    if !types.is_empty() && !is_told {
        return vec![format!("{at} is {kind} and not {types:?}")];
    }
    if let (Some(values), false) = (schema["enum"].as_array(), value.is_null())
        && !values.contains(value)
    {
        return vec![format!("{at} is {value} and none of {values:?}")];
    }
    if let Value::Array(items) = value {
        return items.iter().flat_map(|item| faults(document, &schema["items"], item, &format!("{at}[]"))).collect();
    }
    let Value::Object(members) = value else { return Vec::new() };
    let (mut properties, mut required) = (BTreeMap::new(), BTreeSet::new());
    gather(document, schema, &mut properties, &mut required);
    if properties.is_empty() {
        let any = &schema["additionalProperties"];
        return members
            .iter()
            .flat_map(|(name, value)| faults(document, any, value, &format!("{at}.{name}")))
            .collect();
    }
    let missing =
        required.iter().filter(|name| !members.contains_key(**name)).map(|name| format!("{at}.{name} is missing"));
    let told = members.iter().flat_map(|(name, value)| match properties.get(name.as_str()) {
        Some(property) => faults(document, property, value, &format!("{at}.{name}")),
        None => vec![format!("{at}.{name} is not told of")],
    });
    missing.chain(told).collect()
}

/// The members of a schema and of those that it is made of.
fn gather<'a>(
    document: &'a Value,
    schema: &'a Value,
    properties: &mut BTreeMap<&'a str, &'a Value>,
    required: &mut BTreeSet<&'a str>,
) {
    let schema = resolved(document, schema);
    properties
        .extend(schema["properties"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)));
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, properties, required);
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap(),
        None => schema,
    }
}
