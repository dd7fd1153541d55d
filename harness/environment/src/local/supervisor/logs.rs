//! A container's log: both output streams, line by line, in one bounded file.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;

/// What a log holds at most; the marker line comes on top.
pub(super) const LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// The line that says that the rest is missing.
pub(super) const CUT_MARKER: &str = "[conformance: the log is cut here, at its limit of 64 MiB]\n";

/// A line longer than this is written in pieces.
const LONGEST_LINE: usize = 256 * 1024;

/// One container's log file; restarts append to it.
#[derive(Debug)]
pub(super) struct ContainerLog {
    file: RefCell<File>,
    left: RefCell<u64>,
}

impl ContainerLog {
    /// Takes over the empty file of one container, which writing to must not wait for a disk: the supervisor has one thread.
    pub(super) fn new(file: File) -> Self {
        Self {
            file: RefCell::new(file),
            left: RefCell::new(LIMIT_BYTES),
        }
    }

    fn write(&self, line: &[u8]) {
        let mut left = self.left.borrow_mut();
        let length = line.len() as u64;
        if *left == 0 {
            return;
        }
        let mut file = self.file.borrow_mut();
        // Too little memory must not end the container; the reader sees what could be kept.
        if length <= *left {
            *left -= length;
            let _ = file.write_all(line);
        } else {
            *left = 0;
            let _ = file.write_all(CUT_MARKER.as_bytes());
        }
    }
}

/// Copies one stream into the log until the last writer has closed it.
pub(super) async fn pump(stream: pipe::Receiver, log: Rc<ContainerLog>) {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let mut line = Vec::new();
    loop {
        let available = match stream.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(available) => available,
        };
        let (taken, complete) = match available.iter().position(|byte| *byte == b'\n') {
            Some(position) => (position + 1, true),
            None => (available.len(), false),
        };
        line.extend_from_slice(&available[..taken]);
        stream.consume(taken);
        if complete || line.len() >= LONGEST_LINE {
            log.write(&line);
            line.clear();
        }
    }
    if !line.is_empty() {
        line.push(b'\n');
        log.write(&line);
    }
}
