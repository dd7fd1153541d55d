//! Why a file that a stack is made of cannot be used.

use camino::Utf8PathBuf;

use crate::model::diagnostic::Diagnostic;

/// Why a file that a stack is made of cannot be used. `what` is `manifest` or `proxy configuration`.
#[derive(Debug, thiserror::Error)]
pub enum StackFileError {
    /// The file cannot be read.
    #[error("cannot read the {what} {path}")]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Something is wrong with it, or missing.
    #[error("the {what} {path} cannot be used: {}", messages(.faults))]
    Unfit {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Everything that is wrong; not empty.
        faults: Vec<Diagnostic>,
    },
}

impl StackFileError {
    /// Returns what to write.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => Vec::new(),
            Self::Unfit { faults, .. } => faults
                .iter()
                .filter_map(|fault| fault.hint.clone())
                .collect(),
        }
    }
}

fn messages(faults: &[Diagnostic]) -> String {
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    messages.join("; ")
}
