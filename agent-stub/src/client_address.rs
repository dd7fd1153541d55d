//! Whose request it is: the client's address, from the header that is trusted to hold it, or else the peer's.
//!
//! By default the first element of the header counts, as the vendor's agent takes it. Any client can write that element, so
//! a deployment behind proxies of its own counts from the end instead.

use std::net::{IpAddr, SocketAddr};

use crate::exchange::CheckedRequest;
use crate::settings::{AddressElement, ClientAddressSource};

impl ClientAddressSource {
    /// Returns the client's address: the header's element where it is an address, else the peer's.
    pub fn address_of(&self, request: &CheckedRequest) -> String {
        let copies: Vec<&str> = request
            .headers
            .iter()
            .filter(|(name, _)| *name == self.header)
            .map(|(_, value)| value.as_str())
            .collect();
        let mut elements = copies.iter().flat_map(|copy| copy.split(','));
        let element = match self.element {
            AddressElement::First => elements.next(),
            AddressElement::FromEnd(place) => {
                let all: Vec<&str> = elements.collect();
                all.len().checked_sub(place).map(|at| all[at])
            }
        };
        element.and_then(parse).map_or_else(
            || request.peer_address.clone(),
            |address| address.to_string(),
        )
    }
}

// Proxies write addresses with ports and, for version 6, with brackets.
fn parse(element: &str) -> Option<IpAddr> {
    let text = element.trim().trim_matches('"');
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn address(element: AddressElement, headers: &[&str]) -> String {
        let source = ClientAddressSource {
            header: "x-forwarded-for".into(),
            element,
        };
        source.address_of(&CheckedRequest {
            peer_address: "10.0.0.9".into(),
            headers: headers
                .iter()
                .map(|value| ("x-forwarded-for".into(), (*value).into()))
                .collect(),
            ..CheckedRequest::default()
        })
    }

    #[rstest]
    #[case(AddressElement::First, &["192.0.2.1, 10.0.0.1"], "192.0.2.1")]
    #[case(AddressElement::First, &["192.0.2.1:4711"], "192.0.2.1")]
    #[case(AddressElement::First, &["[2001:DB8::1]:443, 10.0.0.1"], "2001:db8::1")]
    #[case(AddressElement::First, &["2001:db8::1"], "2001:db8::1")]
    #[case(AddressElement::First, &["::ffff:192.0.2.1"], "192.0.2.1")]
    #[case(AddressElement::First, &["192.0.2.1", "192.0.2.2"], "192.0.2.1")]
    #[case(AddressElement::FromEnd(1), &["192.0.2.1, 10.0.0.1"], "10.0.0.1")]
    #[case(AddressElement::FromEnd(2), &["203.0.113.1, 192.0.2.1, 10.0.0.1"], "192.0.2.1")]
    #[case(AddressElement::FromEnd(1), &["192.0.2.1", "10.0.0.1"], "10.0.0.1")]
    fn the_element_that_counts_is_the_address(
        #[case] element: AddressElement,
        #[case] headers: &[&str],
        #[case] expected: &str,
    ) {
        assert_eq!(address(element, headers), expected);
    }

    #[rstest]
    #[case(AddressElement::First, &[])]
    #[case(AddressElement::First, &[""])]
    #[case(AddressElement::First, &["unknown, 192.0.2.1"])]
    #[case(AddressElement::First, &["_hidden"])]
    #[case(AddressElement::First, &["1' OR '1'='1"])]
    #[case(AddressElement::FromEnd(3), &["192.0.2.1, 10.0.0.1"])]
    fn without_an_address_there_the_peer_counts(
        #[case] element: AddressElement,
        #[case] headers: &[&str],
    ) {
        assert_eq!(address(element, headers), "10.0.0.9");
    }
}
