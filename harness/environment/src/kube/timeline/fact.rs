//! What the sources of a pod's timeline say: the facts that [`super::fold`] reads.
//!
//! A fact never changes and says nothing of what follows from it. Where a source dates what it says, the fact carries the earliest and the
//! latest moment at which it can have happened; where it does not, it had happened when the harness heard of it.

use jiff::{SignedDuration, Timestamp};

use crate::observe::ProcessChange;
use harness_core::model::timeline::{ExitStatus, ProbeKind};

/// A status dates in whole seconds: the moment lies within this time after it.
const STATUS_RESOLUTION: SignedDuration = SignedDuration::from_millis(999);

/// Who says something of a pod. Of facts that are heard at the same moment, those of an earlier source come first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    /// The harness, of what it does itself.
    Harness,
    /// The pod's status.
    PodStatus,
    /// An event of the kubelet.
    KubeletEvent,
    /// The observer of processes on the pod's node.
    ProcessObserver,
    /// The proxy, in its own log.
    ProxyLog,
    /// The clock: what depends on time alone.
    Clock,
}

/// What one source says once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observation {
    /// Before which moment it cannot have happened; none where the source does not say.
    pub earliest: Option<Timestamp>,
    /// By which moment it had happened.
    pub latest: Timestamp,
    /// What happened.
    pub what: What,
}

/// An observation, with its source and its place in what is heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    /// Who says it.
    pub source: Source,
    /// Its place among what the same source has said.
    pub number: usize,
    /// When it reached the harness.
    pub heard_at: Timestamp,
    /// Before which moment it cannot have happened; none where the source does not say.
    pub earliest: Option<Timestamp>,
    /// By which moment it had happened.
    pub latest: Timestamp,
    /// What happened.
    pub what: What,
}

/// What can be said of a pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// The harness asks for its deletion.
    DeletionAsked,
    /// Nothing more will be heard of it.
    Concluded,
    /// So much time has passed.
    TimePassed,
    /// It exists.
    Exists,
    /// It is being deleted, with so long a grace period, where that is said.
    BeingDeleted { grace_seconds: Option<u64> },
    /// Whether it counts as ready.
    PodReadiness(Readiness),
    /// Something of one of its containers.
    OfContainer {
        container: String,
        what: ContainerFact,
    },
    /// An event of the kubelet. The API counts repetitions of an event up in place.
    KubeletEvent {
        id: String,
        count: i32,
        container: String,
        signal: KubeletSignal,
    },
}

/// What a status, a node or a log says of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ContainerFact {
    /// The kubelet finds an instance no more: none of those that the same status still knows.
    Lost { reason: String, known: Vec<String> },
    /// An instance was started.
    InstanceStarted { id: String, restart_count: u32 },
    /// An instance has ended.
    InstanceEnded {
        id: String,
        status: ExitStatus,
        cause: EndCause,
    },
    /// The startup probe has succeeded, or there is none.
    StartupComplete,
    /// Whether it counts as ready.
    Readiness(Readiness),
    /// A process of it began or ended.
    Process(ProcessChange),
    /// It says itself that it was sent TERM.
    TermReceived,
}

/// What an event of the kubelet says of a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KubeletSignal {
    /// A probe has failed.
    ProbeFailed { probe: ProbeKind, message: String },
    /// It stops the container because of a probe and will start it again.
    Restarts { reason: String },
    /// It stops the container.
    Stops,
    /// The preStop hook has failed.
    HookFailed { reason: String },
}

/// Whether a pod or a container counts as ready.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Readiness {
    #[default]
    NotReady,
    Ready,
}

/// What has ended an instance, as far as a status says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndCause {
    /// The kernel, for want of memory.
    OutOfMemory,
    /// Anything else.
    Other,
}

impl Observation {
    /// What had happened when it was heard, without a date.
    pub(super) const fn undated(heard_at: Timestamp, what: What) -> Self {
        Self {
            earliest: None,
            latest: heard_at,
            what,
        }
    }

    /// What is dated in whole seconds.
    pub(super) fn dated(heard_at: Timestamp, dated: Option<Timestamp>, what: What) -> Self {
        Self {
            earliest: dated,
            latest: moment(heard_at, dated),
            what,
        }
    }
}

impl Readiness {
    /// Reads a condition.
    pub(super) const fn of(is_ready: bool) -> Self {
        if is_ready {
            Self::Ready
        } else {
            Self::NotReady
        }
    }
}

impl Fact {
    /// Returns the order in which facts are read: as they were heard, and what one source says in its own order.
    pub(super) const fn order(&self) -> (Timestamp, Source, usize) {
        (self.heard_at, self.source, self.number)
    }
}

impl KubeletSignal {
    /// Returns whether it is said of a container that is being stopped.
    pub(super) const fn is_of_a_stop(&self) -> bool {
        match self {
            Self::Stops | Self::HookFailed { .. } => true,
            Self::ProbeFailed { .. } | Self::Restarts { .. } => false,
        }
    }
}

/// Returns the latest moment that fits both a date in whole seconds and when it was heard.
pub(super) fn moment(heard_at: Timestamp, dated: Option<Timestamp>) -> Timestamp {
    let Some(dated) = dated else {
        return heard_at;
    };
    let latest = dated.checked_add(STATUS_RESOLUTION).unwrap_or(dated);
    heard_at.clamp(dated, latest)
}
