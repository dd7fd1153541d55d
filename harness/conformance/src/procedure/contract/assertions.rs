//! Says what must be seen of a call to the agent's own services.

use super::specification::{ContractCall, ContractCase, LogEntrySpec};
use crate::procedure::interface::shortened;

/// Says what a call to the agent must come to.
pub(super) fn assertion_of_call(case: &ContractCase) -> String {
    let what = match case.call() {
        Some(ContractCall::AccessLog(log)) => {
            let streams = case.times();
            let kinds: Vec<String> = log.entries.iter().map(|entry| describe(entry)).collect();
            format!("access log of {} on {streams} stream(s)", kinds.join(", "))
        }
        Some(ContractCall::Check(check)) => {
            let path = match (&check.path, &check.path_filled) {
                (_, Some(filled)) => format!("a path of {} bytes", filled.length),
                (Some(path), None) => shortened(path),
                (None, None) => "/".into(),
            };
            match check.missing {
                Some(_) => "check without a request".into(),
                None => format!("check of {path}, {} time(s)", case.times()),
            }
        }
        Some(ContractCall::Health(health)) => format!("health of `{}`", health.service),
        None => String::new(),
    };
    let over = case
        .connection
        .as_ref()
        .map_or_else(String::new, |connection| format!(" over {}", **connection));
    let codes = case
        .expect
        .grpc_status
        .as_ref()
        .map_or_else(String::new, |codes| format!(" with one of {:?}", **codes));
    format!(
        "{} ({what}){over} is {}{codes}",
        *case.name, *case.expect.outcome
    )
}

fn describe(entry: &LogEntrySpec) -> String {
    match (&entry.check, &entry.unknown, &entry.tcp) {
        (Some(check), _, _) => format!("`{}`", **check),
        (None, Some(count), _) => format!("{} unknown requests", **count),
        (None, None, Some(count)) => format!("{} TCP connections", **count),
        (None, None, None) => String::new(),
    }
}
