//! TLS towards the proxy: which certificates are trusted, and what is offered.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::plan::TlsPlan;

/// The most bytes of a protocol's name in ALPN.
const ALPN_NAME_LIMIT: usize = 255;

/// What the connections of a stream are secured with.
#[derive(Clone)]
pub(crate) struct TlsClient {
    connector: tokio_rustls::TlsConnector,
    server_name: ServerName<'static>,
}

/// Why connections cannot be secured as the plan says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsPlanError {
    /// A protocol's name is empty or too long.
    #[error("`{name}` is not a protocol that can be offered")]
    Alpn {
        /// The name.
        name: String,
    },
    /// The certificates are not base64.
    #[error("the trusted certificates are not base64")]
    Base64(#[source] base64::DecodeError),
    /// The certificates are not PEM.
    #[error("the trusted certificates are not PEM")]
    Pem(#[source] pem::Error),
    /// There is no certificate.
    #[error("there is no trusted certificate")]
    NoCertificate,
    /// A certificate cannot be trusted.
    #[error("a trusted certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// The library offers no version of TLS.
    #[error("TLS cannot be set up")]
    Versions(#[source] rustls::Error),
    /// The server's name is malformed.
    #[error("`{name}` is not a server's name")]
    ServerName {
        /// The name.
        name: String,
        /// What the parser said.
        #[source]
        source: InvalidDnsNameError,
    },
}

impl TlsClient {
    /// Checks the plan.
    pub(crate) fn new(plan: &TlsPlan) -> Result<Self, TlsPlanError> {
        let refused = plan
            .alpn
            .iter()
            .find(|name| name.is_empty() || name.len() > ALPN_NAME_LIMIT);
        if let Some(name) = refused {
            return Err(TlsPlanError::Alpn { name: name.clone() });
        }
        let pem = STANDARD
            .decode(&plan.ca_pem_base64)
            .map_err(TlsPlanError::Base64)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots
                .add(certificate.map_err(TlsPlanError::Pem)?)
                .map_err(TlsPlanError::Certificate)?;
        }
        if roots.is_empty() {
            return Err(TlsPlanError::NoCertificate);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsPlanError::Versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = plan.alpn.iter().map(|name| name.clone().into()).collect();
        let server_name = ServerName::try_from(plan.server_name.clone());
        Ok(Self {
            connector: Arc::new(config).into(),
            server_name: server_name.map_err(|source| TlsPlanError::ServerName {
                name: plan.server_name.clone(),
                source,
            })?,
        })
    }

    /// Secures a connection.
    pub(crate) async fn secure(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector
            .connect(self.server_name.clone(), stream)
            .await
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TlsClient")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
