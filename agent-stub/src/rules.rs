//! Whether the agent has loaded its rules: before that, it serves and inspects nothing.

use tokio::sync::watch;

/// Whether rules are there to inspect with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RulesState {
    /// Inspection works.
    Loaded,
    /// Everything is let through uninspected: the documented hazard of the quick start.
    Loading,
}

/// Tells the state of the rules to whoever asks.
#[derive(Clone, Debug)]
pub struct Rules(watch::Receiver<RulesState>);

/// Announces that the rules are loaded.
#[derive(Debug)]
pub struct RulesLoader(watch::Sender<RulesState>);

impl Rules {
    /// Starts without rules.
    pub fn loading() -> (RulesLoader, Self) {
        let (sender, receiver) = watch::channel(RulesState::Loading);
        (RulesLoader(sender), Self(receiver))
    }

    /// Returns the state now.
    pub fn state(&self) -> RulesState {
        *self.0.borrow()
    }
}

impl RulesLoader {
    /// Makes the rules loaded, for good.
    pub fn finish(&self) {
        self.0.send_replace(RulesState::Loaded);
    }
}
