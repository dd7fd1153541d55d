//! Values in bodies: a form field, a JSON string, a GraphQL variable, XML.

use super::carrier;
use super::encode::{Grammar, json_string, percent_encoded, xml_text};
use super::random::Random;
use crate::model::request::RequestSpec;
use crate::model::seed_position::Encoding;

/// Puts the value into a field of an HTML form.
pub(super) fn form(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let name = carrier::name(random).to_owned();
    let written = percent_encoded(value, encoding, Grammar::Field);
    let pairs = carrier::among_neighbours(name, written, random);
    let body = carrier::joined(&pairs, "&").into_bytes();
    carrier::with_body("application/x-www-form-urlencoded", body, random)
}

/// Puts the value into a string somewhere inside a JSON document.
pub(super) fn json(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let written = json_string(&String::from_utf8_lossy(value), encoding);
    let name = carrier::name(random);
    let document = match random.below(4) {
        0 => format!("{{\"{name}\":{written}}}"),
        1 => format!("{{\"id\":7,\"entry\":{{\"{name}\":{written},\"draft\":false}}}}"),
        2 => format!("{{\"entries\":[{{\"id\":1}},{{\"id\":2,\"{name}\":{written}}}]}}"),
        _ => format!("{{\"lines\":[\"first\",{written}],\"{name}\":null}}"),
    };
    carrier::with_body("application/json", document.into_bytes(), random)
}

/// Puts the value into a variable of a GraphQL request.
pub(super) fn graphql(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let written = json_string(&String::from_utf8_lossy(value), encoding);
    let name = carrier::name(random);
    let query = match random.below(2) {
        0 => format!("query Find(${name}: String!) {{ entries({name}: ${name}) {{ id }} }}"),
        _ => format!("mutation Add(${name}: String!) {{ add({name}: ${name}) {{ id title }} }}"),
    };
    let document = format!("{{\"query\":\"{query}\",\"variables\":{{\"{name}\":{written}}}}}");
    carrier::with_body("application/json", document.into_bytes(), random)
}

/// Puts the value into an element of an XML document.
pub(super) fn xml(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let written = xml_text(&String::from_utf8_lossy(value), encoding);
    let name = carrier::name(random);
    let root = random.pick(&["entry", "order", "request"]);
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}><id>7</id><{name}>{written}</{name}></{root}>\n"
    );
    carrier::with_body(xml_type(random), document.into_bytes(), random)
}

/// Makes the value the whole body.
pub(super) fn xml_document(value: &[u8], random: &mut Random) -> RequestSpec {
    carrier::with_body(xml_type(random), value.into(), random)
}

fn xml_type(random: &mut Random) -> &'static str {
    random.pick(&["application/xml", "text/xml", "application/soap+xml"])
}
