//! What a mutant remembers of earlier requests, or forgets.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use tokio::time::Instant;

use crate::exchange::CheckedRequest;
use crate::inspect::Signal;
use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table::{Memory, Stop};
use crate::settings::Threshold;

/// What earlier requests left behind in a mutant.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) verdicts: HashMap<String, Vec<Signal>>,
    pub(super) connections: HashSet<(String, u32)>,
    pub(super) request_id: Option<String>,
    pub(super) answer: Option<CheckResponse>,
    pub(super) hook: Option<(Instant, bool)>,
    pub(super) first_check: Option<Instant>,
    pub(super) is_restarted: bool,
    pub(super) has_lost_stream: bool,
}

impl FaultHooks {
    /// Returns whether a request is not inspected because of what came before.
    pub(super) fn is_passed_over(&self, request: &CheckedRequest) -> bool {
        match self.mutant() {
            Some(Mutant::Memory(Memory::FirstCheckOfConnections)) => {
                let mut remembered = self.state().remembered();
                if remembered.connections.len() >= MOST_REMEMBERED {
                    remembered.connections.clear();
                }
                let connection = (request.peer_address.clone(), request.peer_port);
                request.peer_port != 0 && !remembered.connections.insert(connection)
            }
            Some(Mutant::Memory(Memory::StopsAfter100Checks)) => {
                self.state().checks.load(Ordering::Relaxed) > 100
            }
            Some(Mutant::Start(_)) => self.warms_up(),
            Some(Mutant::Stop(Stop::InspectsNothingInPreStop)) => self.hook_runs(),
            Some(_) | None => false,
        }
    }

    /// Puts the signals of an earlier request in the place of a request's own.
    pub(super) fn answer_from_memory(&self, request: &CheckedRequest, signals: &mut Vec<Signal>) {
        if self.mutant() != Some(Mutant::Memory(Memory::VerdictsByPath)) {
            return;
        }
        let mut remembered = self.state().remembered();
        if remembered.verdicts.len() >= MOST_REMEMBERED {
            remembered.verdicts.clear();
        }
        let first = remembered.verdicts.entry(request.path().into());
        signals.clone_from(first.or_insert_with(|| signals.clone()));
    }

    /// Returns what flags an address.
    pub fn threshold(&self, set: Threshold) -> Threshold {
        let Some(Mutant::Memory(memory)) = self.mutant() else {
            return set;
        };
        match memory {
            Memory::FlagsTooLate => Threshold {
                signals: set.signals + 1,
                ..set
            },
            Memory::FlagsTooLong => Threshold {
                flag_duration: set.flag_duration.saturating_mul(10),
                ..set
            },
            Memory::FlagsTooShort => Threshold {
                flag_duration: set.flag_duration / 10,
                ..set
            },
            Memory::AllSendersAreOne
            | Memory::FirstCheckOfConnections
            | Memory::StopsAfter100Checks
            | Memory::VerdictsByPath => set,
        }
    }

    /// Returns under which address a request's attacks are counted.
    pub fn counted_address<'address>(&self, address: &'address str) -> &'address str {
        match self.mutant() {
            Some(Mutant::Memory(Memory::AllSendersAreOne)) => "",
            Some(_) | None => address,
        }
    }
}

const MOST_REMEMBERED: usize = 16_384;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inspect::{Location, SignalKind};

    fn fault_hooks(memory: Memory) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Memory(memory)))
    }

    fn from_port(peer_port: u32) -> CheckedRequest {
        CheckedRequest {
            target: "/items?id=1".into(),
            peer_address: "192.0.2.1".into(),
            peer_port,
            ..CheckedRequest::default()
        }
    }

    #[test]
    fn only_the_first_request_of_each_connection_is_inspected() {
        let fault_hooks = fault_hooks(Memory::FirstCheckOfConnections);
        let passed: Vec<bool> = [1, 1, 2, 1]
            .map(|port| fault_hooks.is_passed_over(&from_port(port)))
            .into();
        assert_eq!(passed, [false, true, false, true]);
        assert!(!fault_hooks.is_passed_over(&from_port(0)));
    }

    #[tokio::test]
    async fn nothing_is_inspected_after_a_hundred_checks() {
        let fault_hooks = fault_hooks(Memory::StopsAfter100Checks);
        for _ in 0..100 {
            fault_hooks.take_up().await.expect("an answer");
            assert!(!fault_hooks.is_passed_over(&from_port(1)));
        }
        fault_hooks.take_up().await.expect("an answer");
        assert!(fault_hooks.is_passed_over(&from_port(1)));
    }

    #[test]
    fn the_first_verdict_for_a_path_holds_for_the_next_request() {
        let fault_hooks = fault_hooks(Memory::VerdictsByPath);
        let signal = Signal {
            kind: SignalKind::SqlInjection,
            location: Location::QueryString,
            name: String::new(),
            value: String::new(),
            detector: String::new(),
        };
        let mut first = vec![signal];
        fault_hooks.misjudge(&from_port(1), &mut first);
        let mut second = vec![];
        fault_hooks.misjudge(&from_port(2), &mut second);
        assert_eq!(second, first);
    }

    #[test]
    fn a_threshold_is_wrong_in_one_of_its_numbers() {
        let set = Threshold {
            signals: 5,
            interval: Duration::from_mins(1),
            flag_duration: Duration::from_secs(10),
        };
        assert_eq!(FaultHooks::default().threshold(set), set);
        let late = fault_hooks(Memory::FlagsTooLate).threshold(set);
        assert_eq!(late, Threshold { signals: 6, ..set });
        let long = fault_hooks(Memory::FlagsTooLong).threshold(set);
        let flag_duration = Duration::from_secs(100);
        assert_eq!(
            long,
            Threshold {
                flag_duration,
                ..set
            }
        );
        let short = fault_hooks(Memory::FlagsTooShort).threshold(set);
        let flag_duration = Duration::from_secs(1);
        assert_eq!(
            short,
            Threshold {
                flag_duration,
                ..set
            }
        );
        assert_eq!(
            fault_hooks(Memory::AllSendersAreOne).counted_address("192.0.2.1"),
            ""
        );
    }
}
