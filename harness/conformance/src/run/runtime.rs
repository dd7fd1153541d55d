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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn workers_that_wait_for_a_disk_do_not_stop_the_others() {
        let runtime = runtime().expect("threads");
        let mut disks = Vec::new();
        for _ in 1..FEWEST_WORKERS {
            let (disk, writing) = channel::<()>();
            disks.push(disk);
            runtime.spawn(async move { writing.recv() });
        }
        let (teller, listener) = channel();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            teller.send(())
        });
        let others_go_on = listener.recv_timeout(Duration::from_secs(30));
        // Before the runtime ends, which would wait for them.
        drop(disks);
        assert_eq!(others_go_on, Ok(()));
    }
}
