//! Any bytes are an answer or are refused, within bounds and however they are cut.
#![no_main]

use harness_traffic::fuzzing::parse_response;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((&piece, bytes)) = data.split_first() {
        parse_response(bytes, usize::from(piece));
    }
});
