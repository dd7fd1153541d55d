//! Writes an address and a port as one text: IPv6 addresses stand in brackets (RFC 3986, section 3.2.2).

use std::net::Ipv6Addr;

/// Puts an address, or a name, and a port together.
pub fn authority(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.96.0.1", "10.96.0.1:8000")]
    #[case("fd00::1", "[fd00::1]:8000")]
    #[case("localhost", "localhost:8000")]
    fn only_an_ipv6_address_stands_in_brackets(#[case] host: &str, #[case] wanted: &str) {
        assert_eq!(authority(host, 8000), wanted);
    }
}
