//! The threads that a run works with.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// The fewest workers, whatever the cores. One that writes evidence or makes a folder waits for the disk for as long as that stands still,
/// and others must go on reading what drivers and pods report meanwhile.
const FEWEST_WORKERS: usize = 16;

/// Makes the runtime of a run.
///
/// # Errors
///
/// The system gives no threads.
pub fn runtime() -> io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(cores.max(FEWEST_WORKERS))
        .enable_all()
        .build()
}
