//! Addresses as texts: `host:port`, and the paths of unix sockets.

use crate::settings::error::SettingsError;
use crate::settings::validated::{ListenAddress, SocketTarget};

pub(super) fn address(variable: &'static str, text: &str) -> Result<ListenAddress, SettingsError> {
    let refused = || SettingsError::Address {
        variable,
        text: text.into(),
    };
    let (host, port) = text.trim().rsplit_once(':').ok_or_else(refused)?;
    let port = port.parse().map_err(|_| refused())?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') && !is_bracketed || host.chars().any(char::is_whitespace) {
        return Err(refused());
    }
    // An empty host means every interface, as it does for the vendor's listeners (Go's net.Listen).
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "" => "0.0.0.0",
        host => host,
    };
    Ok(ListenAddress {
        host: host.into(),
        port,
    })
}

// The vendor documents host:port only. A path needs its scheme, so that a forgotten port is not taken for a file.
pub(super) fn grpc_address_of(text: &str) -> Result<SocketTarget, SettingsError> {
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') => Ok(SocketTarget::Unix(path.into())),
        Some(_) | None => address("SIGSCI_ENVOY_GRPC_ADDRESS", text).map(SocketTarget::Tcp),
    }
}

pub(super) fn rpc_address(text: &str) -> Result<SocketTarget, SettingsError> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    if path.contains('/') {
        return Ok(SocketTarget::Unix(path.into()));
    }
    address("SIGSCI_RPC_ADDRESS", text).map(SocketTarget::Tcp)
}
