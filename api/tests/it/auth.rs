//! Who may ask.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tokio::net::TcpListener;
use xiangyun_api::auth::Auth;
use xiangyun_api::{AppState, serve};

use crate::lake::{Lake, Reply};

// sha256("test"), as `printf test | sha256sum` prints it
const TOKENS: &str = "version = 1\n[[tokens]]\nname = \"screen\"\nagency = \"approvals\"\nclass = \"dashboard\"\n\
    sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";

pub(crate) async fn with_tokens() -> Lake {
    let mut lake = Lake::open().await;
    let file = lake.folder().join("tokens.toml");
    std::fs::write(&file, TOKENS).unwrap();
    lake.state.auth = Auth::load(&file).unwrap();
    lake
}

async fn get(lake: &Lake, path: &str, credential: Option<&str>) -> Reply {
    let mut request = Request::get(path);
    if let Some(credential) = credential {
        request = request.header("authorization", credential);
    }
    lake.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_resource_wants_a_token_where_there_are_tokens() {
    let lake = with_tokens().await;
    let paths = [
        "/v1/metrics",
        "/v1/metrics/cases",
        "/v1/query?sql=SELECT+1",
        "/v1/tables",
        "/v1/tables/approvals/cases",
        "/v1/tables/approvals/cases/rows",
        "/v1/openapi.json",
    ];
    for path in paths {
        for wrong in [None, Some("Bearer wrong"), Some("Basic dGVzdDp0ZXN0")] {
            let reply = get(&lake, path, wrong).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(
                (reply.header("www-authenticate"), &reply.json()["code"]),
                ("Bearer", &"unauthenticated".into())
            );
        }
        assert_eq!(get(&lake, path, Some("Bearer test")).await.status, StatusCode::OK, "{path}");
    }
    let in_address = get(&lake, "/v1/tables?token=test", None).await;
    assert_eq!(in_address.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_and_the_page_are_open_and_tell_nothing() {
    let lake = with_tokens().await;
    for path in ["/healthz", "/readyz", "/", "/docs"] {
        let reply = get(&lake, path, None).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert!(!reply.text().contains("approvals"), "{path}");
    }
}

#[tokio::test]
async fn the_caller_is_recorded_under_its_name() {
    let lake = with_tokens().await;
    assert_eq!(get(&lake, "/v1/query?sql=SELECT+1+AS+a", Some("Bearer test")).await.status, StatusCode::OK);
    assert_eq!(lake.records.0.lock().unwrap().last().unwrap().principal.name(), "screen");
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_without_tokens() {
    let lake = Lake::open().await;
    let request = Request::get("/v1/tables").header("host", "evil.example").body(Body::empty()).unwrap();
    let reply = lake.send(request).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::FORBIDDEN, &"forbidden".into()));
    // HTTP/2 names the host in the address, and it counts there too.
    for (address, status) in [("evil.example", StatusCode::FORBIDDEN), ("localhost:8080", StatusCode::OK)] {
        let request = Request::get(format!("http://{address}/v1/tables")).header("host", "localhost");
        assert_eq!(lake.send(request.body(Body::empty()).unwrap()).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn the_network_is_not_served_without_tokens() {
    let lake = Lake::open().await;
    let state = AppState { auth: Auth::Loopback, ..lake.state.clone() };
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap();
    let error = serve(listener, state, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("without a token file only loopback addresses are served"), "{error}");
    assert!(error.hint().unwrap().contains("server.tokens"));
}

#[tokio::test]
async fn the_document_says_whether_a_token_is_wanted() {
    let open = Lake::open().await.get("/v1/openapi.json").await.json();
    assert_eq!(open["security"], serde_json::json!([{}, {"bearer": []}]));
    let closed = get(&with_tokens().await, "/v1/openapi.json", Some("Bearer test")).await.json();
    assert_eq!(closed["security"], serde_json::json!([{"bearer": []}]));
    assert_eq!(closed["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}
