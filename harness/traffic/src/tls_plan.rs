//! What connections are secured with.

use serde::{Deserialize, Serialize};

/// How the connections of a stream are secured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsPlan {
    /// The name that is sent to the server, and that its certificate must have.
    pub server_name: String,
    /// The certificates that are trusted, as PEM in base64.
    pub ca_pem_base64: String,
    /// The protocols that are offered (ALPN), in order; empty offers none.
    #[serde(default)]
    pub alpn: Vec<String>,
}
