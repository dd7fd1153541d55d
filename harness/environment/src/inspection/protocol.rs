//! What is asked about one container, and what is answered.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ContainerFault, EnvironmentFault, FileChange, FileSystemView};

/// What is asked about a container that runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum InspectionRequest {
    /// Changes a file.
    ChangeFile { path: String, change: FileChange },
    /// Lists the command lines of the container's processes.
    CommandLines,
    /// Describes the files that the container has of its own.
    Files,
    /// Injects a fault.
    Inject(ContainerFault),
    /// Reads the start of a file.
    ReadFile { path: String, limit: u64 },
}

impl InspectionRequest {
    /// Returns what the request does to a container, after "cannot".
    pub(crate) fn action(&self, container: &str) -> String {
        match self {
            Self::ChangeFile { path, .. } => format!("change `{path}` of container `{container}`"),
            Self::CommandLines => format!("read the command lines of container `{container}`"),
            Self::Files => format!("inspect the files of container `{container}`"),
            Self::Inject(_) => format!("inject a fault into container `{container}`"),
            Self::ReadFile { path, .. } => format!("read `{path}` of container `{container}`"),
        }
    }
}

/// The answer to an [`InspectionRequest`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum InspectionAnswer {
    /// To [`InspectionRequest::CommandLines`].
    CommandLines(Vec<String>),
    /// To [`InspectionRequest::ReadFile`].
    Content { base64: String },
    /// The file was changed or the fault injected, at this moment by the clock of the machine that did it.
    Done { at: Timestamp },
    /// To [`InspectionRequest::Files`].
    Files(FileSystemView),
}

impl InspectionAnswer {
    /// Makes the answer that has this content.
    pub(super) fn of_content(content: &[u8]) -> Self {
        Self::Content {
            base64: STANDARD.encode(content),
        }
    }

    /// Makes the answer to what was done at this moment.
    pub(crate) fn done_now() -> Self {
        Self::Done {
            at: Timestamp::now(),
        }
    }

    /// Returns the command lines.
    pub(crate) fn into_command_lines(self) -> Result<Vec<String>, EnvironmentFault> {
        match self {
            Self::CommandLines(lines) => Ok(lines),
            Self::Content { .. } | Self::Done { .. } | Self::Files(_) => Err(self.unexpected()),
        }
    }

    /// Returns the content of a file.
    pub(crate) fn into_content(self) -> Result<Vec<u8>, EnvironmentFault> {
        match &self {
            Self::Content { base64 } => {
                STANDARD
                    .decode(base64)
                    .map_err(|error| EnvironmentFault::PodLost {
                        reason: format!("the content of a file is not Base64: {error}"),
                    })
            }
            Self::CommandLines(_) | Self::Done { .. } | Self::Files(_) => Err(self.unexpected()),
        }
    }

    /// Returns when it was done.
    pub(crate) fn into_moment(self) -> Result<Timestamp, EnvironmentFault> {
        match self {
            Self::Done { at } => Ok(at),
            Self::CommandLines(_) | Self::Content { .. } | Self::Files(_) => Err(self.unexpected()),
        }
    }

    /// Returns the container's files.
    pub(crate) fn into_files(self) -> Result<FileSystemView, EnvironmentFault> {
        match self {
            Self::Files(view) => Ok(view),
            Self::CommandLines(_) | Self::Content { .. } | Self::Done { .. } => {
                Err(self.unexpected())
            }
        }
    }

    fn unexpected(&self) -> EnvironmentFault {
        let kind = match self {
            Self::CommandLines(_) => "command lines",
            Self::Content { .. } => "the content of a file",
            Self::Done { .. } => "that something was done",
            Self::Files(_) => "a file system",
        };
        EnvironmentFault::PodLost {
            reason: format!("an inspection was answered with something else: {kind}"),
        }
    }
}

/// Why work inside a container was not done; it crosses a process boundary, which an [`io::Error`] cannot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct InspectionFault {
    /// The message of the error.
    detail: String,
    /// The number of the error, where the kernel gave one.
    errno: Option<i32>,
}

impl From<io::Error> for InspectionFault {
    fn from(error: io::Error) -> Self {
        Self {
            detail: error.to_string(),
            errno: error.raw_os_error(),
        }
    }
}

impl From<InspectionFault> for io::Error {
    fn from(fault: InspectionFault) -> Self {
        match fault.errno {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(fault.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_carried_byte_by_byte_and_nothing_else_is_taken_for_it() {
        let content = [0, b'\n', 0xff];
        let line = serde_json::to_vec(&InspectionAnswer::of_content(&content)).expect("JSON");
        let answer: InspectionAnswer = serde_json::from_slice(&line).expect("an answer");
        assert_eq!(answer.into_content().expect("content"), content);
        let other = InspectionAnswer::CommandLines(vec!["agent".into()]);
        let fault = other.into_content().expect_err("no content");
        assert!(fault.to_string().contains("command lines"), "{fault}");
    }

    #[test]
    fn an_errors_number_survives_the_boundary_and_its_message_where_it_has_none() {
        let missing = InspectionFault::from(io::Error::from_raw_os_error(libc::ENOENT));
        assert_eq!(io::Error::from(missing).kind(), io::ErrorKind::NotFound);
        let plain = InspectionFault::from(io::Error::other("it is not a plain file"));
        assert_eq!(io::Error::from(plain).to_string(), "it is not a plain file");
    }

    #[test]
    fn a_field_that_is_not_known_is_refused() {
        let line = r#"{"read-file":{"path":"/x","limit":1,"follow":true}}"#;
        assert!(serde_json::from_str::<InspectionRequest>(line).is_err());
    }
}
