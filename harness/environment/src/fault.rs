//! Why an environment could not do what it was asked: never a judgement of the agent.

use harness_core::model::timeouts::TimedOut;

/// Why an environment could not do what it was asked: never a judgement of the agent.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentFault {
    /// The machine cannot carry out what a pod needs.
    #[error("this machine cannot run pods: {reason}")]
    Unsuitable {
        /// What is missing.
        reason: String,
        /// What the user can do.
        hint: String,
    },
    /// A container's image has no executable here.
    #[error("container `{container}` names the image `{image}`, which is not available here")]
    ImageMissing {
        /// The field's path in the pod template: `containers[0].image`.
        path: String,
        /// The container.
        container: String,
        /// Its image.
        image: String,
    },
    /// The pod template asks for something that the environment does not carry out.
    #[error("the pod template asks for {what}, which this environment does not carry out")]
    NotCarriedOut {
        /// The field's path in the pod template, as `containers[0].image`, where it is one field.
        path: Option<String>,
        /// The field and its value.
        what: String,
    },
    /// A cluster, or the tool that makes clusters, refused or did not answer.
    #[error("cannot {action}: {detail}")]
    Cluster {
        /// What was attempted, after "cannot".
        action: String,
        /// What the API or the tool said.
        detail: String,
        /// What the user can do, where something is known.
        hint: Option<String>,
    },
    /// A policy of the cluster refused an object.
    #[error("cannot {action}: {words}")]
    NotAdmitted {
        /// What was attempted, after "cannot".
        action: String,
        /// What the API said.
        words: String,
        /// What the user can do.
        hint: Option<String>,
    },
    /// A wait ended without its condition.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The container does not exist or does not run.
    #[error("container `{container}` {state}")]
    ContainerState {
        /// The container.
        container: String,
        /// Its state as a predicate: `does not run`.
        state: String,
    },
    /// The pod has ended or its supervisor is unreachable.
    #[error("the pod is gone: {reason}")]
    PodLost {
        /// What was seen last.
        reason: String,
    },
    /// An operation of the machine failed.
    #[error("cannot {action}")]
    Io {
        /// What was attempted, after "cannot".
        action: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl EnvironmentFault {
    /// Returns the path of the field of the pod template that is at fault, as `containers[0].image`, where it is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::ImageMissing { path, .. } => Some(path),
            Self::NotCarriedOut { path, .. } => path.as_deref(),
            Self::Unsuitable { .. }
            | Self::Cluster { .. }
            | Self::NotAdmitted { .. }
            | Self::TimedOut(_)
            | Self::ContainerState { .. }
            | Self::PodLost { .. }
            | Self::Io { .. } => None,
        }
    }
}
