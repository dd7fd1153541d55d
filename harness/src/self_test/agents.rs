//! The wrong agents: the mutants of the reference stub.

use super::matrix::{Kill, Mutant, Wrong, by};

/// Names an agent and the scenarios that must fail for it.
const fn agent(name: &'static str, kills: &'static [Kill]) -> Mutant {
    Mutant {
        name,
        wrong: Wrong::Agent,
        kills,
    }
}

/// The wrong agents, in the order of `agent-stub --mutants`.
pub(super) const AGENTS: &[Mutant] = &[
    agent(
        "ignores-signal-aws-ssrf",
        &[by(
            "A04-aws-ssrf",
            "aws-ssrf-token-form-percent-twice: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-backdoor",
        &[by(
            "A04-backdoor",
            "backdoor-c99-path-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-codeinjection",
        &[by(
            "A04-codeinjection",
            "codeinjection-php-system-form-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-cmdexe",
        &[by(
            "A02-cmdexe",
            "query-semicolon: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-xss",
        &[by(
            "A02-xss",
            "query-script: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-log4j-jndi",
        &[by(
            "A02-log4j-jndi",
            "user-agent-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-nullbyte",
        &[by(
            "A04-nullbyte",
            "nullbyte-image-query-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-sqli",
        &[by(
            "A02-sqli",
            "query-union: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-traversal",
        &[by(
            "A02-traversal",
            "path-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-useragent",
        &[by(
            "A02-useragent",
            "sqlmap: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-signal-xxe",
        &[by(
            "A04-xxe",
            "xxe-file-xml-document-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-cookie",
        &[by(
            "A04-sqli",
            "sqli-union-all-nulls-cookie-percent-twice: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-form",
        &[by(
            "B01",
            "form: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-graphql",
        &[by(
            "A04-sqli",
            "sqli-union-mixed-case-graphql-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-grpc",
        &[by(
            "P11",
            "denied-by-its-message: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-header",
        &[by(
            "A02-sqli",
            "header-union: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-json",
        &[by(
            "A02-sqli",
            "json-stacked: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-path",
        &[by(
            "A02-traversal",
            "path-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-postbody",
        &[by(
            "A04-sqli",
            "sqli-union-newlines-multipart-field-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-querystring",
        &[by(
            "A02-sqli",
            "query-union: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-position-xml",
        &[by(
            "A04-xxe",
            "xxe-file-xml-document-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-body-after-1-kib",
        &[by(
            "B02-partial",
            "attack-at-the-end-of-8192: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-body-of-capital-content-type",
        &[by(
            "A05-places",
            "json-of-a-capital-type: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-compressed-body",
        &[by(
            "B10",
            "gzip-form: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-body-of-content-type-with-parameter",
        &[by(
            "A04-sqli",
            "sqli-union-newlines-multipart-field-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-body",
        &[by(
            "B01",
            "form: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-body-of-8-kib",
        &[by(
            "B02-partial",
            "attack-8192: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-header-list",
        &[by(
            "W03",
            "list: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-header-map",
        &[by(
            "W03",
            "control-canary: agent-record: expected one line in the agent's data log, observed 0 lines",
        )],
    ),
    agent(
        "ignores-http2",
        &[by(
            "P06",
            "h2: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-all-but-first-header-copy",
        &[by(
            "P03",
            "last-copy: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-header-after-64",
        &[by(
            "W05",
            "attack-beside-a-hundred-headers: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-all-but-first-parameter",
        &[by(
            "A05-places",
            "last-of-two-parameters: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-all-but-last-header-copy",
        &[by(
            "P03",
            "first-copy: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-all-but-last-parameter",
        &[by(
            "A05-places",
            "first-of-two-parameters: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-target-after-4-kib",
        &[by(
            "W05",
            "attack-at-the-end-of-a-long-path: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-method-put",
        &[by(
            "P07",
            "put: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-content-type-multipart",
        &[by(
            "A04-sqli",
            "sqli-union-newlines-multipart-field-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-rare-methods",
        &[by(
            "P07",
            "propfind: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-half-of-partial-body",
        &[by(
            "W04",
            "part-as-text: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-raw-body",
        &[by(
            "W04",
            "bytes: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-static-files",
        &[by(
            "A05-places",
            "query-of-a-picture: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "obeys-no-inspection-header",
        &[by(
            "P05",
            "attack-that-asks-not-to-be-inspected: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "ignores-text-body",
        &[by(
            "W04",
            "text: call-outcome: expected blocked, observed allowed",
        )],
    ),
    agent(
        "ignores-upgrades",
        &[by(
            "B12",
            "attack: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "misses-base64",
        &[by(
            "A05",
            "sqli-base64: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "blocks-apostrophes",
        &[by(
            "A10",
            "irish-name: outcome: expected allowed, observed blocked-by-agent",
        )],
    ),
    agent(
        "blocks-binary-bodies",
        &[by(
            "B07-bytes",
            "every-byte: outcome: expected allowed, observed blocked-by-agent",
        )],
    ),
    agent(
        "blocks-bodies-over-4-kib",
        &[by(
            "B02-partial",
            "benign-8191: outcome: expected allowed, observed blocked-by-agent",
        )],
    ),
    agent(
        "blocks-rare-methods",
        &[by(
            "P07",
            "put: agent-signals: expected {\"SQLI\"}, observed {\"CODEINJECTION\", \"SQLI\"}",
        )],
    ),
    agent(
        "blocks-sql-words",
        &[by(
            "A10",
            "union-news: outcome: expected allowed, observed blocked-by-agent",
        )],
    ),
    agent(
        "misses-double-encoding",
        &[by(
            "A05",
            "sqli-percent-twice: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "misses-numeric-entities",
        &[by(
            "A05",
            "sqli-html-entity: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "misses-unicode-escapes",
        &[by(
            "A05",
            "sqli-unicode-escape: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "misses-names",
        &[by(
            "A04-sqli",
            "sqli-name-position-query-name-plain: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "reports-wrong-position",
        &[by("B01", "agent-locations: expected")],
    ),
    agent(
        "calls-sqli-xss",
        &[by(
            "A02-sqli",
            "query-union: agent-signals: expected {\"SQLI\"}, observed {\"XSS\"}",
        )],
    ),
    agent(
        "counts-clients-as-one",
        &[by(
            "A11",
            "attack-of-another-address: outcome: expected allowed-and-tagged, observed blocked-by-agent",
        )],
    ),
    agent(
        "flags-one-attack-late",
        &[by(
            "A11",
            "fourth: outcome: expected blocked-by-agent, observed allowed-and-tagged",
        )],
    ),
    agent(
        "remembers-flags-too-long",
        &[by(
            "A11-duration",
            "after-its-time: outcome: expected allowed-and-tagged, observed blocked-by-agent",
        )],
    ),
    agent(
        "forgets-flags-early",
        &[by(
            "A11-duration",
            "within-its-time: outcome: expected blocked-by-agent, observed allowed-and-tagged",
        )],
    ),
    agent(
        "inspects-first-request-of-connection-only",
        &[by(
            "A13",
            "attack: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "stops-enforcing-after-100-checks",
        &[by(
            "A12",
            "attack: outcome: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "caches-verdicts-by-path",
        &[by(
            "A02-sqli",
            "query-union-twin: outcome: expected allowed, observed blocked-by-agent",
        )],
    ),
    agent(
        "blocks-in-log-mode",
        &[by(
            "A09",
            "sqli: outcome: expected allowed-and-tagged, observed blocked-by-agent",
        )],
    ),
    agent(
        "ignores-reloads",
        &[by(
            "S11",
            "reload: expected attacks are denied with 429 after `first-update`, observed none was",
        )],
    ),
    agent(
        "gap-in-reload",
        &[by(
            "S11",
            "attack-while-reloading: reload-decision: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "appends-to-forged-headers",
        &[by(
            "P05",
            "in-the-agents-name: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "contradicts-itself-in-headers",
        &[by(
            "P05",
            "in-the-agents-name: upstream-header: expected x-sigsci-waf-response: 200, once",
        )],
    ),
    agent(
        "denies-by-grpc-status",
        &[by(
            "A02-sqli",
            "query-union: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "denies-without-response",
        &[by(
            "A06",
            "sqli: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "denies-with-status-ok",
        &[by(
            "A02-sqli",
            "query-union: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "doubles-headers",
        &[by(
            "P05",
            "in-the-agents-name: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "keeps-forged-headers",
        &[by(
            "A08",
            "forging-client: upstream-header: expected no header `x-sigsci-tags`",
        )],
    ),
    agent(
        "leaks-headers-to-client",
        &[by(
            "A06",
            "sqli: client-header: expected no header `x-sigsci-*`",
        )],
    ),
    agent(
        "no-block-body",
        &[by(
            "A06",
            "sqli: client-header: expected content-type: application/json, once",
        )],
    ),
    agent(
        "no-location",
        &[by(
            "A07",
            "sqli: client-header: expected location: https://blocked.example.test/why, once",
        )],
    ),
    agent(
        "no-request-id-header",
        &[by(
            "W01",
            "control-first-benign: correlation-header: expected x-sigsci-request-id:",
        )],
    ),
    agent(
        "no-tags-header",
        &[by(
            "A09",
            "sqli: upstream-header: expected x-sigsci-tags: SQLI, once",
        )],
    ),
    agent(
        "no-waf-response-header",
        &[by(
            "P05",
            "in-the-agents-name: upstream-header: expected x-sigsci-waf-response: 200, once",
        )],
    ),
    agent(
        "removes-cookies",
        &[by(
            "A10",
            "cookies: upstream-header: expected cookie: theme=dark; session=",
        )],
    ),
    agent(
        "repeats-every-tenth-request-id",
        &[by(
            "W08",
            "thousand: correlation-header: expected another x-sigsci-request-id for each request",
        )],
    ),
    agent(
        "repeats-request-ids",
        &[by(
            "W01",
            "minimal: correlation-header: expected another x-sigsci-request-id for each request",
        )],
    ),
    agent(
        "wrong-block-code",
        &[by(
            "A02-sqli",
            "query-union: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "wrong-block-content-type",
        &[by(
            "A06",
            "sqli: client-header: expected content-type: application/json, once",
        )],
    ),
    agent(
        "wrong-location",
        &[by(
            "A07",
            "sqli: client-header: expected location: https://blocked.example.test/why, once",
        )],
    ),
    agent(
        "dies-of-checks-without-request",
        &[by(
            "W02",
            "empty-message: call-outcome: expected answered, observed lost",
        )],
    ),
    agent(
        "dies-of-odd-bytes",
        &[by(
            "B07-bytes",
            "every-byte: outcome: expected allowed, observed failed-closed",
        )],
    ),
    agent(
        "fails-every-200th-check",
        &[by(
            "A12",
            "attack: outcome: expected blocked-by-agent, observed failed-closed",
        )],
    ),
    agent(
        "hangs-after-100-checks",
        &[by(
            "A12",
            "attack: outcome: expected blocked-by-agent, observed failed-closed",
        )],
    ),
    agent(
        "answers-late",
        &[by(
            "F05-below",
            "attack: outcome: expected blocked-by-agent, observed failed-open",
        )],
    ),
    agent(
        "answers-every-50th-late",
        &[by(
            "A12",
            "expected blocked-by-agent, observed failed-closed",
        )],
    ),
    agent(
        "rejects-at-1-mib",
        &[by(
            "W06",
            "at-the-limit: call-outcome: expected allowed, observed failed",
        )],
    ),
    agent(
        "rejects-at-limit",
        &[by(
            "W06",
            "at-the-limit: call-outcome: expected allowed, observed failed",
        )],
    ),
    agent(
        "mixes-up-answers",
        &[by(
            "W08",
            "thousand: correlation-header: expected x-sigsci-request-id:",
        )],
    ),
    agent(
        "serves-ten-at-a-time",
        &[by(
            "W08",
            "thousand: call-outcome: expected allowed, observed failed",
        )],
    ),
    agent(
        "credits-oldest",
        &[by("W11", "first: agent-response-code: expected 201")],
    ),
    agent(
        "credits-strangers",
        &[by("W12", "reported: agent-response-code: expected 204")],
    ),
    agent(
        "drops-every-second-entry",
        &[by("L01", "outcome: expected allowed, observed ambiguous")],
    ),
    agent(
        "ends-streams-after-3-messages",
        &[by(
            "W11",
            "first: agent-record: expected one line in the agent's data log, observed 0 lines",
        )],
    ),
    agent(
        "forgets-blocked-requests",
        &[by(
            "L01",
            "blocked: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "takes-entries-late",
        &[by(
            "L01",
            "allowed: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "takes-entries-one-message-late",
        &[by(
            "L01",
            "allowed: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "takes-first-entry-of-batch-only",
        &[by(
            "W11",
            "batch: agent-record: expected one line in the agent's data log, observed 0 lines",
        )],
    ),
    agent(
        "takes-one-stream-at-a-time",
        &[by(
            "W13",
            "thousand: agent-record: expected one line in the agent's data log, observed 0 lines",
        )],
    ),
    agent(
        "says-every-response-is-200",
        &[by("L02", "status-201: agent-response-code: expected 201")],
    ),
    agent(
        "wants-identifier-in-each-message",
        &[by(
            "W11",
            "control-first-benign: agent-record: expected one line in the agent's data log, observed 0 lines",
        )],
    ),
    agent(
        "breaks-every-20th-line",
        &[by(
            "A12",
            "attack: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "doubles-log-lines",
        &[by(
            "A01",
            "get: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "loses-every-20th-line",
        &[by(
            "A12",
            "attack: outcome: expected blocked-by-agent, observed ambiguous",
        )],
    ),
    agent(
        "logs-other-code",
        &[by(
            "A01",
            "get: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "logs-other-request-id",
        &[by(
            "A01",
            "get: correlation-header: expected x-sigsci-request-id:",
        )],
    ),
    agent(
        "logs-other-path",
        &[by("P01", "double-slash: agent-path: expected /items//list")],
    ),
    agent(
        "logs-other-signals",
        &[by(
            "A02-sqli",
            "query-union: agent-signals: expected {\"SQLI\"}, observed {\"TRAVERSAL\"}",
        )],
    ),
    agent(
        "twofaced",
        &[by(
            "R04",
            "slow-get: late-record: expected the agent has said all when a request is judged",
        )],
    ),
    agent(
        "answers-probe-only",
        &[by(
            "S01",
            "attack-from-the-start: gate: expected once the pod is ready every attack is denied by the agent, observed failed-closed",
        )],
    ),
    agent(
        "probe-flaps",
        &[by("S01-readiness", "a pod that is ready stays ready")],
    ),
    agent(
        "hangs-after-restart",
        &[by(
            "F04-closed",
            "recovery: expected requests are inspected again after the restart, observed none was",
        )],
    ),
    agent(
        "listens-late",
        &[by(
            "S03",
            "attack-from-the-start: gate: expected once the pod is ready every attack is denied by the agent, observed failed-closed",
        )],
    ),
    agent(
        "never-healthy",
        &[by(
            "W10",
            "server: call-outcome: expected serving, observed not-serving",
        )],
    ),
    agent(
        "probe-never-ready",
        &[by("S01", "the agent starts and goes on running")],
    ),
    agent(
        "probe-ready-before-rules",
        &[by(
            "S03",
            "attack-from-the-start: inspection-gap: expected no attack reaches the application before the rules apply",
        )],
    ),
    agent(
        "serves-keyless-for-4-seconds",
        &[by(
            "S09-secret",
            "attack-stream: outcome: expected failed-closed, observed blocked-by-agent",
        )],
    ),
    agent(
        "refuses-stale-socket",
        &[by(
            "F04-closed",
            "recovery: expected requests are inspected again after the restart, observed none was",
        )],
    ),
    agent(
        "starts-without-keys",
        &[by(
            "S09-empty",
            "refusal: expected the agent refuses the deployment 2 times within 20s, observed it still runs, or was not started again",
        )],
    ),
    agent(
        "probe-file-early",
        &[by(
            "S02",
            "attack-from-the-start: inspection-gap: expected no attack reaches the application before the rules apply",
        )],
    ),
    agent(
        "exits-at-once",
        &[by(
            "R04-agent",
            "slow-get: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "exits-non-zero",
        &[by(
            "R01-both",
            "exit-code: expected `sigsci-agent` exits with one of [0, 143]",
        )],
    ),
    agent(
        "hangs-in-pre-stop",
        &[by(
            "R01-both",
            "attack-stream: outcome: expected blocked-by-agent, observed lost",
        )],
    ),
    agent(
        "ignores-term",
        &[by(
            "R02-covered",
            "exit-code: expected `sigsci-agent` exits with one of [0, 143]",
        )],
    ),
    agent(
        "ignores-attacks-in-pre-stop",
        &[by(
            "R01-both",
            "attack-stream: leaked-attack: expected blocked-by-agent, observed allowed",
        )],
    ),
    agent(
        "loses-waiting-records",
        &[by(
            "R04-agent",
            "slow-get: outcome: expected allowed, observed ambiguous",
        )],
    ),
    agent(
        "never-ends",
        &[by(
            "R02-covered",
            "exit-code: expected `sigsci-agent` exits with one of [0, 143]",
        )],
    ),
    agent(
        "fills-volume",
        &[by("H04", "file-size: expected at most 1048576 bytes")],
    ),
    agent(
        "ignores-shared-cache-dir",
        &[by("H03-together", "the agent starts and goes on running")],
    ),
    agent(
        "key-in-answers",
        &[by("H07", "secret: expected the agent's keys show nowhere")],
    ),
    agent(
        "key-in-log",
        &[by("H07", "secret: expected the agent's keys show nowhere")],
    ),
    agent(
        "key-world-readable",
        &[by("H07", "secret: expected the agent's keys show nowhere")],
    ),
    agent(
        "needs-writable-root",
        &[by("H01", "the agent starts and goes on running")],
    ),
    agent(
        "writes-outside-volume",
        &[by(
            "H04",
            "stray-files: expected files below /sigsci/tmp only",
        )],
    ),
    agent("burns-core", &[by("Q06", "processor")]),
    agent("leaks-connections", &[by("Q06", "descriptors")]),
    agent("leaks-memory", &[by("Q06", "memory")]),
    agent("slows-with-uptime", &[by("Q06", "slower")]),
];
