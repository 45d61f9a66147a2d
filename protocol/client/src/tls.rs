//! TLS from a directory of PEM files, the same for every peer: `ca.pem`, and `NAME.pem` with `NAME.key` for each identity.
//!
//! TLS 1.3 only, with the ring provider; AES-128-GCM stands first, since it is the fastest on machines that have
//! instructions for it. Early data (0-RTT) is never on: it can be replayed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CipherSuite, ClientConfig, RootCertStore};

/// Files of a certificate directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or no PEM.
    #[error("{}: {source}; make a directory of certificates with `tidegate certs DIR`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file holds PEM, but not what it should.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// rustls takes neither key nor certificates.
    #[error("the certificates in {} cannot be used: {source}", directory.display())]
    Rustls {
        /// The directory.
        directory: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// One identity, and whom it trusts.
pub struct Files {
    /// The authorities of `ca.pem`.
    pub authorities: RootCertStore,
    /// The chain of `NAME.pem`.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of `NAME.key`.
    pub key: PrivateKeyDer<'static>,
}

impl Files {
    /// Reads `ca.pem`, `NAME.pem` and `NAME.key`.
    pub fn read(directory: &Path, name: &str) -> Result<Files, TlsError> {
        let mut authorities = RootCertStore::empty();
        for authority in certificates(directory.join("ca.pem"))? {
            authorities.add(authority).map_err(refused(directory))?;
        }
        let chain = certificates(directory.join(format!("{name}.pem")))?;
        let path = directory.join(format!("{name}.key"));
        let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| TlsError::File { path, source })?;
        Ok(Files { authorities, chain, key })
    }
}

fn certificates(path: PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(TlsError::Empty { path }),
        Ok(found) => Ok(found),
        Err(source) => Err(TlsError::File { path, source }),
    }
}

/// Names the directory of an error that rustls reports.
pub fn refused(directory: &Path) -> impl Fn(rustls::Error) -> TlsError {
    let directory = directory.to_owned();
    move |source| TlsError::Rustls { directory: directory.clone(), source }
}

/// ring, with AES-128-GCM first.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// What a client needs to connect as `identity`: `gateway`, `operator`, `observer`.
pub fn client_config(directory: &Path, identity: &str) -> Result<ClientConfig, TlsError> {
    let files = Files::read(directory, identity)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(refused(directory))?
        .with_root_certificates(files.authorities)
        .with_client_auth_cert(files.chain, files.key)
        .map_err(refused(directory))?;
    config.alpn_protocols = vec![tidegate_protocol::ALPN.to_vec()];
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
