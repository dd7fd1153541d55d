//! The expansion: which requests a set of seeds stands for, and how each is built.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::placement::Placement;
use super::protocol::CarrierProtocol;
use super::random::Random;
use super::sample::sampled;
use super::{body, head, multipart, target};
use crate::model::located::Located;
use crate::model::payload::PayloadClass;
use crate::model::request::RequestSpec;
use crate::model::seed::Seed;
use crate::model::seed_position::{Encoding, SeedPosition};

/// How seeds are expanded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExpansionOptions {
    /// The number from which the carriers (paths, names, neighbours, order of headers) are chosen. Values do not depend on it.
    pub seed: u64,
    /// The most requests; all when there is none.
    pub limit: Option<usize>,
}

/// What a request is in the corpus.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// It must be found.
    Attack,
    /// It must pass, and belongs to no attack.
    Benign,
    /// It must pass, and is the attack before it with another value.
    Twin,
}

/// One request of the expansion.
#[derive(Clone, Debug)]
pub struct ExpandedRequest {
    /// `<seed>-<position>-<encoding>`, with `-twin` for a twin: lower-case letters, digits and hyphens.
    pub name: String,
    /// The seed's name, and where it is written.
    pub seed_name: Located<String>,
    /// The seed's class; a twin has the class of its attack.
    pub class: PayloadClass,
    /// Where the value stands.
    pub position: SeedPosition,
    /// How the value is written.
    pub encoding: Encoding,
    /// How the request is sent.
    pub protocol: CarrierProtocol,
    /// What the request is.
    pub kind: RequestKind,
    /// The request.
    pub request: RequestSpec,
}

/// Expands seeds into requests: seed by seed, position by position, encoding by encoding, each attack before its twin.
///
/// The same seeds and options give the same requests, byte for byte and in the same order. With a limit, the requests are an
/// even sample over classes and positions of those without.
pub fn expand(seeds: &[Seed], options: ExpansionOptions) -> Vec<ExpandedRequest> {
    let all = placements(seeds);
    let chosen = match options.limit {
        None => all,
        Some(limit) => sampled(all, limit, options.seed),
    };
    chosen
        .iter()
        .flat_map(|placement| requests(placement, options.seed))
        .collect()
}

fn placements(seeds: &[Seed]) -> Vec<Placement<'_>> {
    let mut all = Vec::new();
    for seed in seeds {
        for &position in &seed.positions {
            for encoding in seed.encodings_at(position) {
                all.push(Placement {
                    seed,
                    position,
                    encoding,
                });
            }
        }
    }
    all
}

fn requests(placement: &Placement<'_>, seed: u64) -> Vec<ExpandedRequest> {
    let name = placement.name();
    let protocol = CarrierProtocol::chosen(seed, &name);
    let request = |name: String, kind: RequestKind, value: &[u8]| ExpandedRequest {
        // A twin has its attack's carrier and protocol: they differ in the value alone.
        request: protocol.send(build(
            placement,
            value,
            &mut Random::new(seed, &placement.name()),
        )),
        protocol,
        name,
        seed_name: placement.seed.name.clone(),
        class: placement.seed.class,
        position: placement.position,
        encoding: placement.encoding,
        kind,
    };
    match &placement.seed.twin {
        None => vec![request(name, RequestKind::Benign, &placement.seed.value)],
        Some(twin) => {
            let twin_name = format!("{name}-twin");
            vec![
                request(name, RequestKind::Attack, &placement.seed.value),
                request(twin_name, RequestKind::Twin, twin),
            ]
        }
    }
}

fn build(placement: &Placement<'_>, value: &[u8], random: &mut Random) -> RequestSpec {
    let encoding = placement.encoding;
    match placement.position {
        SeedPosition::Cookie => head::cookie(value, encoding, random),
        SeedPosition::Form => body::form(value, encoding, random),
        SeedPosition::Graphql => body::graphql(value, encoding, random),
        SeedPosition::Header => head::free(value, encoding, random),
        SeedPosition::Json => body::json(value, encoding, random),
        SeedPosition::MultipartField => multipart::field(value, random),
        SeedPosition::MultipartFilename => multipart::filename(value, encoding, random),
        SeedPosition::Path => target::path(value, encoding, random),
        SeedPosition::Query => target::query(value, encoding, random),
        SeedPosition::QueryName => target::query_name(value, encoding, random),
        SeedPosition::UserAgent => head::user_agent(value, random),
        SeedPosition::Xml => body::xml(value, encoding, random),
        SeedPosition::XmlDocument => body::xml_document(value, random),
    }
}
