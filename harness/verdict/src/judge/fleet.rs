//! Says what became of a request to a fleet that changed meanwhile, and to which phase of whose life a lost or leaked one belongs.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::witness::join::Joined;
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;
use harness_traffic::record::{
    ClientFailure, ClientRecord, ClientResult, FailureCause, RequestPhase,
};

/// How long before a KILL a witness's last words may be cut off: what it has written and the runtime has not read.
const LAST_WORDS: SignedDuration = SignedDuration::from_secs(1);

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fate {
    /// A benign request was inspected and answered by the application; an attack was denied by the agent.
    AsUsual,
    /// An attack reached the application, or was answered as if it had.
    Leaked,
    /// A benign request got no answer of the application.
    Lost,
    /// The agent decided, and wrongly: it denied or tagged a benign request.
    Misjudged,
    /// An attack got neither to the application nor to a denial of the agent.
    TurnedAway,
    /// The witnesses contradict each other, or one is missing.
    Unaccounted,
    /// A benign request was answered by the application without the agent.
    Uninspected,
}

impl Fate {
    /// Returns the name as reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsUsual => "as usual",
            Self::Leaked => "leaked",
            Self::Lost => "lost",
            Self::Misjudged => "misjudged",
            Self::TurnedAway => "turned away",
            Self::Unaccounted => "unaccounted for",
            Self::Uninspected => "uninspected",
        }
    }

    /// Decides the fate by the outcome that the witnesses add up to.
    pub fn of(kind: StreamKind, joined: &Joined, outcome: Outcome) -> Self {
        match kind {
            StreamKind::Attack => Self::of_attack(joined, outcome),
            StreamKind::Benign => Self::of_benign(outcome),
        }
    }

    fn of_attack(joined: &Joined, outcome: Outcome) -> Self {
        // Whatever the other witnesses say: what the application has, or has answered, got through.
        let answered = match &joined.client.result {
            ClientResult::Response(response) => {
                (200..300).contains(&response.status) && joined.answered_from_outside().is_none()
            }
            ClientResult::Failed(_) => false,
        };
        if answered || !joined.upstream.is_empty() {
            return Self::Leaked;
        }
        match outcome {
            Outcome::Allowed
            | Outcome::AllowedAndTagged
            | Outcome::FailedOpen
            | Outcome::NotInspected => Self::Leaked,
            Outcome::BlockedByAgent => Self::AsUsual,
            Outcome::FailedClosed | Outcome::Lost | Outcome::RejectedByProxy => Self::TurnedAway,
            Outcome::Ambiguous => Self::Unaccounted,
        }
    }

    const fn of_benign(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allowed => Self::AsUsual,
            Outcome::AllowedAndTagged | Outcome::BlockedByAgent => Self::Misjudged,
            Outcome::FailedOpen | Outcome::NotInspected => Self::Uninspected,
            Outcome::FailedClosed | Outcome::Lost | Outcome::RejectedByProxy => Self::Lost,
            Outcome::Ambiguous => Self::Unaccounted,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A phase of a pod's life.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PodPhase {
    /// It has not been ready yet.
    Starting,
    /// It is an endpoint of its Service.
    Ready,
    /// A container has ended that nobody asked to; the kubelet starts it again.
    Without(String),
    /// It is not ready, and nobody has asked for its deletion.
    NotReady,
    /// Its deletion was asked for: it is taken out of its Service.
    EndpointRemoved,
    /// A preStop hook runs.
    PreStopRunning,
    /// This container was sent TERM; hooks of others may still run.
    TermSent(String),
    /// This container has ended.
    Exited(String),
    /// Nothing of it runs.
    Gone,
}

impl PodPhase {
    /// Returns the phase in which a pod was at a moment. Of a pod that is leaving, what its proxy has come to counts most: requests are
    /// lost with it.
    pub fn at(timeline: &[TimelineEvent], moment: Timestamp) -> Self {
        let mut phase = Self::Starting;
        let mut deleting = false;
        for event in timeline.iter().filter(|event| event.at <= moment) {
            phase = phase.after(event, &mut deleting);
        }
        phase
    }

    fn after(self, event: &TimelineEvent, deleting: &mut bool) -> Self {
        let container = || event.container.clone().unwrap_or_default();
        let proxy_has_ended = matches!(&self, Self::Exited(name) if name == PROXY_CONTAINER);
        match &event.event {
            LifecycleEvent::DeletionRequested { .. } => {
                *deleting = true;
                Self::EndpointRemoved
            }
            LifecycleEvent::PodGone => Self::Gone,
            LifecycleEvent::PodReady if !*deleting => Self::Ready,
            LifecycleEvent::PodNotReady if !*deleting => match self {
                Self::Without(_) => self,
                Self::Starting
                | Self::Ready
                | Self::NotReady
                | Self::EndpointRemoved
                | Self::PreStopRunning
                | Self::TermSent(_)
                | Self::Exited(_)
                | Self::Gone => Self::NotReady,
            },
            LifecycleEvent::PreStopStarted if self == Self::EndpointRemoved => Self::PreStopRunning,
            LifecycleEvent::TermSent { .. } if *deleting && !proxy_has_ended => {
                self.replaced_by(Self::TermSent(container()))
            }
            LifecycleEvent::Exited(_) | LifecycleEvent::EndUnknown { .. } => {
                match (*deleting, proxy_has_ended) {
                    (true, true) => self,
                    (true, false) => self.replaced_by(Self::Exited(container())),
                    (false, _) => Self::Without(container()),
                }
            }
            LifecycleEvent::Started { restart_count: 1.. } if !*deleting => Self::NotReady,
            LifecycleEvent::PodCreated
            | LifecycleEvent::Started { .. }
            | LifecycleEvent::Probed { .. }
            | LifecycleEvent::StartupComplete
            | LifecycleEvent::ContainerReady
            | LifecycleEvent::ContainerNotReady
            | LifecycleEvent::PodReady
            | LifecycleEvent::PodNotReady
            | LifecycleEvent::PreStopStarted
            | LifecycleEvent::PreStopFinished { .. }
            | LifecycleEvent::PreStopFailed { .. }
            | LifecycleEvent::PreStopOverran
            | LifecycleEvent::TermSent { .. }
            | LifecycleEvent::KillSent
            | LifecycleEvent::OutOfMemory
            | LifecycleEvent::Restarting { .. }
            | LifecycleEvent::FaultInjected { .. } => self,
        }
    }

    /// Another container's TERM or end does not hide the proxy's.
    fn replaced_by(self, next: Self) -> Self {
        let is_of_proxy = |phase: &Self| matches!(phase, Self::TermSent(name) | Self::Exited(name) if name == PROXY_CONTAINER);
        if is_of_proxy(&self) && !is_of_proxy(&next) {
            self
        } else {
            next
        }
    }

    /// Tells whether the pod is on its way out.
    pub const fn is_leaving(&self) -> bool {
        match self {
            Self::EndpointRemoved | Self::PreStopRunning | Self::TermSent(_) | Self::Exited(_) => {
                true
            }
            Self::Starting | Self::Ready | Self::Without(_) | Self::NotReady | Self::Gone => false,
        }
    }
}

impl fmt::Display for PodPhase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => formatter.write_str("starting"),
            Self::Ready => formatter.write_str("ready"),
            Self::Without(container) => write!(formatter, "{container} has ended by itself"),
            Self::NotReady => formatter.write_str("not ready"),
            Self::EndpointRemoved => formatter.write_str("endpoint removed"),
            Self::PreStopRunning => formatter.write_str("preStop running"),
            Self::TermSent(container) => write!(formatter, "TERM sent to {container}"),
            Self::Exited(container) => write!(formatter, "{container} exited"),
            Self::Gone => formatter.write_str("gone"),
        }
    }
}

/// Returns the moment that a request's fate is placed at: when its answer failed, or when it was sent where it only waited in vain or was
/// answered.
pub fn moment_of(client: &ClientRecord) -> Timestamp {
    let sent = client.sent_at.unwrap_or(client.intended_at);
    match &client.result {
        ClientResult::Failed(ClientFailure {
            cause: FailureCause::TimedOut,
            ..
        })
        | ClientResult::Response(_) => sent,
        ClientResult::Failed(_) => client.finished_at,
    }
}

/// Says in a few words where a request that no pod recorded came to its end.
pub fn end_without_pod(client: &ClientRecord) -> String {
    match &client.result {
        ClientResult::Response(response) => {
            let server = response.header_values("server").next();
            format!(
                "no pod, answered {} by a server that calls itself `{}`",
                response.status,
                server.unwrap_or_default().escape_debug()
            )
        }
        ClientResult::Failed(failure) => {
            let phase = match failure.phase {
                RequestPhase::Connect => "while connecting",
                RequestPhase::Send => "while sending",
                RequestPhase::ResponseHead => "before an answer",
                RequestPhase::ResponseBody => "within the answer",
            };
            let cause = match failure.cause {
                FailureCause::Refused => "refused",
                FailureCause::Reset => "reset",
                FailureCause::Closed => "closed",
                FailureCause::TimedOut => "timed out",
                FailureCause::Malformed => "malformed",
                FailureCause::Other => "failed",
            };
            format!("no pod, {cause} {phase}")
        }
    }
}

/// Tells whether witnesses of a pod may lack what they saw of a request at this moment: they were killed, or are without a container.
pub fn may_lack_records(timeline: &[TimelineEvent], moment: Timestamp) -> bool {
    timeline
        .iter()
        .filter(|event| {
            matches!(
                event.event,
                LifecycleEvent::DeletionRequested {
                    grace_period_seconds: 0
                } | LifecycleEvent::KillSent
                    | LifecycleEvent::FaultInjected { .. }
            )
        })
        .any(|event| (event.at - LAST_WORDS..=event.at + LAST_WORDS).contains(&moment))
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
