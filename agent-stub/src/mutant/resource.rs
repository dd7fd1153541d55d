//! What a mutant uses up.

use std::net::UdpSocket;
use std::time::Duration;

use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table::Resource;

impl FaultHooks {
    /// Uses up what a check costs; `number` is the check's.
    pub(super) async fn use_up(&self, number: u64) {
        let Some(Mutant::Resource(resource)) = self.mutant() else {
            return;
        };
        match resource {
            Resource::BurnsCore => {}
            Resource::LeaksDescriptors => {
                let socket = UdpSocket::bind("127.0.0.1:0");
                self.state().leaked().sockets.extend(socket);
            }
            Resource::LeaksMemory => {
                let memory = &mut self.state().leaked().memory;
                // What was never written to takes no memory, and the machine of a test is to survive.
                if memory.len() < MOST_LEAKS {
                    memory.push(vec![1; LEAK_BYTES]);
                }
            }
            Resource::SlowsDown => tokio::time::sleep(Duration::from_millis(number)).await,
        }
    }
}

/// Keeps a core busy for as long as the process lives.
pub(super) fn keep_core_busy() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
}

const LEAK_BYTES: usize = 256 * 1024;
const MOST_LEAKS: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    async fn after_three_checks(resource: Resource) -> (usize, usize, Duration) {
        let fault_hooks = FaultHooks::of(Some(Mutant::Resource(resource)));
        let begun = tokio::time::Instant::now();
        for _ in 0..3 {
            fault_hooks.take_up().await.expect("an answer");
        }
        let leaked = fault_hooks.state().leaked();
        (leaked.memory.len(), leaked.sockets.len(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn each_check_uses_up_what_the_name_says() {
        let millis = Duration::from_millis;
        assert_eq!(
            after_three_checks(Resource::LeaksMemory).await,
            (3, 0, millis(0))
        );
        assert_eq!(
            after_three_checks(Resource::LeaksDescriptors).await,
            (0, 3, millis(0))
        );
        assert_eq!(
            after_three_checks(Resource::SlowsDown).await,
            (0, 0, millis(6))
        );
    }
}
