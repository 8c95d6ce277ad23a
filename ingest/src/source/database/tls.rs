//! Whom an encrypted connection trusts: the system's authorities and those of the connection's `ca_file`.

use std::path::Path;
use std::sync::Once;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use xiangyun_engine::error::BoxError;

use super::error::DatabaseError;
use crate::connection::ConnectionDef;

/// The certificates that are trusted.
pub(super) fn trusted(root: &Path, def: &ConnectionDef) -> Result<Vec<CertificateDer<'static>>, DatabaseError> {
    install_provider();
    // Certificates of the system that cannot be read are left out: whoever needs them is refused by name.
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = &def.ca_file {
        let failed =
            |source: BoxError| DatabaseError::CaFile { connection: def.name.clone(), path: path.clone(), source };
        let read = CertificateDer::pem_file_iter(root.join(path)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let own = read.map_err(|error| failed(error.into()))?;
        if own.is_empty() {
            return Err(failed("it holds no certificate".into()));
        }
        certificates.extend(own);
    }
    Ok(certificates)
}

/// A configuration that trusts `certificates` and verifies who answers.
pub(super) fn client(certificates: Vec<CertificateDer<'static>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Two providers of cryptography are linked in; one has to be chosen. One that the process has chosen already stays.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
