//! How often a caller may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use xiangyun_api::RateLimits;
use xiangyun_api::auth::Auth;

use crate::lake::{Lake, Reply};

// sha256("test") and sha256("other"), as `printf test | sha256sum` prints them
const TOKENS: &str = "version = 1\n[[tokens]]\nname = \"screen\"\nagency = \"approvals\"\nclass = \"dashboard\"\n\
    sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n\
    [[tokens]]\nname = \"analyst\"\nagency = \"*\"\nclass = \"analyst\"\n\
    sha256 = \"d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa\"\n";

/// Two requests an hour apart at the earliest, and two at once.
async fn limited() -> Lake {
    let mut lake = Lake::open().await;
    let file = lake.folder().join("tokens.toml");
    std::fs::write(&file, TOKENS).unwrap();
    lake.state.auth = Auth::load(&file).unwrap();
    lake.state.rate_limits = RateLimits::every(Duration::from_secs(3600), NonZeroU32::new(2).unwrap());
    lake
}

async fn ask(lake: &Lake, path: &str, token: &str) -> Reply {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    lake.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let lake = limited().await;
    for (path, remaining, status) in [("/v1/tables", "1", StatusCode::OK), ("/v1/nothing", "0", StatusCode::NOT_FOUND)]
    {
        let reply = ask(&lake, path, "test").await;
        assert_eq!((reply.status, reply.header("ratelimit-remaining")), (status, remaining));
        assert_eq!((reply.header("ratelimit-limit"), reply.header("retry-after")), ("2", ""));
    }
    let refused = ask(&lake, "/v1/tables", "test").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let problem = refused.json();
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("rate_limited"), &json!(true)));
    let seconds = |name| refused.header(name).parse::<u64>().unwrap();
    assert!((1..=3600).contains(&seconds("retry-after")), "{}", refused.header("retry-after"));
    assert_eq!((refused.header("ratelimit-remaining"), seconds("ratelimit-reset")), ("0", 7200));
    assert_eq!(ask(&lake, "/v1/tables", "other").await.status, StatusCode::OK, "others are not held back");
}

#[tokio::test]
async fn what_is_not_of_v1_and_who_is_not_known_is_not_counted() {
    let lake = limited().await;
    for _ in 0..4 {
        assert_eq!(ask(&lake, "/healthz", "test").await.status, StatusCode::OK);
        assert_eq!(ask(&lake, "/metrics", "test").await.status, StatusCode::OK);
        assert_eq!(ask(&lake, "/v1/tables", "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask(&lake, "/v1/tables", "test").await.header("ratelimit-remaining"), "1");
}

#[tokio::test]
async fn without_a_limit_nothing_is_said_of_one() {
    let lake = Lake::open().await;
    let reply = lake.get("/v1/tables").await;
    assert_eq!((reply.status, reply.header("ratelimit-limit")), (StatusCode::OK, ""));
}
