//! The server over TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use xiangyun_api::{AppState, HttpLimits, Tls, serve_tls};
use xiangyun_engine::ErrorKind;

use crate::lake::Lake;

/// Long enough for any machine: what takes longer has failed.
const AT_MOST: Duration = Duration::from_secs(30);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap()
}

/// A server whose certificate can be changed.
struct Server {
    address: SocketAddr,
    files: tempfile::TempDir,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(state: AppState) -> Self {
        let files = tempfile::tempdir().unwrap();
        put(files.path(), "first");
        let tls = Tls::load(&files.path().join("server.pem"), &files.path().join("server.key")).unwrap();
        let tls = tls.looking_every(Duration::from_millis(20));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move { serve_tls(listener, tls, state, stopped).await.unwrap() });
        Self { address, files, stop, task }
    }

    /// A connection of a client that trusts both certificates and speaks these protocols.
    async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        ["first", "second"].into_iter().for_each(|name| roots.add(certificate(name)).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self) -> CertificateDer<'static> {
        self.connect(&[]).await.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(AT_MOST, self.task).await.unwrap().unwrap();
    }
}

/// Takes a certificate and its key for the server's.
fn put(folder: &Path, name: &str) {
    for kind in ["key", "pem"] {
        std::fs::copy(fixture(&format!("{name}.{kind}")), folder.join(format!("server.{kind}"))).unwrap();
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(AT_MOST, held).await.is_ok(), "{what}");
}

#[tokio::test]
async fn both_versions_of_http_are_agreed_on() {
    let lake = Lake::open().await;
    let server = Server::start(lake.state.clone()).await;
    for (offered, agreed) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"][..], Some("http/1.1")), (&[], None)]
    {
        let stream = server.connect(offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes), "{offered:?}");
    }
    let mut stream = server.connect(&["http/1.1"]).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let root = reqwest::Certificate::from_pem(&std::fs::read(fixture("first.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().add_root_certificate(root).build().unwrap();
    let url = format!("https://localhost:{}/v1/tables", server.address.port());
    let reply = client.get(url).send().await.unwrap();
    assert_eq!((reply.version(), reply.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    server.stop().await;
}

#[tokio::test]
async fn a_changed_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let lake = Lake::open().await;
    let server = Server::start(lake.state.clone()).await;
    assert_eq!(server.shown().await, certificate("first"));
    put(server.files.path(), "second");
    until("the second certificate is taken", async || server.shown().await == certificate("second")).await;
    // A key that does not go with the certificate, then no certificate at all.
    std::fs::copy(fixture("first.key"), server.files.path().join("server.key")).unwrap();
    std::fs::write(server.files.path().join("server.pem"), "no certificate").unwrap();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(server.shown().await, certificate("second"), "the old one remains");
    }
    put(server.files.path(), "first");
    until("a sound one is taken again", async || server.shown().await == certificate("first")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_agree_is_let_go() {
    let lake = Lake::open().await;
    let limits = HttpLimits { handshake_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let server = Server::start(AppState { limits, ..lake.state.clone() }).await;
    // One that speaks plain HTTP, and one that says nothing.
    for sent in [&b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], b""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut bytes = Vec::new();
        let ended = tokio::time::timeout(AT_MOST, stream.read_to_end(&mut bytes)).await;
        assert!(ended.is_ok(), "the server must not wait for ever");
        assert!(!bytes.starts_with(b"HTTP"), "nothing is answered in the clear");
    }
    until("both are counted", async || {
        lake.get("/metrics").await.text().contains("http_server_tls_handshake_failures_total 2\n")
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, absent) = (folder.path().join("empty.pem"), folder.path().join("absent.pem"));
    std::fs::write(&empty, "").unwrap();
    let cases = [
        (absent.clone(), fixture("first.key"), "cannot read the certificate", "absent.pem"),
        (empty.clone(), fixture("first.key"), "holds no certificate", "empty.pem"),
        (fixture("first.pem"), absent, "cannot read the key", "absent.pem"),
        (fixture("first.pem"), empty, "cannot read the key", "empty.pem"),
        (fixture("first.pem"), fixture("second.key"), "cannot be used with the key", "second.key"),
    ];
    for (certificate, key, said, named) in cases {
        let error = Tls::load(&certificate, &key).err().unwrap();
        assert!(error.to_string().contains(said) && error.to_string().contains(named), "{}", error.chain());
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.hint().unwrap().contains("server.tls_"), "{:?}", error.hint());
    }
}

#[tokio::test]
async fn the_network_is_not_served_without_tokens_over_tls_either() {
    let lake = Lake::open().await;
    let tls = Tls::load(&fixture("first.pem"), &fixture("first.key")).unwrap();
    let listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap();
    let error = serve_tls(listener, tls, lake.state.clone(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("without a token file only loopback addresses are served"), "{error}");
}
