//! Certificates for the hop between proxy and agent: made anew for each run, and trusted nowhere else.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use super::secret::SecretText;

/// The secret that holds the certificates.
pub const CERTIFICATES_SECRET: &str = "conformance-certificates";
/// The certificate of the authority that has signed the agent's; the proxy may trust it.
pub const CA_FILE: &str = "ca.crt";
/// The agent's certificate.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// The private key of the agent's certificate.
pub const KEY_FILE: &str = "tls.key";
/// The certificate of an authority that has signed nothing here: who trusts it alone must refuse the agent.
pub const STRANGER_CA_FILE: &str = "stranger-ca.crt";

/// The name on the agent's certificate, besides `localhost` and the loopback address.
pub const CERTIFICATE_NAME: &str = "sigsci-agent";

/// An authority, a certificate for the agent that it has signed, and an authority that has not. All PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: String,
    /// The agent's certificate.
    pub certificate: String,
    /// The agent's private key.
    pub key: SecretText,
    /// The certificate of another authority.
    pub stranger_ca: String,
}

/// Why no certificates can be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make certificates")]
pub struct CertificateError(#[from] rcgen::Error);

impl Certificates {
    /// Makes authorities and a certificate with new keys.
    pub fn invent() -> Result<Self, CertificateError> {
        let authority = authority("conformance authority")?;
        let stranger = authority_certificate("conformance stranger")?;
        let key = KeyPair::generate()?;
        let mut parameters =
            CertificateParams::new(vec!["localhost".to_owned(), CERTIFICATE_NAME.to_owned()])?;
        parameters
            .subject_alt_names
            .push(SanType::IpAddress([127, 0, 0, 1].into()));
        parameters
            .distinguished_name
            .push(DnType::CommonName, CERTIFICATE_NAME);
        let certificate = parameters.signed_by(&key, &authority)?;
        Ok(Self {
            ca: authority.pem(),
            certificate: certificate.pem(),
            key: SecretText::new(key.serialize_pem()),
            stranger_ca: stranger,
        })
    }

    /// Returns the files as a secret holds them, by name.
    pub fn files(&self) -> [(&'static str, SecretText); 4] {
        [
            (CA_FILE, SecretText::new(&self.ca)),
            (CERTIFICATE_FILE, SecretText::new(&self.certificate)),
            (KEY_FILE, self.key.clone()),
            (STRANGER_CA_FILE, SecretText::new(&self.stranger_ca)),
        ]
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)
}

fn authority_certificate(name: &str) -> Result<String, rcgen::Error> {
    authority(name).map(|authority| authority.pem())
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    fn is_trusted(certificate: &str, authority: &str, name: &'static str) -> bool {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
        roots.add(authority).expect("an authority");
        let verifier = WebPkiServerVerifier::builder_with_provider(
            roots.into(),
            ring::default_provider().into(),
        )
        .build()
        .expect("a verifier");
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        verifier
            .verify_server_cert(
                &certificate,
                &[],
                &ServerName::try_from(name).expect("a name"),
                &[],
                UnixTime::now(),
            )
            .is_ok()
    }

    #[test]
    fn the_agents_certificate_is_trusted_by_its_authority_under_its_names_and_by_no_other() {
        let made = Certificates::invent().expect("certificates");
        for name in ["localhost", CERTIFICATE_NAME, "127.0.0.1"] {
            assert!(is_trusted(&made.certificate, &made.ca, name), "{name}");
            assert!(!is_trusted(&made.certificate, &made.stranger_ca, name));
        }
        assert!(!is_trusted(&made.certificate, &made.ca, "other"));
    }

    #[test]
    fn the_private_key_does_not_show_in_debug_output() {
        let made = Certificates::invent().expect("certificates");
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
}
