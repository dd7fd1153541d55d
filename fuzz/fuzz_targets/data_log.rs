//! Whatever the containers write: the readers of the three logs take it in any pieces, and no line becomes more than one record.
#![no_main]

use harness_verdict::witness::collected::{CollectedRecords, LineCutter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, log)) = data.split_first() else {
        return;
    };
    let whole = LineCutter::default().take(log);
    let mut cutter = LineCutter::default();
    let mut lines = String::new();
    for piece in log.chunks(usize::from(piece).max(1)) {
        lines.push_str(&cutter.take(piece));
    }
    assert_eq!(whole, lines, "the lines depend on how the log is cut");
    let mut collected = CollectedRecords::default();
    collected.add_agent(&lines);
    collected.add_proxy(&lines);
    collected.add_upstream(&lines);
    let records = collected.agent.by_id.values().map(Vec::len).sum::<usize>()
        + collected.agent.without_id.len();
    assert!(records <= lines.lines().count());
});
