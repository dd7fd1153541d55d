//! Every way in which a command can end without doing its work, with its exit code.

use camino::Utf8PathBuf;

use super::explain::findings::nearest_kinds;
use crate::bench::error::BenchError;
use crate::catalogue::carried::CarriedProjectError;
use crate::report::files::ReportsError;
use crate::report::merge::MergeError;
use crate::run::exit_code;
use crate::run::selection::NothingSelected;
use crate::run::setup_error::SetupError;
use crate::self_test::attempt::AttemptError;
use crate::self_test::edit::EditError;
use crate::self_test::listing::ListingError;
use harness_artifacts::image::ImageError;
use harness_core::model::agent_egress::InvalidEgress;
use harness_core::model::causes::chain;
use harness_core::model::diagnostic::Colour;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::finding_kind::ParseFindingKindError;
use harness_core::model::project::LoadError;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The project's files are wrong or cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A filter matches nothing.
    #[error(transparent)]
    NothingSelected(#[from] NothingSelected),
    /// There is no profile of that name.
    #[error("there is no profile `{name}`")]
    NoProfile {
        /// The name.
        name: String,
        /// The names of those that there are.
        known: Vec<String>,
    },
    /// There is no mutant of that name.
    #[error("no mutant's name has `{name}` in it")]
    NoMutant {
        /// The part of a name.
        name: String,
    },
    /// Each of many runs would have a cluster made for it.
    #[error("no cluster of {tool} is kept, and one would be made for each of many runs")]
    NoKeptCluster {
        /// The tool.
        tool: &'static str,
    },
    /// A deployment cannot be made wrong.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// It is not known which mutants there are.
    #[error(transparent)]
    Listing(ListingError),
    /// An image cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The run cannot begin.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The reports cannot be written.
    #[error(transparent)]
    Reports(#[from] ReportsError),
    /// A file that the user asks for cannot be made.
    #[error("cannot write {path}, which `{option}` names")]
    UnwritableReport {
        /// The option.
        option: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file that the user asks for cannot be written to its end.
    #[error("cannot write {path}")]
    UnwrittenReport {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The chosen environment does not carry an option out.
    #[error("`{option}` does nothing with `--environment {environment}`")]
    UnfitOption {
        /// The option.
        option: &'static str,
        /// The environment.
        environment: EnvironmentKind,
        /// The environments that carry it out.
        fit: &'static [EnvironmentKind],
    },
    /// The proxy of the agent's way out was given with a password.
    #[error("`--agent-egress`: {}", InvalidEgress::Credentials)]
    EgressCredentials,
    /// Another option leaves nothing for this one to do.
    #[error("`{option}` does nothing: {because}")]
    IdleOption {
        /// The option.
        option: &'static str,
        /// Why.
        because: &'static str,
    },
    /// An option names a folder that is not there.
    #[error("`{option}`: {path} is not a folder")]
    NoFolder {
        /// The option.
        option: &'static str,
        /// The folder.
        path: Utf8PathBuf,
    },
    /// An option names a file that is not there.
    #[error("`{option}`: there is no file {path}")]
    NoFile {
        /// The option.
        option: &'static str,
        /// The file.
        path: Utf8PathBuf,
    },
    /// The working folder has scenarios, and not what belongs to a project besides.
    #[error("{folder} has a folder `scenarios` and no folder `envoy-configs`: it is no project")]
    PartOfProject {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// The carried project cannot be laid out.
    #[error(transparent)]
    Carried(#[from] CarriedProjectError),
    /// The asynchronous runtime does not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    /// The project's folder is not there.
    #[error("{root} is not a project: it has no `scenarios` folder")]
    NoProject {
        /// The folder.
        root: Utf8PathBuf,
    },
    /// A report of an earlier run cannot be used.
    #[error("cannot use the report {path}: {reason}")]
    Report {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// A report of an earlier run has the format of another version.
    #[error(
        "cannot use the report {path}: its format is version {found}, and this harness reads version {expected}"
    )]
    ReportVersion {
        /// The file.
        path: Utf8PathBuf,
        /// Its version.
        found: u32,
        /// The version that is read.
        expected: u32,
    },
    /// Nothing was measured.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// Reports cannot be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A name is not that of a kind of finding.
    #[error(transparent)]
    UnknownFinding(#[from] ParseFindingKindError),
    /// Standard output takes no more.
    #[error("cannot write to standard output")]
    Output(#[from] std::io::Error),
    /// The driver ended badly.
    #[error("the driver ended: {0}")]
    Drive(String),
    /// What earlier runs left cannot be removed.
    #[error("cannot remove {path}")]
    Clean {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl CliError {
    /// Returns the exit code that stands for the error.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Load(_)
            | Self::NoProject { .. }
            | Self::Report { .. }
            | Self::ReportVersion { .. }
            | Self::Merge(_)
            | Self::UnfitOption { .. }
            | Self::EgressCredentials
            | Self::IdleOption { .. }
            | Self::NoFolder { .. }
            | Self::NoFile { .. }
            | Self::PartOfProject { .. }
            | Self::NoProfile { .. }
            | Self::UnknownFinding(_)
            | Self::UnwritableReport { .. }
            | Self::NoKeptCluster { .. }
            | Self::NothingSelected(
                NothingSelected::EmptyFilter | NothingSelected::NoGroup { .. },
            )
            | Self::Setup(SetupError::Keys(_) | SetupError::Files(_)) => exit_code::USAGE,
            Self::Setup(SetupError::Executable(error)) if error.is_of_usage() => exit_code::USAGE,
            Self::Bench(error) if error.is_of_usage() => exit_code::USAGE,
            Self::NothingSelected(
                NothingSelected::NoMatch { .. } | NothingSelected::NothingLeft { .. },
            )
            | Self::NoMutant { .. } => exit_code::NOTHING_SELECTED,
            // A reader that has seen enough, as `head`, is no failure.
            Self::Output(error) if is_broken_pipe(error) => exit_code::PASSED,
            Self::Setup(_)
            | Self::Image(_)
            | Self::Output(_)
            | Self::Reports(_)
            | Self::UnwrittenReport { .. }
            | Self::Edit(_)
            | Self::Listing(_)
            | Self::Drive(_)
            | Self::Bench(_)
            | Self::Carried(_)
            | Self::Clean { .. } => exit_code::ERRORED,
            Self::Runtime(_) => exit_code::INTERNAL,
        }
    }

    /// Returns whether the command ends without a word: what it says has no reader any more.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if is_broken_pipe(error))
    }

    /// Renders the error with its causes and hints.
    pub(super) fn render(&self, colour: Colour) -> String {
        if let Self::Load(LoadError::Invalid(complaints))
        | Self::Setup(SetupError::Files(LoadError::Invalid(complaints))) = self
        {
            let mut parts: Vec<String> = complaints
                .iter()
                .map(|complaint| complaint.render(colour))
                .collect();
            parts.push(format!("error: {self}; nothing was started"));
            return parts.join("\n\n");
        }
        let mut text = format!("error: {}", chain(self).join("\n  caused by: "));
        for hint in self.hints() {
            text.push_str("\nhint: ");
            text.push_str(&hint);
        }
        text
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NothingSelected(NothingSelected::NoMatch { nearest, .. })
                if !nearest.is_empty() =>
            {
                vec![format!("the nearest are {}", nearest.join(", "))]
            }
            Self::NothingSelected(NothingSelected::NoGroup { known, .. }) => {
                vec![format!("the groups are {}", known.join(", "))]
            }
            Self::NothingSelected(_) => vec!["`conformance list` shows all scenarios".into()],
            Self::NoKeptCluster { tool } => vec![format!(
                "`conformance up --environment {tool}` makes one and keeps it; `--environment existing` takes one of yours"
            )],
            Self::ReportVersion { .. } => vec![
                "run the scenarios again, or the benchmark; or use the version of `conformance` that wrote the report"
                    .into(),
            ],
            Self::UnknownFinding(error) => vec![format!(
                "the nearest kinds are {}; `conformance explain --findings` shows all",
                nearest_kinds(&error.text).join(", ")
            )],
            Self::NoMutant { .. } => {
                vec!["`conformance self-test --markdown` lists them".into()]
            }
            Self::Edit(EditError::Change(error)) => vec![error.hint().into()],
            Self::Listing(_) => {
                vec![
                    "the self-test needs the reference stub, or an agent with its `--mutants`"
                        .into(),
                ]
            }
            Self::NoProfile { known, .. } if known.is_empty() => {
                vec!["a profile is a file below `scenarios/profiles`; there is none".into()]
            }
            Self::NoProfile { known, .. } => vec![format!("the profiles are {}", known.join(", "))],
            Self::Setup(error) => error.hints(),
            Self::Image(error) => error.hint().into_iter().collect(),
            Self::UnfitOption { fit, .. } => {
                let fit: Vec<String> = fit
                    .iter()
                    .map(|kind| format!("`--environment {kind}`"))
                    .collect();
                vec![format!("it is for {}; leave it out here", fit.join(", "))]
            }
            Self::EgressCredentials => vec!["a proxy of yours on this machine can add them".into()],
            Self::IdleOption { .. } => vec!["leave it out".into()],
            Self::PartOfProject { .. } => vec![
                "`--scenarios scenarios` adds them to the scenarios that this executable carries; `--project DIR` names a whole project".into(),
            ],
            Self::NoProject { .. } => {
                vec!["give the folder that holds `scenarios` with `--project`".into()]
            }
            Self::Bench(error) => error.hints(),
            Self::Load(_)
            | Self::Edit(EditError::Io(_))
            | Self::Output(_)
            | Self::Reports(_)
            | Self::Runtime(_)
            | Self::Report { .. }
            | Self::UnwritableReport { .. }
            | Self::UnwrittenReport { .. }
            | Self::Drive(_)
            | Self::NoFolder { .. }
            | Self::NoFile { .. }
            | Self::Merge(_)
            | Self::Clean { .. } => Vec::new(),
            Self::Carried(_) => vec![
                "set HOME or XDG_CACHE_HOME to a folder that can be written, or name a project with `--project DIR`".into(),
            ],
        }
    }
}

fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

impl From<AttemptError> for CliError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Load(error) => Self::Load(error),
            AttemptError::Setup(error) => Self::Setup(error),
            AttemptError::Environment(fault) => Self::Setup(fault.into()),
            AttemptError::Reports(error) => Self::Reports(error),
            AttemptError::Edit(error) => Self::Edit(error),
        }
    }
}

impl From<ListingError> for CliError {
    fn from(error: ListingError) -> Self {
        match error {
            ListingError::Unknown(error) => Self::Load(error),
            ListingError::NoAnswer { .. } | ListingError::NotTheStub => Self::Listing(error),
        }
    }
}
