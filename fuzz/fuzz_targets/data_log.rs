//! Whatever the containers write: the readers of the three logs take it in any pieces, and no line becomes more than one record.
#![no_main]

use harness::witness::testimony::{LineCutter, Testimony};
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
    let mut testimony = Testimony::default();
    testimony.add_agent(&lines);
    testimony.add_proxy(&lines);
    testimony.add_upstream(&lines);
    let records = testimony.agent.by_id.values().map(Vec::len).sum::<usize>()
        + testimony.agent.without_id.len();
    assert!(records <= lines.lines().count());
});
