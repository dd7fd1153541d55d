//! The TLS identity of the gRPC listener, from PEM files.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::settings::TlsFiles;

/// Why a TLS identity cannot be used. A key's content is never part of it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is unreadable or not PEM.
    #[error("cannot read the certificate {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: pem::Error,
    },
    /// The certificate file is PEM without a certificate.
    #[error("cannot read the certificate {}: it holds none", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file is unreadable, not PEM, or without a key.
    #[error("cannot read the private key {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not go together.
    #[error("cannot use the certificate with its key")]
    Identity(#[source] rustls::Error),
}

/// Loads the identity; HTTP/2 is the only protocol on offer.
///
/// # Errors
///
/// A file cannot be read, or certificate and key do not go together.
pub fn load(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |source| TlsError::Certificate {
        path: files.certificate.clone(),
        source,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: files.certificate.clone(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Key {
        path: files.key.clone(),
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Identity)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
