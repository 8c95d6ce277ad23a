//! Files and APIs behind HTTPS, from a server whose certificate an authority of the agency's own has signed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use xiangyun_engine::{Error, ErrorKind};

use crate::loads::TABLE;
use crate::workspace::Lake;

const AUTHORITY: &[u8] = include_bytes!("../fixtures/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key");

/// A server that speaks TLS only and answers each request alike, as long as the tests run.
struct Server {
    port: u16,
    /// Requests that came through.
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(content_type: &'static str, body: &'static str) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, requests) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let (mut request, mut byte) = (Vec::new(), [0]);
                // A client that does not trust the certificate ends here.
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                    request.push(byte[0]);
                }
                if request.ends_with(b"\r\n\r\n") {
                    count.fetch_add(1, Ordering::SeqCst);
                    let head = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}");
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        Self { port, requests }
    }

    /// A load of `source` over a connection to this server, called `host`, with `settings` more.
    async fn load(&self, host: &str, settings: &str, source: &str) -> Result<Vec<Vec<String>>, Error> {
        let port = self.port;
        let connection = format!("version = 1\nname = \"portal\"\nurl = \"https://{host}:{port}/out\"\n{settings}\n");
        let pipeline = format!(
            "version = 1\nname = \"trades\"\ntable = \"market.trades\"\nmode = \"replace\"\nsource = {{ {source} }}\n"
        );
        let lake = Lake::open(&[
            ("tables/t.toml", TABLE.as_bytes()),
            ("pipelines/p.toml", pipeline.as_bytes()),
            ("connections/c.toml", connection.as_bytes()),
            ("certificates/ca.pem", AUTHORITY),
            ("certificates/none.pem", b"no certificate"),
        ])
        .await;
        lake.load("trades").await?;
        Ok(lake.sql("select id, amount from market.trades order by id").await)
    }
}

const KNOWN: &str = "ca_file = \"certificates/ca.pem\"";

/// Loads `source` from `server` with the authority known, and is refused without.
async fn only_a_known_authority_is_trusted(server: &Server, source: &str) {
    assert_eq!(server.load("127.0.0.1", KNOWN, source).await.unwrap(), [["1", "1.50"], ["2", "2.50"]]);
    let answered = server.requests.load(Ordering::SeqCst);
    assert!(answered > 0);
    // The certificate is one of 127.0.0.1 and of no other name.
    for (host, settings) in [("127.0.0.1", ""), ("localhost", KNOWN)] {
        let error = server.load(host, settings, source).await.unwrap_err();
        let message = format!("the certificate of `https://{host}:{}` is not trusted", server.port);
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::InvalidInput, message), "{}", error.chain());
        assert!(error.hint().unwrap().contains("`ca_file`"));
    }
    for (file, said) in [("none.pem", "holds no certificate"), ("absent.pem", "cannot read")] {
        let settings = format!("ca_file = \"certificates/{file}\"");
        let error = server.load("127.0.0.1", &settings, source).await.unwrap_err();
        assert!(error.chain().contains(said) && error.chain().contains(file), "{}", error.chain());
    }
    assert_eq!(server.requests.load(Ordering::SeqCst), answered, "a request went to a server that is not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_from_a_server_of_a_known_authority_only() {
    let server = Server::start("text/csv", "id,amount\n1,1.50\n2,2.50\n");
    only_a_known_authority_is_trusted(&server, r#"kind = "csv", path = "a.csv", connection = "portal""#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_answers_from_a_server_of_a_known_authority_only() {
    let server = Server::start("application/json", r#"[{"id":1,"amount":1.50},{"id":2,"amount":2.50}]"#);
    only_a_known_authority_is_trusted(&server, r#"kind = "http", path = "trades", connection = "portal""#).await;
}
