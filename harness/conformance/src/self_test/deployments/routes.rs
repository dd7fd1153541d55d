//! Wrong deployments: which requests the proxy asks about, how often, and in which order.

use super::row::{PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const ROUTES: &[Mutant] = &[
    deployment(
        "no-filter",
        "the proxy has no `ext_authz` filter",
        &[
            other(
                PROXY,
                r" +typed_per_filter_config:\n +envoy\.filters\.http\.ext_authz:\n +.*ExtAuthzPerRoute\n +disabled: true\n",
                "",
            ),
            other(
                PROXY,
                r" +- name: envoy\.filters\.http\.ext_authz\n(?s:.*?)( +- name: envoy\.filters\.http\.)",
                "$1",
            ),
        ],
        &[
            by(
                "A02-sqli",
                "expected blocked-by-agent, observed not-inspected",
            ),
            by("A01", "expected allowed, observed not-inspected"),
        ],
    ),
    deployment(
        "filter-twice",
        "the `ext_authz` filter stands in the chain twice",
        &[other(
            PROXY,
            r"( +- name: envoy\.filters\.http\.ext_authz\n(?s:.*?))( +- name: envoy\.filters\.http\.router\n)",
            "$1$1$2",
        )],
        &[
            by(
                "B04",
                "Envoy counted ext_authz `ok` 4 times and 2 requests had that outcome",
            ),
            by(
                "F14-retries",
                "Envoy counted ext_authz `ok` 8 times and 4 requests had that outcome",
            ),
            by(
                "F14-mirror",
                "Envoy counted ext_authz `ok` 6 times and 3 requests had that outcome",
            ),
        ],
    ),
    deployment(
        "route-not-inspected",
        "the route to the application has the filter disabled",
        &[other(
            PROXY,
            r#"(- match: \{ prefix: "/" \}\n)( +)(route: .*\n)"#,
            "$1$2$3${2}typed_per_filter_config:\n$2  envoy.filters.http.ext_authz:\n$2    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n$2    disabled: true\n",
        )],
        &[
            by(
                "A02-sqli",
                "expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "F14-redirect",
                "to-an-attack: outcome: expected blocked-by-agent, observed not-inspected",
            ),
        ],
    ),
    deployment(
        "host-not-inspected",
        "the filter is disabled for the whole virtual host",
        &[other(
            PROXY,
            r#"( +)(domains: \["\*"\]\n)"#,
            "$1$2${1}typed_per_filter_config:\n$1  envoy.filters.http.ext_authz:\n$1    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n$1    disabled: true\n",
        )],
        &[
            by(
                "F12",
                "with-route: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "F14-redirect",
                "to-an-attack: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "F14-mirror",
                "attack: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "F14-retries",
                "attack: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "F08",
                "attack-afterwards: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "P09",
                "referer-that-is-one: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "B13",
                "attack-on-a-stream-of-events: outcome: expected blocked-by-agent, observed not-inspected",
            ),
            by(
                "C09-authentication-first",
                "attack-let-in: outcome: expected blocked-by-agent, observed not-inspected",
            ),
        ],
    ),
    deployment(
        "no-route-exempt",
        "the route that is to be exempt from the filter is inspected too",
        &[other(
            PROXY,
            r" +typed_per_filter_config:\n +envoy\.filters\.http\.ext_authz:\n +.*ExtAuthzPerRoute\n +disabled: true\n",
            "",
        )],
        &[
            by(
                "B11",
                "large-upload: outcome: expected not-inspected, observed rejected-by-proxy",
            ),
            by(
                "F14-redirect",
                "past-the-agent: outcome: expected not-inspected, observed allowed",
            ),
        ],
    ),
    deployment(
        "catch-all-route",
        "a route for everything stands where only one path was to have one",
        &[other(
            "envoy-configs/one-route.yaml",
            r#"path_separated_prefix: "/items""#,
            r#"prefix: "/""#,
        )],
        &[by(
            "F12",
            "no-route: outcome: expected rejected-by-proxy, observed blocked-by-agent",
        )],
    ),
    deployment(
        "agent-behind-authentication",
        "the filter of the authentication stands before the agent's",
        &[other(
            "scenarios/configuration/authenticates-after-the-agent.yaml",
            "agent-before-authentication",
            "agent-behind-authentication",
        )],
        &[by(
            "C09-agent-first",
            "attack-not-let-in: outcome: expected blocked-by-agent",
        )],
    ),
    deployment(
        "authentication-behind-agent",
        "the filter of the authentication stands behind the agent's",
        &[other(
            "scenarios/configuration/authenticates-before-the-agent.yaml",
            "agent-behind-authentication",
            "agent-before-authentication",
        )],
        &[by(
            "C09-authentication-first",
            "attack-not-let-in: outcome: expected rejected-by-proxy, observed blocked-by-agent",
        )],
    ),
    deployment(
        "no-redirects",
        "the route does not follow redirects of the application",
        &[other(
            PROXY,
            r" +internal_redirect_policy:\n +max_internal_redirects: 1\n +redirect_response_codes: \[302\]\n",
            "",
        )],
        &[by(
            "F14-redirect",
            "to-an-ordinary-page: redirects: expected 1, observed 0",
        )],
    ),
    deployment(
        "no-mirror",
        "the route mirrors nothing",
        &[other(
            PROXY,
            r" +(?:#.*\n +)?request_mirror_policies:\n +- cluster: helloworld-mirror\n",
            "",
        )],
        &[by(
            "F14-mirror",
            "benign: mirrored-copies: expected 1, observed 0",
        )],
    ),
    deployment(
        "no-retries",
        "the route has no retry policy",
        &[other(PROXY, r" +retry_policy: .*\n", "")],
        &[by(
            "F14-retries",
            "second-attempt-succeeds: attempts: expected 2, observed 1",
        )],
    ),
    deployment(
        "application-unreachable",
        "the proxy forwards to a port where no application listens",
        &[other(PROXY, r"port_value: 8080", "port_value: 8081")],
        &[
            by("A03", "observed rejected-by-proxy"),
            by("P06", "expected allowed"),
        ],
    ),
];
