//! Wrong deployments: what the agent is shown of bodies, and what the client gets of them.

use super::row::{PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const BODIES: &[Mutant] = &[
    deployment(
        "no-body-inspection",
        "`with_request_body` is missing",
        &[other(
            PROXY,
            r" +with_request_body:\n +max_request_bytes: 8192\n +allow_partial_message: true\n",
            "",
        )],
        &[
            by("B01", "expected blocked-by-agent, observed allowed"),
            by("B02-partial", "expected blocked-by-agent, observed allowed"),
            by(
                "B09",
                "in-pieces: outcome: expected blocked-by-agent, observed allowed",
            ),
            by(
                "B07-text",
                "attack-behind-odd-bytes: outcome: expected blocked-by-agent, observed allowed",
            ),
        ],
    ),
    deployment(
        "short-body-window",
        "`max_request_bytes` is 1024",
        &[other(
            PROXY,
            r"max_request_bytes: 8192",
            "max_request_bytes: 1024",
        )],
        &[by(
            "B02-partial",
            "expected blocked-by-agent, observed allowed",
        )],
    ),
    deployment(
        "no-partial-bodies",
        "`allow_partial_message` is false",
        &[other(
            PROXY,
            r"allow_partial_message: true",
            "allow_partial_message: false",
        )],
        &[
            by("B02-partial", "observed rejected-by-proxy"),
            by("B03", "observed rejected-by-proxy"),
            by(
                "B04",
                "with-length: outcome: expected allowed, observed rejected-by-proxy",
            ),
        ],
    ),
    deployment(
        "partial-where-strict",
        "`allow_partial_message` is true where it has to be false",
        &[other(
            PROXY,
            r"allow_partial_message: false",
            "allow_partial_message: true",
        )],
        &[by("B02-strict", "expected rejected-by-proxy")],
    ),
    deployment(
        "bodies-as-text",
        "`pack_as_bytes` is missing",
        &[other(PROXY, r" +pack_as_bytes: true\n", "")],
        &[by("B10", "expected blocked-by-agent")],
    ),
    deployment(
        "request-time-out-too-short",
        "`request_timeout` is shorter than a slow body takes",
        &[other(
            PROXY,
            r"( +)(use_remote_address: true\n)",
            "$1$2${1}request_timeout: 0.1s\n",
        )],
        &[by(
            "B09",
            "in-pieces: outcome: expected blocked-by-agent, observed rejected-by-proxy",
        )],
    ),
    deployment(
        "responses-held-back",
        "a filter of the proxy reads each response whole before it passes it on",
        &[other(
            PROXY,
            r"( +)(- name: envoy\.filters\.http\.router\n)",
            "$1- name: envoy.filters.http.lua\n$1  typed_config:\n$1    \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua\n$1    default_source_code: { inline_string: \"function envoy_on_response(handle) handle:body() end\" }\n$1$2",
        )],
        &[by(
            "B13",
            "events-http1: client-stream: expected at least 3 pieces, the first byte at least 300ms before the end, observed 1 pieces",
        )],
    ),
    deployment(
        "no-websockets",
        "the upgrade to WebSocket is not configured",
        &[other(
            PROXY,
            r" +upgrade_configs:\n +- upgrade_type: websocket\n",
            "",
        )],
        &[by(
            "B12",
            "benign: outcome: expected allowed, observed rejected-by-proxy",
        )],
    ),
];
