//! Checks payload files.

use std::sync::Arc;

use camino::Utf8Path;

use super::complaints::Complaints;
use super::diagnostic::Diagnostic;
use super::payload::{PayloadClass, PayloadFile};
use super::validate_requests::{check_request, check_unique_names};

/// Checks a payload file.
pub(super) fn check_payloads(
    file: &Utf8Path,
    text: &Arc<str>,
    content: &PayloadFile,
    list: &mut Vec<Diagnostic>,
) {
    let mut complaints = Complaints { file, text, list };
    if content.payloads.is_empty() {
        complaints.add(
            content.class.position,
            "the file has no payloads",
            "a scenario that uses it would test nothing",
        );
    }
    check_unique_names(
        content.payloads.iter().map(|payload| &payload.name),
        &mut complaints,
    );
    for payload in &content.payloads {
        check_request(&payload.request, payload.name.position, &mut complaints);
        match (&payload.twin, *content.class) {
            (Some(twin), PayloadClass::Benign) => complaints.add(
                twin.target.position,
                format!("the benign payload `{}` has a twin", *payload.name),
                "make the twin a payload of its own",
            ),
            (None, PayloadClass::Benign) => {}
            (Some(twin), _) => check_request(twin, payload.name.position, &mut complaints),
            (None, _) => complaints.add(
                payload.name.position,
                format!("the attack `{}` has no benign twin", *payload.name),
                "add `twin:` with the nearest request that must pass",
            ),
        }
    }
}
