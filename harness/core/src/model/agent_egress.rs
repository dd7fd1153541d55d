//! The way out of a pod that the agent's container alone can be given: `none`, `host`, or a proxy.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The port of a proxy whose address names none: that of HTTP.
const DEFAULT_PROXY_PORT: u16 = 80;

/// What the agent of a pod without a network reaches outside of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum AgentEgress {
    /// Nothing.
    #[default]
    None,
    /// What this machine reaches, by a proxy of the harness that opens connections and sees none of their content.
    Host,
    /// What a proxy of the user's lets through.
    Proxy(ProxyAddress),
}

/// The address of a proxy that speaks HTTP, without credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxyAddress {
    /// A name or an address; one of IPv6 without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "http://[{host}]:{port}")
        } else {
            write!(formatter, "http://{host}:{port}")
        }
    }
}

impl fmt::Display for AgentEgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Host => formatter.write_str("host"),
            Self::Proxy(address) => address.fmt(formatter),
        }
    }
}

/// A text that names no way out. It is not repeated where it may hold a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidEgress {
    /// It is none of the forms.
    #[error(
        "`{0}` is neither `none`, `host` nor the address of a proxy, as `http://proxy.example.com:3128`"
    )]
    Form(String),
    /// It has a user's name in it.
    #[error(
        "credentials of a proxy do not belong on a command line or in a file; name a proxy that needs none"
    )]
    Credentials,
}

impl FromStr for AgentEgress {
    type Err = InvalidEgress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => return Ok(Self::None),
            "host" => return Ok(Self::Host),
            _ => {}
        }
        let invalid = || InvalidEgress::Form(text.into());
        if text.contains('@') {
            return Err(InvalidEgress::Credentials);
        }
        let authority = text.strip_prefix("http://").ok_or_else(invalid)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or_else(invalid)?;
            let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
            (Some(host).filter(|_| is_address), port)
        } else {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (Some(host).filter(|host| is_host_name(host)), port)
        };
        let port = match port.strip_prefix(':') {
            Some(number) => number.parse().ok().filter(|port| *port != 0),
            None => Some(DEFAULT_PROXY_PORT).filter(|_| port.is_empty()),
        };
        match (host, port) {
            (Some(host), Some(port)) => Ok(Self::Proxy(ProxyAddress {
                host: host.into(),
                port,
            })),
            (None, _) | (_, None) => Err(invalid()),
        }
    }
}

fn is_host_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

impl TryFrom<String> for AgentEgress {
    type Error = InvalidEgress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AgentEgress> for String {
    fn from(egress: AgentEgress) -> Self {
        egress.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("none", "none")]
    #[case("host", "host")]
    #[case("http://proxy.example.com:3128", "http://proxy.example.com:3128")]
    #[case("http://proxy.example.com/", "http://proxy.example.com:80")]
    #[case("http://[::1]:3128", "http://[::1]:3128")]
    #[case("http://10.0.0.1", "http://10.0.0.1:80")]
    fn a_way_out_is_read_and_written(#[case] text: &str, #[case] written: &str) {
        let egress: AgentEgress = text.parse().expect("valid");
        assert_eq!(egress.to_string(), written);
        assert_eq!(written.parse(), Ok(egress));
    }

    #[rstest]
    #[case("")]
    #[case("Host")]
    #[case("proxy.example.com:3128")]
    #[case("https://proxy.example.com:3128")]
    #[case("http://")]
    #[case("http://:3128")]
    #[case("http://proxy:0")]
    #[case("http://proxy:65536")]
    #[case("http://proxy:1:2")]
    #[case("http://proxy/path")]
    #[case("http://[::1")]
    #[case("http://[proxy]:1")]
    fn what_is_no_way_out_is_refused(#[case] text: &str) {
        assert_eq!(
            text.parse::<AgentEgress>(),
            Err(InvalidEgress::Form(text.into()))
        );
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        let error = "http://user:hunter2@proxy:3128".parse::<AgentEgress>();
        let error = error.expect_err("it has a password");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
