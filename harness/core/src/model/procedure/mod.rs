//! What each procedure is told by a scenario file.

pub use self::case::{Case, Intent, PayloadUse, Rung, Twin};
pub use self::drain::{ContainerEnd, DrainSpec, DrainStream, PreStopEnd};
pub use self::exchange::{
    AccessLogExpectation, ClientSecurity, ConnectionChoice, CorpusUse, ExchangeSpec, Precondition,
};
pub use self::filesystem::{ExpectedFile, FilesystemSpec, RootExpectation, SecrecySpec};
pub use self::outage::{Fault, OutageSpec};
pub use self::refusal::{LintRule, RefusalSpec};
pub use self::startup::{
    Entrance, LeakExpectation, ProbeExpectation, ReadinessExpectation, StartupSpec,
};

mod case;
mod drain;
mod exchange;
mod filesystem;
mod outage;
mod refusal;
mod startup;
