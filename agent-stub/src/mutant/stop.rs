//! How a mutant stops, and what it does while a preStop hook runs.

use std::time::Duration;

use fs_err as fs;
use tokio::time::Instant;
use tonic::Status;

use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table::Stop;

impl FaultHooks {
    /// Returns whether TERM makes the agent stop.
    pub fn heeds_term(&self) -> bool {
        match self.stop_fault() {
            Some(Stop::DropsChecks) => {
                self.state().stopping.notify_waiters();
                true
            }
            Some(Stop::ExitsAtOnce) => std::process::exit(0),
            Some(Stop::IgnoresTerm) => false,
            Some(_) | None => true,
        }
    }

    /// Waits until a check that is under way is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn cut_off(&self) -> Status {
        match self.stop_fault() {
            Some(Stop::DropsChecks) => self.state().stopping.notified().await,
            Some(_) | None => std::future::pending().await,
        }
        Status::unavailable("the agent stops")
    }

    /// Returns whether what still waits is written out at the end.
    pub fn keeps_waiting_records(&self) -> bool {
        self.stop_fault() != Some(Stop::LosesWaitingRecords)
    }

    /// Returns the exit code of an orderly stop, when the process ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn end(&self) -> u8 {
        match self.stop_fault() {
            Some(Stop::FailsAtEnd) => 3,
            Some(Stop::NeverEnds) => std::future::pending().await,
            Some(_) | None => 0,
        }
    }

    /// Returns whether a preStop hook runs in the agent's container: nothing else does there that is called `sleep`.
    pub(super) fn hook_runs(&self) -> bool {
        let mut remembered = self.state().remembered();
        match remembered.hook {
            Some((polled, runs)) if polled.elapsed() < POLL_INTERVAL => runs,
            Some(_) | None => {
                let runs = sleeps_here();
                remembered.hook = Some((Instant::now(), runs));
                runs
            }
        }
    }

    fn stop_fault(&self) -> Option<Stop> {
        if let Some(Mutant::Stop(stop)) = self.mutant() {
            Some(stop)
        } else {
            None
        }
    }
}

// A container's processes share its mount namespace, whether or not they have process ids of their own.
fn sleeps_here() -> bool {
    let Ok(own) = fs::read_link("/proc/self/ns/mnt") else {
        return false;
    };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    processes.filter_map(Result::ok).any(|process| {
        let path = process.path();
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "sleep")
            && fs::read_link(path.join("ns/mnt")).is_ok_and(|namespace| namespace == own)
    })
}

const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_hooks(stop: Stop) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Stop(stop)))
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_orderly_fails_or_never_comes() {
        assert_eq!(FaultHooks::default().end().await, 0);
        assert_eq!(fault_hooks(Stop::FailsAtEnd).end().await, 3);
        let never = fault_hooks(Stop::NeverEnds);
        let ended = tokio::time::timeout(Duration::from_mins(10), never.end()).await;
        assert!(ended.is_err());
    }

    #[test]
    fn each_duty_of_a_stop_is_neglected_by_one_mutant() {
        let neglecting = |is_neglected: &dyn Fn(&FaultHooks) -> bool| -> Vec<&str> {
            Stop::ALL
                .iter()
                .filter(|stop| **stop != Stop::ExitsAtOnce && is_neglected(&fault_hooks(**stop)))
                .map(|stop| stop.name())
                .collect()
        };
        assert_eq!(neglecting(&|agent| !agent.heeds_term()), ["ignores-term"]);
        assert_eq!(
            neglecting(&|agent| !agent.keeps_waiting_records()),
            ["loses-waiting-records"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_under_way_is_cut_off_at_the_stop_of_one_mutant_only() {
        for (agent, is_cut_off) in [
            (fault_hooks(Stop::DropsChecks), true),
            (FaultHooks::default(), false),
        ] {
            let check = agent.clone();
            let check = tokio::spawn(async move { check.cut_off().await });
            tokio::task::yield_now().await;
            assert!(agent.heeds_term());
            let ended = tokio::time::timeout(Duration::from_mins(10), check).await;
            assert_eq!(ended.is_ok(), is_cut_off);
        }
    }

    #[tokio::test]
    async fn a_sleep_in_the_same_container_is_taken_for_a_hook() {
        let mut sleep = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .expect("every system has it");
        let end = Instant::now() + Duration::from_secs(20);
        // The child is called by our name until it has become the program.
        while !sleeps_here() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let found = fault_hooks(Stop::HangsInPreStop).hook_runs();
        sleep.kill().expect("our child");
        sleep.wait().expect("our child");
        assert!(found);
    }
}
