//! Which requests an expansion has: order, names, carriers, samples.

use std::collections::{BTreeMap, BTreeSet};

use super::{CarrierProtocol, ExpandedRequest, ExpansionOptions, RequestKind, expand};
use crate::model::located::Located;
use crate::model::payload::PayloadClass;
use crate::model::request::{Framing, Protocol};
use crate::model::seed::Seed;
use crate::model::seed_position::SeedPosition;

fn seed(name: &str, class: PayloadClass, positions: &[SeedPosition]) -> Seed {
    Seed {
        name: Located::unwritten(name.into()),
        class,
        why: "It is a test.".into(),
        value: b"1' OR '1'='1".to_vec(),
        twin: (class != PayloadClass::Benign).then(|| b"O'Brien".to_vec()),
        positions: positions.into(),
        encodings: None,
    }
}

/// Many seeds of one class, few of two others.
fn uneven() -> Vec<Seed> {
    let positions = [SeedPosition::Query, SeedPosition::Json];
    let mut seeds: Vec<Seed> = (0..40)
        .map(|number| seed(&format!("many-{number}"), PayloadClass::Sqli, &positions))
        .collect();
    for number in 0..5 {
        seeds.push(seed(
            &format!("few-{number}"),
            PayloadClass::Xss,
            &positions,
        ));
        seeds.push(seed(
            &format!("fine-{number}"),
            PayloadClass::Benign,
            &positions,
        ));
    }
    seeds
}

fn names(requests: &[ExpandedRequest]) -> Vec<&str> {
    requests
        .iter()
        .map(|request| request.name.as_str())
        .collect()
}

fn numbered(seed: u64, limit: Option<usize>) -> ExpansionOptions {
    ExpansionOptions { seed, limit }
}

#[test]
fn an_attack_comes_before_its_twin_in_every_encoding_of_every_position() {
    let seeds = [seed(
        "one",
        PayloadClass::Sqli,
        &[SeedPosition::Json, SeedPosition::Header],
    )];
    let expanded = expand(&seeds, numbered(1, None));
    assert_eq!(
        names(&expanded),
        [
            "one-json-plain",
            "one-json-plain-twin",
            "one-json-unicode-escape",
            "one-json-unicode-escape-twin",
            "one-header-plain",
            "one-header-plain-twin",
            "one-header-percent",
            "one-header-percent-twin",
        ]
    );
    assert_eq!(expanded[0].kind, RequestKind::Attack);
    assert_eq!(expanded[1].kind, RequestKind::Twin);
}

#[test]
fn a_twin_differs_from_its_attack_in_the_value_alone() {
    let seeds = [seed("one", PayloadClass::Sqli, &[SeedPosition::Header])];
    let expanded = expand(&seeds, numbered(1, None));
    let twin = format!("{:?}", expanded[1].request);
    let attack = format!("{:?}", expanded[0].request);
    assert_eq!(attack.replace("1' OR '1'='1", "O'Brien"), twin);
}

#[test]
fn another_number_changes_the_carrier_and_not_the_value() {
    let seeds = [seed("one", PayloadClass::Benign, &[SeedPosition::Json])];
    let bodies: Vec<String> = (0..20)
        .map(|number| {
            let expanded = expand(&seeds, numbered(number, None));
            let body = expanded[0]
                .request
                .body_bytes()
                .expect("valid")
                .expect("a body");
            String::from_utf8(body).expect("text")
        })
        .collect();
    assert!(
        bodies.iter().all(|body| body.contains("\"1' OR '1'='1\"")),
        "{bodies:?}"
    );
    assert!(bodies.iter().any(|body| *body != bodies[0]), "{bodies:?}");
}

#[test]
fn another_number_changes_the_protocol_and_a_twin_has_its_attacks() {
    let seeds = [seed("one", PayloadClass::Sqli, &[SeedPosition::Header])];
    let mut seen = BTreeSet::new();
    for number in 0..40 {
        let expanded = expand(&seeds, numbered(number, None));
        assert_eq!(expanded[0].protocol, expanded[1].protocol);
        seen.insert(expanded[0].protocol);
    }
    assert_eq!(seen, BTreeSet::from(CarrierProtocol::ALL));
}

#[test]
fn a_request_is_sent_as_its_protocol_says() {
    for request in expand(&uneven(), numbered(1, None)) {
        let framing = request.request.body.as_ref().map(|body| body.framing);
        match request.protocol {
            CarrierProtocol::H2 => assert_eq!(request.request.protocol, Protocol::H2),
            CarrierProtocol::Http1 => assert_ne!(framing, Some(Framing::Chunked)),
            CarrierProtocol::Http1Chunked => {
                assert_eq!(request.request.protocol, Protocol::Http1);
                assert_eq!(framing, Some(Framing::Chunked));
            }
        }
        request.request.check_form().expect("it can be sent");
    }
}

#[test]
fn a_request_does_not_depend_on_the_other_seeds() {
    let seeds = uneven();
    let all = expand(&seeds, numbered(3, None));
    let alone = expand(&seeds[7..8], numbered(3, None));
    for request in &alone {
        let same = all
            .iter()
            .find(|other| other.name == request.name)
            .expect("it is there");
        assert_eq!(format!("{same:?}"), format!("{request:?}"));
    }
}

#[test]
fn a_limit_samples_classes_and_positions_evenly() {
    let expanded = expand(&uneven(), numbered(3, Some(60)));
    assert_eq!(expanded.len(), 60);
    let mut groups: BTreeMap<_, usize> = BTreeMap::new();
    for request in expanded
        .iter()
        .filter(|request| request.kind != RequestKind::Twin)
    {
        *groups.entry((request.class, request.position)).or_default() += 1;
    }
    assert_eq!(groups.len(), 6, "{groups:?}");
    let most = groups.values().max().expect("groups");
    let least = groups.values().min().expect("groups");
    assert!(most - least <= 1, "{groups:?}");
}

#[test]
fn a_sample_is_a_part_of_the_whole_and_the_same_each_time() {
    let all = expand(&uneven(), numbered(3, None));
    let first = expand(&uneven(), numbered(3, Some(41)));
    let second = expand(&uneven(), numbered(3, Some(41)));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    let mut rest = all.iter();
    for request in &first {
        let same = rest
            .find(|other| other.name == request.name)
            .expect("in order");
        assert_eq!(format!("{same:?}"), format!("{request:?}"));
    }
    assert_ne!(
        names(&first),
        names(&expand(&uneven(), numbered(4, Some(41))))
    );
}

#[test]
fn an_attack_is_never_sampled_without_its_twin() {
    for limit in 0..30 {
        let expanded = expand(&uneven(), numbered(9, Some(limit)));
        assert!(expanded.len() <= limit);
        let count = |kind| {
            expanded
                .iter()
                .filter(|request| request.kind == kind)
                .count()
        };
        assert_eq!(
            count(RequestKind::Attack),
            count(RequestKind::Twin),
            "{limit}"
        );
    }
}

#[test]
fn a_limit_over_the_whole_changes_nothing() {
    let all = expand(&uneven(), numbered(3, None));
    let limited = expand(&uneven(), numbered(3, Some(usize::MAX)));
    assert_eq!(format!("{all:?}"), format!("{limited:?}"));
}
