//! The pages at `/` and `/docs`.

use axum::http::StatusCode;

use crate::lake::Lake;

#[tokio::test]
async fn each_page_is_whole_and_asks_nobody_else() {
    let lake = Lake::open().await;
    for (path, script) in [("/", "/app.js"), ("/docs", "/docs.js")] {
        let page = lake.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        for asset in [script, "/app.css"] {
            assert!(page.text().contains(&format!("\"{asset}\"")), "{asset}");
            let reply = lake.get(asset).await;
            assert_eq!(reply.status, StatusCode::OK, "{asset}");
            let foreign = reply.text().replace("http://www.w3.org/2000/svg", "");
            assert!(
                !foreign.contains("http://") && !foreign.contains("https://") && !foreign.contains("//cdn"),
                "{asset}"
            );
        }
        // Texts of the page are of both languages.
        assert!(page.text().contains("中文") && page.text().contains("English"));
    }
    assert!(lake.get("/").await.text().contains("href=\"/docs\""));
}
