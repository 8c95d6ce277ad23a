//! TLS: a certificate and its key from files, read again when they change.
//!
//! A new certificate takes effect for new connections, without a restart. Files that cannot be used leave the old one in
//! place, and the log says why.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use xiangyun_engine::error::Classify;
use xiangyun_engine::{Error, ErrorKind};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate cannot be read.
    #[error("cannot read the certificate {path}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key cannot be read.
    #[error("cannot read the key {path}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("the certificate {certificate} cannot be used with the key {key}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("cannot set TLS up")]
    SetUp(#[source] rustls::Error),
}

impl Classify for TlsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SetUp(_) => ErrorKind::Internal,
            _ => ErrorKind::InvalidInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Certificate { .. } | Self::NoCertificate { .. } => Some(
                "`server.tls_certificate` is a PEM file of the server's certificate, followed by those that signed it"
                    .into(),
            ),
            Self::Key { .. } | Self::Unusable { .. } => {
                Some("`server.tls_key` is a PEM file of the key of the first certificate, without a passphrase".into())
            }
            Self::SetUp(_) => None,
        }
    }
}

/// A certificate that follows its files. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    files: Arc<Files>,
    look_every: Duration,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// The files as they were when they were read last, whatever came of it.
    seen: Mutex<Seen>,
}

/// Time and size of both files.
type Seen = [Option<(SystemTime, u64)>; 2];

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads a certificate with those that signed it, and its key, both PEM.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let seen = [certificate, key].map(look);
        let read = read(certificate, key, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(read))));
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::SetUp)?;
        let resolver = Arc::clone(&current) as Arc<dyn ResolvesServerCert>;
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let files =
            Files { certificate: certificate.into(), key: key.into(), provider, current, seen: Mutex::new(seen) };
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), files: Arc::new(files), look_every: LOOK_EVERY })
    }

    /// Looks at the files this often instead of every few seconds.
    pub fn looking_every(self, time: Duration) -> Self {
        Self { look_every: time, ..self }
    }

    /// Agrees on TLS with a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Follows the files for as long as it is polled: when one of them has changed, and when the process is told to by a
    /// hang-up signal.
    pub(super) async fn follow(&self) -> Infallible {
        let mut hang_up = HangUp::listen();
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(self.look_every) => false,
                () = hang_up.next() => true,
            };
            let files = Arc::clone(&self.files);
            // Files may be on a disk that is slow.
            if let Err(error) = tokio::task::spawn_blocking(move || files.read_again(asked)).await {
                tracing::error!(%error, "the certificate was not looked at");
            }
        }
    }
}

impl Files {
    /// Takes the files' certificate where they have changed, or in any case when asked. One that cannot be used is told.
    fn read_again(&self, asked: bool) {
        let now = [&self.certificate, &self.key].map(|path| look(path));
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        if now == before && !asked {
            return;
        }
        match read(&self.certificate, &self.key, &self.provider) {
            Ok(read) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                tracing::info!(certificate = %self.certificate.display(), "the certificate was read again");
            }
            Err(error) => {
                let error = Error::from(error);
                tracing::error!(error = error.chain(), "the new certificate is not used, the old one remains");
            }
        }
    }
}

fn look(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let unreadable = |source| TlsError::Certificate { path: certificate.into(), source };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(unreadable)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: certificate.into() });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key { path: key.into(), source })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| TlsError::Unusable {
        certificate: certificate.into(),
        key: key.into(),
        source,
    })
}

/// The signal by which supervisors ask to read files again.
struct HangUp {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl HangUp {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signal = signal(SignalKind::hangup());
        if let Err(error) = &signal {
            tracing::warn!(%error, "hang-up signals are not heard; the certificate's files are still looked at");
        }
        Self { signal: signal.ok() }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
