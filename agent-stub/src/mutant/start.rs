//! How a mutant starts, and what its startup probe sees.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;
use tonic_health::ServingStatus;

use crate::mutant::fault_hooks::{FaultHooks, MutantState};
use crate::mutant::files::secret_key;
use crate::mutant::named::Mutant;
use crate::mutant::table::Start;
use crate::rules::RulesState;
use crate::workspace::WorkspaceError;

/// When the startup probe's file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProbeFile {
    /// At the start.
    Early,
    /// Not at all.
    Never,
    /// When the rules are loaded.
    WithRules,
}

impl FaultHooks {
    /// Returns the state of the rules that the startup probe is shown.
    pub fn shown_to_probe(&self, state: RulesState) -> RulesState {
        match self.start_fault() {
            Some(Start::AnswersProbeOnly | Start::ReadyBeforeRules) => RulesState::Loaded,
            Some(Start::NeverReady) => RulesState::Loading,
            Some(Start::Flaps) if state == RulesState::Loaded => {
                if MutantState::next(&self.state().others).is_multiple_of(2) {
                    RulesState::Loading
                } else {
                    RulesState::Loaded
                }
            }
            Some(_) | None => state,
        }
    }

    /// Returns when the startup probe's file is written.
    pub fn probe_file(&self) -> ProbeFile {
        match self.start_fault() {
            Some(Start::WritesProbeFileEarly) => ProbeFile::Early,
            Some(Start::NeverReady) => ProbeFile::Never,
            Some(_) | None => ProbeFile::WithRules,
        }
    }

    /// Returns what the health service says while the agent serves.
    pub fn health(&self) -> ServingStatus {
        match self.start_fault() {
            Some(Start::NeverHealthy) => ServingStatus::NotServing,
            Some(_) | None => ServingStatus::Serving,
        }
    }

    /// Returns how long the gRPC listener opens after everything else.
    pub fn listening_delay(&self) -> Option<Duration> {
        (self.start_fault() == Some(Start::ListensLate)).then_some(LISTENING_DELAY)
    }

    /// Returns whether a certificate that was given is shown.
    pub fn shows_certificate(&self) -> bool {
        self.start_fault() != Some(Start::IgnoresCertificate)
    }

    /// Returns whether a rejected access key is reported.
    pub fn reports_rejected_key(&self) -> bool {
        self.start_fault() != Some(Start::SilentOfRejectedKey)
    }

    /// Returns whether variables without effect are named.
    pub fn names_ignored_variables(&self) -> bool {
        self.start_fault() != Some(Start::SilentOfVariables)
    }

    /// Returns how long the metadata service's answer is waited for.
    pub fn patience(&self, set: Duration) -> Duration {
        match self.start_fault() {
            Some(Start::WaitsForMetadata) => LONG_PATIENCE,
            Some(_) | None => set,
        }
    }

    /// Takes up a check before there are rules.
    ///
    /// # Errors
    ///
    /// The check is to fail.
    pub fn go_without_rules(&self) -> Result<(), Status> {
        match self.start_fault() {
            Some(Start::FailsBeforeRules) => Err(Status::unavailable("no rules are loaded")),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns whether nothing is inspected yet.
    pub(super) fn warms_up(&self) -> bool {
        let is_slow = self.start_fault() == Some(Start::InspectsNothingAtFirst);
        is_slow && {
            let first = &mut self.state().remembered().first_check;
            first.get_or_insert_with(Instant::now).elapsed() < WARM_UP
        }
    }

    /// Returns whether a start without keys is tolerated.
    pub fn starts_without_keys(&self) -> bool {
        matches!(
            self.start_fault(),
            Some(Start::ServesKeylessAtFirst | Start::StartsWithoutKeys)
        )
    }

    /// Waits until the agent notices that it should not have started.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn end_after_start(&self) {
        if self.start_fault() != Some(Start::ServesKeylessAtFirst) {
            return std::future::pending().await;
        }
        let access_key = std::env::var("SIGSCI_ACCESSKEYID").unwrap_or_default();
        let is_keyless = access_key.trim().is_empty() || secret_key().trim().is_empty();
        if !is_keyless {
            return std::future::pending().await;
        }
        tokio::time::sleep(KEYLESS_SPAN).await;
    }

    /// Checks what an earlier run left.
    ///
    /// # Errors
    ///
    /// It is reason enough not to start.
    pub(super) fn check_earlier_run(
        &self,
        cache_directory: &Path,
        socket: Option<&Path>,
    ) -> Result<(), WorkspaceError> {
        match (self.start_fault(), socket) {
            (Some(Start::HangsAfterRestart), _) => {
                let is_restarted = cache_directory.join("rules.json").exists();
                self.state().remembered().is_restarted = is_restarted;
                Ok(())
            }
            (Some(Start::StaleSocket), Some(socket)) if socket.exists() => {
                Err(WorkspaceError::Directory {
                    directory: socket.into(),
                    source: std::io::ErrorKind::AddrInUse.into(),
                })
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    pub(super) fn is_restarted(&self) -> bool {
        self.state().remembered().is_restarted
    }

    fn start_fault(&self) -> Option<Start> {
        if let Some(Mutant::Start(start)) = self.mutant() {
            Some(start)
        } else {
            None
        }
    }
}

const LISTENING_DELAY: Duration = Duration::from_secs(3);
// Longer than the scenario's bound, and shorter than what its startup probe allows for.
const LONG_PATIENCE: Duration = Duration::from_secs(15);
const WARM_UP: Duration = Duration::from_secs(2);
const KEYLESS_SPAN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn fault_hooks(start: Start) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Start(start)))
    }

    #[rstest]
    #[case(FaultHooks::default(), [RulesState::Loading, RulesState::Loaded, RulesState::Loaded])]
    #[case(fault_hooks(Start::ReadyBeforeRules), [RulesState::Loaded, RulesState::Loaded, RulesState::Loaded])]
    #[case(fault_hooks(Start::AnswersProbeOnly), [RulesState::Loaded, RulesState::Loaded, RulesState::Loaded])]
    #[case(fault_hooks(Start::NeverReady), [RulesState::Loading, RulesState::Loading, RulesState::Loading])]
    #[case(fault_hooks(Start::Flaps), [RulesState::Loading, RulesState::Loaded, RulesState::Loading])]
    fn the_probe_is_shown(#[case] fault_hooks: FaultHooks, #[case] shown: [RulesState; 3]) {
        let truth = [RulesState::Loading, RulesState::Loaded, RulesState::Loaded];
        assert_eq!(truth.map(|state| fault_hooks.shown_to_probe(state)), shown);
    }

    #[test]
    fn a_socket_that_was_left_ends_the_start_of_one_mutant_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("sigsci.sock");
        let check = |fault_hooks: &FaultHooks| {
            fault_hooks.check_earlier_run(directory.path(), Some(&socket))
        };
        assert!(check(&fault_hooks(Start::StaleSocket)).is_ok());
        std::fs::write(&socket, b"").expect("writable");
        assert!(check(&fault_hooks(Start::StaleSocket)).is_err());
        assert!(check(&FaultHooks::default()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_whose_earlier_run_left_its_cache_hangs() {
        let directory = tempfile::tempdir().expect("a directory");
        let fault_hooks = fault_hooks(Start::HangsAfterRestart);
        fault_hooks
            .check_earlier_run(directory.path(), None)
            .expect("it starts");
        assert!(fault_hooks.take_up().await.is_ok());
        std::fs::write(directory.path().join("rules.json"), b"{}").expect("writable");
        fault_hooks
            .check_earlier_run(directory.path(), None)
            .expect("it starts");
        let taken = tokio::time::timeout(Duration::from_mins(10), fault_hooks.take_up()).await;
        assert!(taken.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_inspected_for_two_seconds_from_the_first_check_on() {
        let fault_hooks = fault_hooks(Start::InspectsNothingAtFirst);
        assert!(fault_hooks.warms_up());
        tokio::time::sleep(Duration::from_millis(1_999)).await;
        assert!(fault_hooks.warms_up());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!fault_hooks.warms_up());
        assert!(!FaultHooks::default().warms_up());
    }

    #[test]
    fn what_a_start_owes_is_withheld_by_one_mutant_each() {
        let withholding = |withholds: &dyn Fn(&FaultHooks) -> bool| -> Vec<&str> {
            Start::ALL
                .iter()
                .filter(|start| withholds(&fault_hooks(**start)))
                .map(|start| start.name())
                .collect()
        };
        assert_eq!(
            withholding(&|agent| !agent.shows_certificate()),
            ["ignores-certificate"]
        );
        assert_eq!(
            withholding(&|agent| !agent.reports_rejected_key()),
            ["silent-about-rejected-key"]
        );
        assert_eq!(
            withholding(&|agent| !agent.names_ignored_variables()),
            ["silent-about-unknown-variables"]
        );
        assert_eq!(
            withholding(&|agent| agent.go_without_rules().is_err()),
            ["fails-checks-before-rules"]
        );
        assert_eq!(
            withholding(&|agent| agent.patience(Duration::ZERO) > Duration::ZERO),
            ["waits-long-for-metadata"]
        );
    }

    #[test]
    fn what_a_mutant_says_of_itself_is_wrong_in_one_way() {
        assert_eq!(FaultHooks::default().health(), ServingStatus::Serving);
        assert_eq!(
            fault_hooks(Start::NeverHealthy).health(),
            ServingStatus::NotServing
        );
        assert_eq!(
            fault_hooks(Start::WritesProbeFileEarly).probe_file(),
            ProbeFile::Early
        );
        assert_eq!(
            fault_hooks(Start::NeverReady).probe_file(),
            ProbeFile::Never
        );
        assert_eq!(
            fault_hooks(Start::ReadyBeforeRules).probe_file(),
            ProbeFile::WithRules
        );
        assert_eq!(fault_hooks(Start::NeverReady).listening_delay(), None);
        assert_eq!(
            fault_hooks(Start::ListensLate).listening_delay(),
            Some(LISTENING_DELAY)
        );
    }
}
