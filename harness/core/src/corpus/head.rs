//! Values in header fields: one of free text, the user agent, a cookie.

use super::carrier;
use super::encode::{Grammar, percent_encoded};
use super::random::Random;
use crate::model::request::RequestSpec;
use crate::model::seed_position::Encoding;

/// Fields that applications make up and log. None has a grammar of its own that an agent could know.
const FREE_HEADERS: &[&str] = &[
    "x-account",
    "x-campaign",
    "x-client",
    "x-comment",
    "x-device",
    "x-tenant",
];

/// Puts the value into a field of free text.
pub(super) fn free(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let name = random.pick(FREE_HEADERS);
    let written = match encoding {
        Encoding::Percent => percent_encoded(value, encoding, Grammar::Field),
        Encoding::HtmlEntity
        | Encoding::PercentTwice
        | Encoding::Plain
        | Encoding::PlusAndMixedCaseHex
        | Encoding::UnicodeEscape => String::from_utf8_lossy(value).into_owned(),
    };
    around(format!("{name}: {written}"), random)
}

/// Makes the value the user agent.
pub(super) fn user_agent(value: &[u8], random: &mut Random) -> RequestSpec {
    around(
        format!("user-agent: {}", String::from_utf8_lossy(value)),
        random,
    )
}

/// Puts the value into a cookie among others.
pub(super) fn cookie(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let name = carrier::name(random).to_owned();
    let written = percent_encoded(value, encoding, Grammar::Cookie);
    let pairs = carrier::among_neighbours(name, written, random);
    around(format!("cookie: {}", carrier::joined(&pairs, "; ")), random)
}

fn around(field: String, random: &mut Random) -> RequestSpec {
    let target = carrier::path(random).to_owned();
    carrier::without_body(target, vec![field], random)
}
