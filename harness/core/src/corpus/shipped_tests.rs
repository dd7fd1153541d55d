//! The shipped corpus is large enough, its names are unique, and its expansion can be sent.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::{CarrierProtocol, ExpansionOptions, RequestKind, expand};
use crate::model::corpora::load_corpora;
use crate::model::payload::PayloadClass;
use crate::model::project::Project;
use crate::model::seed::Seed;

fn shipped() -> Vec<Seed> {
    let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut complaints = Vec::new();
    let corpora = load_corpora(&Project::at(root), &mut complaints).expect("readable files");
    assert!(complaints.is_empty(), "{complaints:?}");
    corpora
        .seeds
        .into_values()
        .flat_map(|loaded| loaded.seeds)
        .collect()
}

#[test]
fn every_class_has_the_seeds_that_it_needs() {
    let mut counts: BTreeMap<PayloadClass, usize> = BTreeMap::new();
    for seed in shipped() {
        *counts.entry(seed.class).or_default() += 1;
    }
    for (class, least) in [
        (PayloadClass::AwsSsrf, 15),
        (PayloadClass::Backdoor, 15),
        (PayloadClass::Benign, 200),
        (PayloadClass::Cmdexe, 40),
        (PayloadClass::Codeinjection, 25),
        (PayloadClass::Log4jJndi, 20),
        (PayloadClass::Nullbyte, 10),
        (PayloadClass::Sqli, 50),
        (PayloadClass::Traversal, 35),
        (PayloadClass::Useragent, 20),
        (PayloadClass::Xss, 50),
        (PayloadClass::Xxe, 10),
    ] {
        let count = counts.get(&class).copied().unwrap_or_default();
        assert!(count >= least, "{class}: {count} of {least}");
    }
}

#[test]
fn every_class_is_sent_in_every_protocol() {
    // With the number and the limit of the shipped scenarios.
    let options = ExpansionOptions {
        seed: 1,
        limit: Some(400),
    };
    let mut counts: BTreeMap<(PayloadClass, CarrierProtocol), usize> = BTreeMap::new();
    let seeds = shipped();
    for class in seeds.iter().map(|seed| seed.class).collect::<BTreeSet<_>>() {
        let own: Vec<Seed> = seeds
            .iter()
            .filter(|seed| seed.class == class)
            .cloned()
            .collect();
        for request in expand(&own, options) {
            *counts.entry((class, request.protocol)).or_default() += 1;
        }
        for protocol in CarrierProtocol::ALL {
            let count = counts.get(&(class, protocol)).copied().unwrap_or_default();
            assert!(count >= 6, "{class} {protocol:?}: {count}");
        }
    }
}

#[test]
fn no_value_is_there_twice_and_no_twin_is_an_attack() {
    let seeds = shipped();
    let mut values: BTreeMap<&[u8], &str> = BTreeMap::new();
    for seed in &seeds {
        let first = values.insert(&seed.value, &seed.name);
        assert_eq!(first, None, "`{}` has the same value", *seed.name);
    }
    for seed in &seeds {
        if let Some(twin) = &seed.twin {
            let is_attack = seeds
                .iter()
                .any(|other| other.class != PayloadClass::Benign && other.value == *twin);
            assert!(!is_attack, "{}", *seed.name);
        }
    }
}

#[test]
fn names_of_requests_are_unique_and_short() {
    let expanded = expand(&shipped(), ExpansionOptions::default());
    let mut names = BTreeSet::new();
    for request in &expanded {
        assert!(names.insert(&request.name), "{}", request.name);
        assert!(request.name.len() <= 100, "{}", request.name);
    }
}

#[test]
fn every_request_fits_what_the_proxy_shows_the_agent() {
    let expanded = expand(&shipped(), ExpansionOptions::default());
    let attacks = expanded
        .iter()
        .filter(|request| request.kind == RequestKind::Attack);
    assert!(attacks.count() > 2_000);
    for request in &expanded {
        let body = request.request.body_bytes().expect("a valid body");
        assert!(
            body.map_or(0, |body| body.len()) < 8 * 1024,
            "{}",
            request.name
        );
        assert!(request.request.target.len() < 8 * 1024, "{}", request.name);
    }
}
