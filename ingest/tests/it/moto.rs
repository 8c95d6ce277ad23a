//! An S3-compatible server for tests: `moto_server`, whose path is in `XIANGYUN_MOTO` (`make test` sets it).

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use object_store::ObjectStoreExt;
use xiangyun_engine::storage::StorageOptions;

/// A running server; stopped when dropped.
pub(crate) struct Moto {
    process: Child,
    endpoint: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Moto {
    /// Starts a server with the bucket `lake` that takes any key; `None`, with a line that says so, where
    /// `XIANGYUN_MOTO` is not set.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[]).await
    }

    /// As [`Self::start`], but it knows no key and refuses all: only the bucket was made without one.
    pub(crate) async fn start_locked(test: &str) -> Option<Self> {
        Self::start_with(test, &[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]).await
    }

    async fn start_with(test: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let Some(program) = std::env::var_os("XIANGYUN_MOTO") else {
            eprintln!("SKIPPED {test}: XIANGYUN_MOTO does not name a moto_server (run `make test`)");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The interpreter beside it has moto too.
        let mut process = Command::new(Path::new(&program).with_file_name("python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto_server.py"))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The server says on standard error when it listens. The rest is read so that it never blocks on the pipe.
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("Running on")), "moto did not start");
        std::thread::spawn(move || lines.for_each(drop));
        let moto = Self { process, endpoint: format!("http://127.0.0.1:{port}") };
        moto.create_bucket().await;
        Some(moto)
    }

    pub(crate) fn options(&self, url: &str) -> StorageOptions {
        options(&self.endpoint, url)
    }

    /// `PUT /lake` makes the bucket: written as the object called nothing of a bucket that is the endpoint's root.
    async fn create_bucket(&self) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("PUT /lake HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
}

/// A lake on the server at `endpoint`.
pub(crate) fn options(endpoint: &str, url: &str) -> StorageOptions {
    StorageOptions {
        url: url.into(),
        endpoint: Some(endpoint.into()),
        region: Some("us-east-1".into()),
        access_key_id: Some("test-key".into()),
        secret_access_key: Some("test-secret".into()),
        allow_http: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_and_a_dead_endpoint_are_named() {
    let Some(moto) = Moto::start("a_missing_bucket_and_a_dead_endpoint_are_named").await else { return };
    let error = xiangyun_engine::storage::Storage::open(&moto.options("s3://nowhere/x")).await.unwrap_err();
    assert_eq!(error.to_string(), "bucket `nowhere` was not found while opening the lake");
    assert!(!format!("{error:?}").contains("test-secret"));

    let storage = xiangyun_engine::storage::Storage::open(&moto.options("s3://lake/root")).await.unwrap();
    storage.probe_conditional_put().await.unwrap();
    let left = storage.store.head(&storage.root.clone().join("_xiangyun")).await;
    assert!(left.is_err(), "the probe left something behind");
}
