//! Any message that decodes as a check is inspected: no detector panics, and none fails.
#![no_main]

use agent_stub::exchange::CheckedRequest;
use agent_stub::inspect::{anomalies, inspect};
use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|data: &[u8]| {
    let Ok(message) = CheckRequest::decode(data) else {
        return;
    };
    let Ok(request) = CheckedRequest::try_from(message) else {
        return;
    };
    inspect(&request).expect("an inspection that fails is a detector that has panicked");
    let _ = anomalies(&request);
});
