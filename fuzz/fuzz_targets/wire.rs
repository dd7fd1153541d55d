//! Whatever a tap streams, and whatever the two sides send on a connection: it is read within bounds, and the same however it is cut.
#![no_main]

use harness_wire::WireReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else {
        return;
    };
    let whole = read(stream.chunks(stream.len().max(1)));
    let cut = read(stream.chunks(usize::from(piece).max(1)));
    assert_eq!(whole, cut, "the records depend on how the tap is cut");
});

/// Returns the records in text, the losses and the number of access-log entries.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (String, Vec<String>, u64) {
    let mut reader = WireReader::default();
    for piece in pieces {
        reader.feed(piece);
    }
    reader.finish();
    let records = format!("{:?}", reader.take_records());
    (records, reader.take_losses(), reader.response_data())
}
