//! Values in the request target: the path, a query value, the name of a query parameter.

use super::carrier;
use super::encode::{Grammar, percent_encoded};
use super::random::Random;
use crate::model::request::RequestSpec;
use crate::model::seed_position::Encoding;

/// Puts the value behind two ordinary segments.
pub(super) fn path(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let written = percent_encoded(value, encoding, Grammar::Path);
    let target = format!("{}/{written}", carrier::path(random));
    carrier::without_body(target, Vec::new(), random)
}

/// Puts the value into a query parameter.
pub(super) fn query(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let name = carrier::name(random).to_owned();
    let written = percent_encoded(value, encoding, Grammar::Field);
    with_parameter(name, written, random)
}

/// Makes the value the name of a query parameter.
pub(super) fn query_name(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let written = percent_encoded(value, encoding, Grammar::FieldName);
    with_parameter(written, "1".into(), random)
}

fn with_parameter(name: String, value: String, random: &mut Random) -> RequestSpec {
    let path = carrier::path(random);
    let pairs = carrier::among_neighbours(name, value, random);
    let target = format!("{path}?{}", carrier::joined(&pairs, "&"));
    carrier::without_body(target, Vec::new(), random)
}
