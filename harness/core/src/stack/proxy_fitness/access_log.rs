//! The proxy's own record of each request: one line of JSON on its standard output.

use super::filter::Filter;
use super::start_time::is_readable;
use crate::model::complaints::Complaints;
use crate::model::yaml_tree::Node;

/// The key under which each access-log line holds the proxy's collected records.
pub const TESTIMONY_KEY: &str = "conformance-proxy";

/// The end of the URL of the type of a log that goes to the agent.
pub const AGENT_LOG: &str = "grpc.v3.HttpGrpcAccessLogConfig";
/// The ends of the URLs of the types of logs that a container's log holds.
const STREAMS: [&str; 2] = ["stream.v3.StdoutAccessLog", "stream.v3.StderrAccessLog"];
/// The end of the URL of the type of a log in a file, and the files that are a container's log.
const FILE: &str = "file.v3.FileAccessLog";
const STREAM_FILES: [&str; 2] = ["/dev/stdout", "/dev/stderr"];

/// What is repeated to whoever has none.
const COPY: &str = "copy the logger `envoy.access_loggers.stdout` of docs/your-own-configuration.md into `access_log`";

/// The fields without which an outcome cannot be decided, each with how its value begins and what to write.
const FIELDS: [(&str, &str, &str); 9] = [
    ("id", "%REQ(X-CONFORMANCE-ID", "%REQ(X-CONFORMANCE-ID)%"),
    ("connection", "%CONNECTION_ID%", "%CONNECTION_ID%"),
    (
        "start",
        "%START_TIME",
        "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
    ),
    ("status", "%RESPONSE_CODE%", "%RESPONSE_CODE%"),
    ("flags", "%RESPONSE_FLAGS%", "%RESPONSE_FLAGS%"),
    (
        "details",
        "%RESPONSE_CODE_DETAILS",
        "%RESPONSE_CODE_DETAILS%",
    ),
    ("upstream", "%UPSTREAM_", "%UPSTREAM_HOST%"),
    (
        ASKED_FIELD,
        "%FILTER_STATE(",
        "%FILTER_STATE(envoy.filters.http.ext_authz:FIELD:latency_us)%",
    ),
    (
        "failure-mode-allowed",
        "%REQ(X-ENVOY-AUTH-FAILURE-MODE-ALLOWED",
        "%REQ(X-ENVOY-AUTH-FAILURE-MODE-ALLOWED)%",
    ),
];

/// The field that says whether the agent was asked.
const ASKED_FIELD: &str = "authorization-microseconds";

/// Complains of an HTTP connection manager that keeps no such record, or not a whole one.
pub(super) fn check(manager: &Node, filters: &[Filter<'_>], complaints: &mut Complaints<'_>) {
    let place = manager.place_of("access_log");
    let loggers = manager.get("access_log").map_or(&[][..], Node::items);
    let mut witnesses = loggers
        .iter()
        .filter_map(|logger| Some((logger, record_of(logger)?)));
    match (loggers, witnesses.next()) {
        ([], _) => complaints.add(place, "the proxy writes no access log", COPY),
        (_, None) => complaints.add(
            place,
            format!(
                "no access log has an object `{TESTIMONY_KEY}` at the top of its `json_format`"
            ),
            COPY,
        ),
        (_, Some((logger, record))) => {
            check_stream(logger, complaints);
            check_fields(record, filters, complaints);
        }
    }
    if let Some((_, second)) = witnesses.next() {
        complaints.add(
            second.position,
            "a second access log records each request again",
            format!("take `{TESTIMONY_KEY}` out of one of the two: a request with two records is ambiguous"),
        );
    }
    let to_agent: Vec<&Node> = loggers
        .iter()
        .flat_map(|logger| logger.of_type(AGENT_LOG))
        .collect();
    if let [_, second, ..] = to_agent.as_slice() {
        complaints.add(
            second.position,
            "the requests have two gRPC access logs",
            "take one out: Envoy counts the entries of both together, and each request is to have one",
        );
    }
}

/// Returns the record that a logger writes; none where it writes none.
fn record_of(logger: &Node) -> Option<&Node> {
    let mut found = None;
    logger.visit(&mut |node| {
        for format in ["json_format", "typed_json_format"] {
            found = found.or_else(|| node.at(&[format, TESTIMONY_KEY]));
        }
    });
    found
}

fn check_stream(logger: &Node, complaints: &mut Complaints<'_>) {
    let is_in_file = logger.of_type(FILE).into_iter().any(|file| {
        let path = file.get("path").and_then(Node::as_str);
        path.is_some_and(|path| STREAM_FILES.contains(&path) || path.starts_with("/proc/"))
    });
    let is_stream = STREAMS.iter().any(|end| !logger.of_type(end).is_empty());
    if !is_stream && !is_in_file {
        complaints.add(
            logger.position,
            format!("the access log with `{TESTIMONY_KEY}` does not go to standard output"),
            "write it with `envoy.access_loggers.stdout`: the suite reads the container's log",
        );
    }
}

fn check_fields(record: &Node, filters: &[Filter<'_>], complaints: &mut Complaints<'_>) {
    for (name, start, whole) in FIELDS {
        let Some(value) = record.get(name) else {
            complaints.add(
                record.position,
                format!("the access log does not have `{name}`"),
                format!("write `{name}: \"{whole}\"` below `{TESTIMONY_KEY}`"),
            );
            continue;
        };
        let text = value.as_str().unwrap_or_default();
        let begins = text.get(..start.len());
        if !begins.is_some_and(|begins| begins.eq_ignore_ascii_case(start)) {
            complaints.add(
                value.position,
                format!("`{name}` of the access log does not begin with `{start}`"),
                format!("write `{name}: \"{whole}\"`"),
            );
        } else if name == "start" && !is_readable(text) {
            complaints.add(
                value.position,
                "`start` of the access log is not a point in time of RFC 3339",
                format!("write `{name}: \"{whole}\"`"),
            );
        } else if name == ASKED_FIELD {
            check_asked(value, text, filters, complaints);
        }
    }
}

/// What a filter says of its question stands under the filter's name.
fn check_asked(value: &Node, text: &str, filters: &[Filter<'_>], complaints: &mut Complaints<'_>) {
    let names: Vec<&str> = filters.iter().filter_map(Filter::name).collect();
    let Some(first) = names.first() else { return };
    let is_of = |name: &&str| {
        let argument = text.split_once('(').map_or("", |(_, argument)| argument);
        let rest = argument.strip_prefix(*name);
        rest.is_some_and(|rest| rest.starts_with(":FIELD:latency_us"))
    };
    if !names.iter().any(is_of) {
        complaints.add(
            value.position,
            format!("`{ASKED_FIELD}` of the access log is not that of the filter `{first}`"),
            format!("write `{ASKED_FIELD}: \"%FILTER_STATE({first}:FIELD:latency_us)%\"`"),
        );
    }
}
