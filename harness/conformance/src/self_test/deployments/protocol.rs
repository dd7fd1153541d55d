//! Wrong deployments: what the proxy takes from clients, and what it believes them.

use super::row::{MANIFEST, PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const PROTOCOL: &[Mutant] = &[
    deployment(
        "no-normal-paths",
        "`normalize_path` is missing",
        &[other(PROXY, r" +normalize_path: true\n", "")],
        &[by("F13", "expected blocked-by-agent")],
    ),
    deployment(
        "lenient-framing",
        "`allow_chunked_length` takes requests with two lengths",
        &[other(
            PROXY,
            r"( +)(use_remote_address: true\n)",
            "$1$2${1}http_protocol_options: { allow_chunked_length: true }\n",
        )],
        &[by(
            "P08",
            "the application received the request, and the proxy says that it sent it nowhere",
        )],
    ),
    deployment(
        "large-heads",
        "`max_request_headers_kb` is 1024",
        &[other(
            PROXY,
            r"( +)(use_remote_address: true\n)",
            "$1$2${1}max_request_headers_kb: 1024\n",
        )],
        &[by("P12", "agent: decided 200")],
    ),
    deployment(
        "believes-clients",
        "`use_remote_address` is missing: clients are believed what they say of themselves",
        &[other(PROXY, r" +use_remote_address: true\n", "")],
        &[
            by(
                "P09",
                "in-x-forwarded-proto: undeliverable: expected `UNION SELECT` is delivered to nobody",
            ),
            by(
                "P10-no-proxy",
                "forged-address-before-the-chain: agent-client-address",
            ),
            by(
                "P05",
                "in-the-proxys-name: upstream-header: expected no header `x-envoy-original-path`",
            ),
        ],
    ),
    deployment(
        "keeps-clients-request-id",
        "`preserve_external_request_id` keeps what a client wrote",
        &[other(
            PROXY,
            r"( +)(use_remote_address: true\n)",
            "$1$2${1}preserve_external_request_id: true\n",
        )],
        &[by(
            "P09",
            "in-x-request-id: undeliverable: expected `UNION SELECT` is delivered to nobody",
        )],
    ),
    deployment(
        "no-guard-of-failure-mark",
        "a client's own failure mark is not removed",
        &[other(
            PROXY,
            r" +early_header_mutation_extensions:\n( +)- name: (?s:.*?)- remove: x-envoy-auth-failure-mode-allowed\n",
            "",
        )],
        &[by(
            "P05",
            "the agent decided 200 and the proxy says that the agent could not be asked",
        )],
    ),
    deployment(
        "client-header-elsewhere",
        "`SIGSCI_CLIENT_IP_HEADER` names a header that nobody writes",
        &[other(
            MANIFEST,
            r"( +)(- name: SIGSCI_ENVOY_GRPC_ADDRESS\n)",
            "$1- name: SIGSCI_CLIENT_IP_HEADER\n$1  value: x-real-ip\n$1$2",
        )],
        &[by(
            "P10-default",
            "forged-address: agent-client-address: expected 203.0.113.66",
        )],
    ),
    deployment(
        "one-hop-where-none",
        "the agent trusts a proxy in front where there is none",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-no-proxy.yaml",
            r#"STUB_TRUSTED_HOPS: "1""#,
            "STUB_TRUSTED_HOPS: \"2\"",
        )],
        &[by("P10-no-proxy", "agent-client-address")],
    ),
    deployment(
        "no-hop-where-one",
        "the agent trusts no proxy in front where there is one",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-one-proxy.yaml",
            r#"STUB_TRUSTED_HOPS: "2""#,
            "STUB_TRUSTED_HOPS: \"1\"",
        )],
        &[by("P10-one-proxy", "agent-client-address")],
    ),
    deployment(
        "one-hop-where-two",
        "the agent trusts one proxy in front where there are two",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-two-proxies.yaml",
            r#"STUB_TRUSTED_HOPS: "3""#,
            "STUB_TRUSTED_HOPS: \"2\"",
        )],
        &[by("P10-two-proxies", "agent-client-address")],
    ),
];
