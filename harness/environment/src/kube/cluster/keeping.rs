//! Whether what a run makes stays.

/// Whether a run's objects are left behind on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keeping {
    /// They stay for the user to look at, and no later run removes them.
    Keep,
    /// They go with the run.
    Remove,
}
