//! Requests for the metadata service of a cloud, in the many spellings of its address.
//!
//! Such a request is a value that a server fetches, so it is an address as a whole. Prose that mentions one passes.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::inspect::characters::Characters;

/// Returns the detector's name when the text is the address of a metadata service.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if !characters.has_any(PARTED) {
        return None;
    }
    let address = text.trim();
    if address.len() > LONGEST_ADDRESS || address.contains(char::is_whitespace) {
        return None;
    }
    let mut lower = address.to_ascii_lowercase();
    if characters.has_any(BACKSLASH) {
        lower = lower.replace('\\', "/");
    }
    if lower.starts_with('/') && METADATA_PATHS.iter().any(|path| is_below(&lower, path)) {
        return Some("STUB-METADATA-PATH".into());
    }
    let names_service = characters.has_any(SLASHES)
        && lower
            .match_indices("//")
            .take(NESTED_ADDRESSES)
            .any(|(at, slashes)| {
                is_service(host_of(&lower[at + slashes.len()..]), Numbers::AnyForm)
            });
    // Without a scheme, `2852039166` is a number like any other.
    (names_service || is_service(host_of(&lower), Numbers::Dotted))
        .then(|| "STUB-METADATA-HOST".into())
}

#[derive(Clone, Copy)]
enum Numbers {
    /// Any form that resolvers take: decimal, octal, hexadecimal, one to four parts.
    AnyForm,
    /// Four parts.
    Dotted,
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

fn host_of(address: &str) -> &str {
    let end = address.find(['/', '?', '#']).unwrap_or(address.len());
    let authority = &address[..end];
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(inner),
        None => host.split(':').next().unwrap_or(host),
    };
    host.trim_end_matches('.')
}

fn is_service(host: &str, numbers: Numbers) -> bool {
    if NAMES.contains(&host)
        || WILDCARD_SUFFIXES
            .iter()
            .any(|suffix| is_alias(host, suffix))
    {
        return true;
    }
    if host.contains(':')
        && let Ok(address) = host.parse::<Ipv6Addr>()
    {
        return address == EC2_IPV6
            || address
                .to_ipv4()
                .is_some_and(|address| ADDRESSES.contains(&address));
    }
    let has_four_parts = host.split('.').count() == 4;
    match numbers {
        Numbers::Dotted if !has_four_parts => false,
        Numbers::AnyForm | Numbers::Dotted => {
            parse_ipv4(host).is_some_and(|address| ADDRESSES.contains(&address))
        }
    }
}

// Public name services that answer with the address in the name.
fn is_alias(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| {
        let address = rest.rsplit("--").next().unwrap_or(rest).replace('-', ".");
        address
            .parse()
            .is_ok_and(|address| ADDRESSES.contains(&address))
    })
}

/// Reads an address as `inet_aton` does: one to four parts, each decimal, octal or hexadecimal, the last one filling what is
/// left.
fn parse_ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 0xff) {
        return None;
    }
    let bits_left = 32 - 8 * leading.len();
    if u64::from(*last) >= 1 << bits_left {
        return None;
    }
    let high = leading
        .iter()
        .enumerate()
        .fold(0, |sum, (place, part)| sum | (part << (24 - 8 * place)));
    Some(Ipv4Addr::from(high | last))
}

fn number(part: &str) -> Option<u32> {
    let is_alphanumeric =
        !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_alphanumeric());
    if !is_alphanumeric {
        return None;
    }
    if let Some(digits) = part.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    match part.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        Some(_) | None => part.parse().ok(),
    }
}

// Paths have slashes, names and addresses of version 4 have dots, and those of version 6 stand in brackets.
const PARTED: Characters = Characters::of("./\\[");
const SLASHES: Characters = Characters::of("/\\");
const BACKSLASH: Characters = Characters::of("\\");
const ADDRESSES: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
];
// fd00:ec2::254
const EC2_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const NAMES: &[&str] = &[
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "instance-data.ec2.internal",
];
const WILDCARD_SUFFIXES: &[&str] = &[".nip.io", ".sslip.io", ".xip.io"];
const METADATA_PATHS: &[&str] = &[
    "/latest/meta-data",
    "/latest/user-data",
    "/latest/api/token",
    "/latest/dynamic/instance-identity",
    "/computemetadata/v1",
    "/metadata/instance",
];
const NESTED_ADDRESSES: usize = 16;
const LONGEST_ADDRESS: usize = 2_048;
