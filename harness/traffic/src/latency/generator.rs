//! Sends requests when they are due, whatever has become of earlier ones, and measures each from that moment.
//!
//! One thread with nonblocking connections waits with `ppoll`, whose time-out is in nanoseconds. A request for which every connection of its arm is
//! taken waits its turn; that wait is part of its latency, since a user would wait as well.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use super::arrivals::{Due, Schedule};
use super::lane::{Lane, Progress};
use super::plan::{LatencyPlan, LatencyPlanError};
use super::sample::{Ending, Sample};

/// The longest wait until it is seen that the run is to stop.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// How precisely the kernel wakes this thread, in nanoseconds. Its default of 50 µs is as long as what is measured.
const TIMER_SLACK_NANOSECONDS: u64 = 1;
/// Any will do: nothing else here is real-time.
const REAL_TIME_PRIORITY: u8 = 10;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The plan is wrong.
    #[error("the latency plan cannot be carried out")]
    Plan(#[from] LatencyPlanError),
    /// An arm cannot be reached before the first request.
    #[error("no connection to arm {arm} can be opened")]
    Connect {
        /// The arm, by its position.
        arm: u8,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system does not wait for connections.
    #[error("cannot wait for connections")]
    Wait(#[source] nix::Error),
}

/// Ends a run early: requests that are under way are given up.
pub type StopFlag = Arc<AtomicBool>;

/// Carries a plan out; returns a sample for each request that was due after the warm-up, in no order.
///
/// # Errors
///
/// When the plan is wrong or an arm takes no connection.
pub fn generate(plan: &LatencyPlan, stop: &StopFlag) -> Result<Vec<Sample>, GeneratorError> {
    plan.check()?;
    let request = STANDARD
        .decode(&plan.request_base64)
        .ok()
        .filter(|request| !request.is_empty())
        .ok_or(LatencyPlanError::Request)?;
    // A kernel that does not know the one and a process that may not have the other wake later, which the samples show.
    let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NANOSECONDS);
    let _ = run_before_others();
    let mut lanes = Vec::new();
    for (arm, address) in (0_u8..).zip(&plan.arms) {
        for number in 0..u8::try_from(plan.connections_per_arm).unwrap_or(u8::MAX) {
            let lane = Lane::open(arm, number, *address);
            lanes.push(lane.map_err(|source| GeneratorError::Connect { arm, source })?);
        }
    }
    let expected = usize::try_from(plan.requests()).unwrap_or_default();
    let mut generator = Generator {
        request,
        idle: (0..plan.arms.len()).map(|_| VecDeque::new()).collect(),
        waiting: plan.arms.iter().map(|_| VecDeque::new()).collect(),
        under_way: lanes.iter().map(|_| None).collect(),
        lanes,
        begun: Instant::now(),
        warm_up: Duration::from_millis(plan.warm_up_milliseconds),
        give_up: Duration::from_millis(plan.give_up_milliseconds),
        samples: Vec::with_capacity(expected + expected / 8),
        turn: 0,
    };
    for (number, lane) in generator.lanes.iter().enumerate() {
        generator.idle[usize::from(lane.arm)].push_back(number);
    }
    let arms = u8::try_from(plan.arms.len()).unwrap_or(u8::MAX);
    let schedule = Schedule::new(arms, plan.requests_per_second, plan.arrivals, plan.seed);
    let length = Duration::from_millis(plan.warm_up_milliseconds + plan.measured_milliseconds);
    generator.run(schedule, length, stop)?;
    Ok(generator.samples)
}

/// Lets this thread run as soon as it is due, before everything that is not real-time itself: what is measured is never kept from running for long,
/// since between two events this thread sleeps.
fn run_before_others() -> Result<(), thread_priority::Error> {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let priority = ThreadPriority::Crossplatform(REAL_TIME_PRIORITY.try_into().unwrap_or_default());
    set_thread_priority_and_policy(thread_native_id(), priority, policy)
}

struct Generator {
    request: Vec<u8>,
    lanes: Vec<Lane>,
    /// The lanes of each arm that carry nothing, the one that has been free for longest first.
    idle: Vec<VecDeque<usize>>,
    /// What waits for a lane, by arm.
    waiting: Vec<VecDeque<Pending>>,
    /// What each lane carries.
    under_way: Vec<Option<Pending>>,
    begun: Instant,
    warm_up: Duration,
    give_up: Duration,
    samples: Vec<Sample>,
    /// Which of the connections that are ready at the same time is read first.
    turn: usize,
}

/// Returns how a request has ended, and with which status; none while it is under way.
fn ended(progress: Progress) -> Option<(Ending, u16)> {
    match progress {
        Progress::UnderWay => None,
        Progress::Answered(status) => Some((Ending::Answered, status)),
        Progress::Lost => Some((Ending::Lost, 0)),
        Progress::Unreadable => Some((Ending::Unreadable, 0)),
    }
}

/// A request that was due.
#[derive(Clone, Copy, Debug)]
struct Pending {
    due: Due,
    lateness: Duration,
    others: u16,
}

impl Generator {
    fn run(
        &mut self,
        mut schedule: Schedule,
        length: Duration,
        stop: &StopFlag,
    ) -> Result<(), GeneratorError> {
        let mut next = Some(schedule.next());
        loop {
            let now = self.begun.elapsed();
            while let Some(due) = next.filter(|due| due.after <= now) {
                self.dispatch(due);
                let following = schedule.next();
                next = (following.after < length).then_some(following);
            }
            self.give_up_late_ones();
            let is_idle = self.is_idle();
            if (next.is_none() && is_idle) || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let until_due = next.map(|due| due.after.saturating_sub(self.begun.elapsed()));
            self.wait(until_due.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT)))?;
        }
    }

    fn is_idle(&self) -> bool {
        self.under_way.iter().all(Option::is_none) && self.waiting.iter().all(VecDeque::is_empty)
    }

    fn dispatch(&mut self, due: Due) {
        let arm = usize::from(due.arm);
        let lanes = self.lanes.len() / self.idle.len().max(1);
        let busy = lanes.saturating_sub(self.idle[arm].len()) + self.waiting[arm].len();
        let pending = Pending {
            due,
            lateness: self.begun.elapsed().saturating_sub(due.after),
            others: u16::try_from(busy).unwrap_or(u16::MAX),
        };
        match self.idle[arm].pop_front() {
            Some(lane) => self.begin(lane, pending),
            None => self.waiting[arm].push_back(pending),
        }
    }

    /// Begins a request on a free lane; where it ends at once, those that wait for the lane follow.
    fn begin(&mut self, lane: usize, pending: Pending) {
        let arm = usize::from(self.lanes[lane].arm);
        let mut next = Some(pending);
        while let Some(pending) = next {
            self.under_way[lane] = Some(pending);
            let progress = self.lanes[lane].begin(&self.request);
            let Some((ending, status)) = ended(progress) else {
                return;
            };
            self.conclude(lane, ending, status, Instant::now());
            next = self.waiting[arm].pop_front();
        }
        self.idle[arm].push_back(lane);
    }

    /// Ends what a lane carries, and gives it what waits for it.
    fn finish(&mut self, lane: usize, ending: Ending, status: u16, at: Instant) {
        self.conclude(lane, ending, status, at);
        let arm = usize::from(self.lanes[lane].arm);
        match self.waiting[arm].pop_front() {
            Some(pending) => self.begin(lane, pending),
            None => self.idle[arm].push_back(lane),
        }
    }

    fn conclude(&mut self, lane: usize, ending: Ending, status: u16, at: Instant) {
        if let Some(pending) = self.under_way[lane].take() {
            let number = self.lanes[lane].number;
            self.keep(pending, number, ending, status, at);
        }
    }

    fn keep(&mut self, pending: Pending, connection: u8, ending: Ending, status: u16, at: Instant) {
        let due = pending.due;
        let Some(after_warm_up) = due.after.checked_sub(self.warm_up) else {
            return;
        };
        let latency = at
            .saturating_duration_since(self.begun)
            .saturating_sub(due.after);
        self.samples.push(Sample {
            due_nanoseconds: u64::try_from(after_warm_up.as_nanos()).unwrap_or(u64::MAX),
            lateness_nanoseconds: u32::try_from(pending.lateness.as_nanos()).unwrap_or(u32::MAX),
            latency: Sample::latency_of(latency.as_nanos()),
            status,
            arm: due.arm,
            generation: 0,
            ending,
            connection,
            under_way: pending.others,
        });
    }

    /// Gives up what has waited for too long.
    fn give_up_late_ones(&mut self) {
        let Some(oldest) = self.begun.elapsed().checked_sub(self.give_up) else {
            return;
        };
        for lane in 0..self.lanes.len() {
            if self.under_way[lane].is_some_and(|pending| pending.due.after < oldest) {
                self.lanes[lane].give_up();
                self.finish(lane, Ending::GivenUp, 0, Instant::now());
            }
        }
        for arm in 0..self.waiting.len() {
            while let Some(pending) = self.waiting[arm]
                .front()
                .copied()
                .filter(|pending| pending.due.after < oldest)
            {
                self.waiting[arm].pop_front();
                self.keep(pending, u8::MAX, Ending::GivenUp, 0, Instant::now());
            }
        }
    }

    /// Waits until a connection has something, or for so long.
    fn wait(&mut self, longest: Duration) -> Result<(), GeneratorError> {
        let mut waited_for = Vec::with_capacity(self.lanes.len());
        let mut ready = Vec::with_capacity(self.lanes.len());
        for (number, lane) in self.lanes.iter().enumerate() {
            if self.under_way[number].is_none() {
                continue;
            }
            if let Some(stream) = lane.stream() {
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, lane.is_writing(&self.request));
                waited_for.push(PollFd::new(stream.as_fd(), flags));
                ready.push(number);
            }
        }
        match ppoll(&mut waited_for, Some(TimeSpec::from(longest)), None) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(GeneratorError::Wait(error)),
        }
        let is_ready: Vec<bool> = waited_for
            .iter()
            .map(|waited| waited.any().unwrap_or(true))
            .collect();
        drop(waited_for);
        let mut ready: Vec<usize> = ready
            .into_iter()
            .zip(is_ready)
            .filter_map(|(number, is_ready)| is_ready.then_some(number))
            .collect();
        // Whoever is read last seems slower: it must not always be the same arm.
        let first = self.turn % ready.len().max(1);
        ready.rotate_left(first);
        self.turn = self.turn.wrapping_add(1);
        for number in ready {
            let (progress, at) = self.lanes[number].go_on(&self.request);
            if let Some((ending, status)) = ended(progress) {
                self.finish(number, ending, status, at);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "generator_tests.rs"]
mod tests;
