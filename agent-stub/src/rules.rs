//! The agent's rules: whether they are loaded, and what they say is done with signals.
//!
//! Before they are loaded, the agent serves and inspects nothing. Once they are, there is no moment without: a reload
//! replaces one policy by the next in one step, and a request sees one of them from its start to its end.

use std::sync::Arc;

use tokio::sync::watch;

use crate::settings::Policy;

/// Whether rules are there to inspect with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RulesState {
    /// Inspection works.
    Loaded,
    /// Everything is let through uninspected: the documented hazard of the quick start.
    Loading,
}

/// Gives out the rules and their state.
#[derive(Clone, Debug)]
pub struct Rules {
    state: watch::Receiver<RulesState>,
    policy: watch::Receiver<Arc<Policy>>,
}

/// Announces that the rules are loaded.
#[derive(Debug)]
pub struct RulesLoader(watch::Sender<RulesState>);

/// Replaces the policy.
#[derive(Debug)]
pub struct PolicyUpdater(watch::Sender<Arc<Policy>>);

impl Rules {
    /// Starts without rules; the policy holds from the moment on that they are loaded.
    pub fn loading(policy: Policy) -> (RulesLoader, PolicyUpdater, Self) {
        let (loader, state) = watch::channel(RulesState::Loading);
        let (updater, policy) = watch::channel(Arc::new(policy));
        (
            RulesLoader(loader),
            PolicyUpdater(updater),
            Self { state, policy },
        )
    }

    /// Returns the state now.
    pub fn state(&self) -> RulesState {
        *self.state.borrow()
    }

    /// Returns the policy now.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }
}

impl RulesLoader {
    /// Makes the rules loaded, for good.
    pub fn finish(&self) {
        self.0.send_replace(RulesState::Loaded);
    }
}

impl PolicyUpdater {
    /// Puts another policy in the place of the one that holds.
    pub fn replace(&self, policy: Policy) {
        self.0.send_replace(Arc::new(policy));
    }
}
