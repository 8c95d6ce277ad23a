//! Bodies on the wire.

use std::io::{Read, Write};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::lake::{Lake, Reply, encoded};

const MANY: &str = "SELECT value FROM generate_series(1, 200000)";
const FAILS_LATE: &str = "SELECT 1 / (200000 - value) AS x FROM generate_series(1, 200000)";

fn query(sql: &str, format: &str, encoding: &str) -> Request<Body> {
    let path = format!("/v1/query?format={format}&sql={}", encoded(sql));
    Request::get(path).header("accept-encoding", encoding).body(Body::empty()).unwrap()
}

/// What can be read of a compressed text, and whether it came to a proper end.
fn unpacked(encoding: &str, bytes: &[u8]) -> (String, bool) {
    let mut decoder: Box<dyn Read> = match encoding {
        "gzip" => Box::new(GzDecoder::new(bytes)),
        _ => Box::new(zstd::Decoder::new(bytes).unwrap()),
    };
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        match decoder.read(&mut part) {
            Ok(0) => return (String::from_utf8(text).unwrap(), true),
            Ok(read) => text.extend_from_slice(&part[..read]),
            Err(_) => return (String::from_utf8(text).unwrap(), false),
        }
    }
}

#[tokio::test]
async fn text_is_compressed_as_the_caller_accepts() {
    let lake = Lake::open().await;
    for format in ["json", "ndjson", "csv"] {
        let plain = lake.send(query(MANY, format, "identity")).await;
        assert_eq!(plain.header("content-encoding"), "");
        assert_eq!(plain.header("vary"), "accept, authorization, accept-encoding");
        for encoding in ["gzip", "zstd"] {
            let reply = lake.send(query(MANY, format, encoding)).await;
            assert_eq!(reply.header("content-encoding"), encoding, "{format}");
            assert_eq!(reply.header("vary"), "accept, authorization, accept-encoding");
            let (text, whole) = unpacked(encoding, &reply.body);
            let without_ids = |text: &str| text.split_once("\"tables\"").map_or(text, |(_, rest)| rest).to_owned();
            assert!(whole && without_ids(&text) == without_ids(plain.text()), "{format} {encoding}");
            assert!(reply.body.len() * 3 < plain.body.len() * 2, "{format} {encoding}: {} bytes", reply.body.len());
        }
    }
    let both = lake.send(query(MANY, "csv", "gzip, zstd")).await;
    assert_eq!(both.header("content-encoding"), "zstd");
    let page = Request::get("/app.js").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    assert_eq!(lake.send(page).await.header("content-encoding"), "gzip");
}

#[tokio::test]
async fn files_and_tiny_bodies_are_left_as_they_are() {
    let lake = Lake::open().await;
    for format in ["parquet", "arrow"] {
        let reply = lake.send(query(MANY, format, "gzip, zstd")).await;
        assert_eq!((reply.header("content-encoding"), reply.header("vary")), ("", "accept, authorization"), "{format}");
    }
    assert_eq!(lake.send(query("SELECT 1 AS a", "json", "gzip")).await.header("content-encoding"), "");
    assert_eq!(lake.send(query(MANY, "csv", "br")).await.header("content-encoding"), "");
}

#[tokio::test]
async fn a_compressed_result_that_is_cut_is_visibly_cut() {
    let lake = Lake::open().await;
    for encoding in ["gzip", "zstd"] {
        for format in ["json", "ndjson", "csv"] {
            let response = lake.router().oneshot(query(FAILS_LATE, format, encoding)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["content-encoding"], encoding);
            let (mut bytes, mut failed, mut stream) = (Vec::new(), false, response.into_body().into_data_stream());
            while let Some(chunk) = stream.next().await {
                match chunk {
                    Ok(chunk) => bytes.extend_from_slice(&chunk),
                    Err(_) => {
                        failed = true;
                        break;
                    }
                }
            }
            let (text, whole) = unpacked(encoding, &bytes);
            assert!(failed, "{format} {encoding}: the server must cut the body");
            assert!(!whole, "{format} {encoding}: the compressed text must have no end");
            assert!(text.len() >= 64 << 10, "{format} {encoding}: {} bytes", text.len());
            if format == "ndjson" {
                let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
                assert_eq!(last["status"]["complete"], false, "the reason is sent before the cut");
            }
        }
    }
}

#[tokio::test]
async fn a_compressed_stream_sends_while_the_query_runs() {
    let lake = Lake::open().await;
    for encoding in ["gzip", "zstd"] {
        let sql = "SELECT value FROM generate_series(1, 2000000)";
        let response = lake.router().oneshot(query(sql, "csv", encoding)).await.unwrap();
        let mut stream = response.into_body().into_data_stream();
        stream.next().await.unwrap().unwrap();
        assert!(
            lake.records.0.lock().unwrap().is_empty(),
            "the query must not have ended before its rows were asked for"
        );
        drop(stream);
        let cancelled = async {
            while lake.records.0.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), cancelled).await.unwrap();
        lake.records.0.lock().unwrap().clear();
    }
}

async fn post(lake: &Lake, encoding: &str, body: Vec<u8>) -> Reply {
    let request = Request::post("/v1/query").header("content-type", "application/json");
    lake.send(request.header("content-encoding", encoding).body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_statement_may_come_compressed() {
    let lake = Lake::open().await;
    let statement = br#"{"sql": "SELECT 'yes' AS a"}"#;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(statement).unwrap();
    let bodies = [
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::encode_all(&statement[..], 1).unwrap()),
        ("identity", statement.to_vec()),
    ];
    for (encoding, body) in bodies {
        let reply = post(&lake, encoding, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{encoding}: {}", reply.text());
        assert_eq!(reply.json()["rows"][0]["a"], "yes");
    }
    let reply = post(&lake, "br", statement.to_vec()).await;
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, &"unsupported_media_type".into())
    );
    assert!(reply.json()["hint"].as_str().unwrap().contains("gzip"));
    assert_eq!(post(&lake, "gzip", statement.to_vec()).await.status, StatusCode::BAD_REQUEST, "it is no gzip");
}

/// A zstd frame of 4,096 blocks that say "128 KiB of this byte": 16 KiB that stand for 512 MiB.
fn bomb() -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    // Magic number; no size, no checksum, no dictionary; a window of 128 KiB (2^(10 + 7)).
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3];
    for block in 0..4096 {
        let header = u32::from(block == 4095) | 1 << 1 | BLOCK << 3;
        bytes.extend_from_slice(&header.to_le_bytes()[..3]);
        bytes.push(b' ');
    }
    bytes
}

#[tokio::test]
async fn a_small_body_that_becomes_a_large_one_is_refused_at_the_limit() {
    let lake = Lake::open().await;
    let bomb = bomb();
    assert!(bomb.len() < 17 << 10);
    // It is what it claims to be: more than the limit comes out of it.
    let mut out = vec![0; lake.state.limits.body_bytes + 1];
    zstd::Decoder::new(&bomb[..]).unwrap().read_exact(&mut out).unwrap();
    let reply = post(&lake, "zstd", bomb).await;
    assert_eq!((reply.status, &reply.json()["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"payload_too_large".into()));
}
