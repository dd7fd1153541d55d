//! Whether and when a mutant answers a check.

use std::sync::atomic::Ordering;
use std::time::Duration;

use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use tonic::Status;

use crate::mutant::fault_hooks::{FaultHooks, MutantState};
use crate::mutant::named::Mutant;
use crate::mutant::table::{Call, Start, Stop};

/// A check is under way for as long as this lives.
#[derive(Debug)]
pub struct UnderWay {
    fault_hooks: FaultHooks,
    end: CheckEnd,
}

/// How a check ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum CheckEnd {
    /// It was decided or failed.
    Answered,
    /// Its caller gave it up.
    GivenUp,
}

impl FaultHooks {
    /// Begins with a check: uses up what it costs, or hangs, or fails.
    ///
    /// # Errors
    ///
    /// The check is to fail.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the check.
    pub async fn take_up(&self) -> Result<UnderWay, Status> {
        let number = MutantState::next(&self.state().checks);
        let others = self.state().under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay {
            fault_hooks: self.clone(),
            end: CheckEnd::GivenUp,
        };
        self.use_up(number).await;
        let hangs = match self.mutant() {
            Some(Mutant::Call(Call::HangsAfter100Checks)) => number > 100,
            Some(Mutant::Start(Start::AnswersProbeOnly)) => true,
            Some(Mutant::Start(Start::HangsAfterRestart)) => self.is_restarted(),
            Some(Mutant::Stop(Stop::HangsInPreStop)) => self.hook_runs(),
            Some(_) | None => false,
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        match self.mutant() {
            Some(Mutant::Call(Call::FailsEvery200th)) if number.is_multiple_of(200) => {
                Err(Status::unavailable("every two hundredth check fails"))
            }
            Some(Mutant::Call(Call::KeepsPlaces)) if others >= PLACES => {
                under_way.finish();
                Err(Status::resource_exhausted("no place is left"))
            }
            Some(Mutant::Call(Call::TenAtATime)) => {
                // What others are doing can be seen only when they had their turn.
                tokio::time::sleep(TURN).await;
                if others >= 10 {
                    return Err(Status::resource_exhausted("ten checks are under way"));
                }
                Ok(under_way)
            }
            Some(_) | None => Ok(under_way),
        }
    }

    /// Checks how many requests wait for their response data.
    ///
    /// # Errors
    ///
    /// They are too many.
    pub fn fail_while_waiting(&self, requests: usize) -> Result<(), Status> {
        if self.mutant() == Some(Mutant::Call(Call::FailsWithTenWaiting)) && requests >= 10 {
            return Err(Status::resource_exhausted("ten requests wait"));
        }
        Ok(())
    }

    /// Returns the answer that goes out, after the time that it is held back.
    pub async fn hand_out(&self, response: CheckResponse) -> CheckResponse {
        let number = self.state().checks.load(Ordering::Relaxed);
        match self.mutant() {
            Some(Mutant::Call(Call::Late)) => tokio::time::sleep(LATENESS).await,
            Some(Mutant::Call(Call::LateEvery50th)) if number.is_multiple_of(50) => {
                tokio::time::sleep(LATENESS).await;
            }
            Some(Mutant::Call(Call::MixesUpAnswers)) => {
                self.state().remembered().answer = Some(response.clone());
                tokio::time::sleep(TURN).await;
                let latest = self.state().remembered().answer.clone();
                return latest.unwrap_or(response);
            }
            Some(_) | None => {}
        }
        response
    }

    /// Reads a check that describes no request.
    pub fn meet_check_without_request(&self) {
        if self.mutant() == Some(Mutant::Call(Call::DiesOfChecksWithoutRequest)) {
            std::process::abort();
        }
    }

    /// Reads a check's headers and body.
    pub fn meet(&self, check: &CheckRequest) {
        if self.mutant() != Some(Mutant::Call(Call::DiesOfOddBytes)) {
            return;
        }
        let http = check
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.request.as_ref())
            .and_then(|request| request.http.as_ref());
        let Some(http) = http else {
            return;
        };
        // Where it fills the map, Envoy writes a mark in place of what is no text.
        let is_odd_in_list = http.header_map.as_ref().is_some_and(|list| {
            list.headers
                .iter()
                .any(|header| std::str::from_utf8(&header.raw_value).is_err())
        });
        let is_odd_body = std::str::from_utf8(&http.raw_body).is_err() || has_odd_bytes(&http.body);
        if is_odd_in_list || is_odd_body || http.headers.values().any(|value| has_odd_bytes(value))
        {
            std::process::abort();
        }
    }

    /// Returns the longest message that is read, in bytes.
    pub fn longest_message(&self, set: usize) -> usize {
        match self.mutant() {
            Some(Mutant::Call(Call::LimitIsAMebibyte)) => set.min(1024 * 1024),
            Some(Mutant::Call(Call::LimitIsOff)) => set - 1,
            Some(Mutant::Call(Call::TakesAnyLength)) => usize::MAX,
            Some(_) | None => set,
        }
    }
}

impl UnderWay {
    /// Ends a check that is answered.
    pub fn finish(mut self) {
        self.end = CheckEnd::Answered;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let keeps_places = self.fault_hooks.mutant() == Some(Mutant::Call(Call::KeepsPlaces));
        if self.end == CheckEnd::Answered || !keeps_places {
            let under_way = &self.fault_hooks.state().under_way;
            under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn has_odd_bytes(value: &str) -> bool {
    value.contains('\u{fffd}')
}

const PLACES: usize = 100;
const TURN: Duration = Duration::from_millis(5);
// Longer than the proxy waits.
const LATENESS: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_hooks(call: Call) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Call(call)))
    }

    #[tokio::test]
    async fn every_two_hundredth_check_fails() {
        let fault_hooks = fault_hooks(Call::FailsEvery200th);
        let mut failed = Vec::new();
        for number in 1..=400 {
            if fault_hooks.take_up().await.is_err() {
                failed.push(number);
            }
        }
        assert_eq!(failed, [200, 400]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hundred_and_first_check_is_not_answered() {
        let fault_hooks = fault_hooks(Call::HangsAfter100Checks);
        let patience = Duration::from_mins(10);
        for _ in 0..100 {
            tokio::time::timeout(patience, fault_hooks.take_up())
                .await
                .expect("answered")
                .expect("not failed");
        }
        assert!(
            tokio::time::timeout(patience, fault_hooks.take_up())
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_eleventh_check_at_once_fails_and_the_next_one_alone_does_not() {
        let fault_hooks = fault_hooks(Call::TenAtATime);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..11 {
            let fault_hooks = fault_hooks.clone();
            all.spawn(async move {
                let taken = fault_hooks.take_up().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                taken.is_ok()
            });
        }
        let taken = all.join_all().await;
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 10);
        assert!(fault_hooks.take_up().await.is_ok());
    }

    #[tokio::test]
    async fn a_check_that_is_given_up_keeps_its_place() {
        let fault_hooks = fault_hooks(Call::KeepsPlaces);
        for _ in 0..PLACES {
            fault_hooks.take_up().await.expect("a place").finish();
        }
        for _ in 0..PLACES {
            drop(fault_hooks.take_up().await.expect("a place"));
        }
        assert!(fault_hooks.take_up().await.is_err());
    }

    #[test]
    fn ten_waiting_requests_are_too_many_for_one_mutant() {
        assert!(
            fault_hooks(Call::FailsWithTenWaiting)
                .fail_while_waiting(9)
                .is_ok()
        );
        assert!(
            fault_hooks(Call::FailsWithTenWaiting)
                .fail_while_waiting(10)
                .is_err()
        );
        assert!(FaultHooks::default().fail_while_waiting(10).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_comes_six_seconds_later() {
        for (call, span) in [(Call::Late, LATENESS), (Call::LimitIsOff, Duration::ZERO)] {
            let begun = tokio::time::Instant::now();
            fault_hooks(call).hand_out(CheckResponse::default()).await;
            assert_eq!(begun.elapsed(), span);
        }
    }

    #[test]
    fn the_limit_of_messages_is_another_one() {
        let set = 4 * 1024 * 1024;
        assert_eq!(FaultHooks::default().longest_message(set), set);
        assert_eq!(fault_hooks(Call::LimitIsOff).longest_message(set), set - 1);
        assert_eq!(
            fault_hooks(Call::LimitIsAMebibyte).longest_message(set),
            1024 * 1024
        );
    }
}
