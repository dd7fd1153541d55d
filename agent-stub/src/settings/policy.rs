//! What is done with signals: the part of the settings that the rules may change while the agent runs.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::settings::block_answer::{BlockAnswer, BlockAnswerError};

/// What is done with signals.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Whether they block.
    pub mode: Mode,
    /// What a blocked client is sent.
    pub block_answer: BlockAnswer,
}

/// The protection mode.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A request with attack signals is blocked.
    Block,
    /// A request with signals is tagged and let through.
    Log,
    /// Nothing is inspected.
    Off,
}

/// Why a rules file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesFileError {
    /// It cannot be read, or is longer than rules are.
    #[error("cannot read the rules file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what a rules file is.
    #[error("cannot use the rules file {}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// Its block code does not go with the other settings.
    #[error("cannot use the rules file {}", path.display())]
    BlockAnswer {
        /// The file.
        path: PathBuf,
        /// What is wrong with the code.
        #[source]
        source: BlockAnswerError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    block_code: Option<u16>,
    mode: Option<Mode>,
}

impl Policy {
    /// Returns this policy with what a rules file says in place of it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a rules file, or names a code that does not block.
    pub fn overridden_by(&self, path: &Path) -> Result<Self, RulesFileError> {
        let text = read_bounded(path).map_err(|source| RulesFileError::Read {
            path: path.into(),
            source,
        })?;
        let file: RulesFile =
            serde_json::from_str(&text).map_err(|source| RulesFileError::Form {
                path: path.into(),
                source,
            })?;
        let block_answer =
            match file.block_code {
                None => self.block_answer.clone(),
                Some(code) => self.block_answer.with_code(code).map_err(|source| {
                    RulesFileError::BlockAnswer {
                        path: path.into(),
                        source,
                    }
                })?,
            };
        Ok(Self {
            mode: file.mode.unwrap_or(self.mode),
            block_answer,
        })
    }
}

impl Mode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "block" => Some(Self::Block),
            "log" => Some(Self::Log),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use io::Read as _;

    let mut text = String::new();
    let length = fs_err::File::open(path)?
        .take(LONGEST_FILE + 1)
        .read_to_string(&mut text)?;
    if length as u64 > LONGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

const LONGEST_FILE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn policy() -> Policy {
        Policy {
            mode: Mode::Block,
            block_answer: BlockAnswer::from_texts("406", None, None, None).expect("a code"),
        }
    }

    fn read(text: &str) -> Result<Policy, RulesFileError> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rules.json");
        fs_err::write(&path, text).expect("writable");
        policy().overridden_by(&path)
    }

    #[test]
    fn a_rules_file_changes_what_it_names() {
        assert_eq!(read("{}").expect("valid"), policy());
        assert_eq!(
            read(r#"{"mode":"log"}"#).expect("valid"),
            Policy {
                mode: Mode::Log,
                ..policy()
            }
        );
        let stricter = read(r#"{"block_code":429}"#).expect("valid");
        assert_eq!(stricter.block_answer.code, 429);
        assert_eq!(stricter.block_answer.body, "429 Too Many Requests\n");
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case(r#"{"mode":"BLOCK"}"#)]
    #[case(r#"{"mode":"block""#)]
    #[case(r#"{"block_code":200}"#)]
    #[case(r#"{"block_code":302}"#)]
    #[case(r#"{"block_code":-1}"#)]
    #[case(r#"{"blockcode":406}"#)]
    fn a_file_that_is_no_rules_file_is_refused(#[case] text: &str) {
        let error = read(text).expect_err("no rules");
        assert!(error.to_string().contains("rules.json"), "{error}");
    }

    #[test]
    fn a_missing_or_endless_file_is_refused() {
        for path in ["/nonexistent/rules.json", "/dev/zero"] {
            let error = policy().overridden_by(Path::new(path)).expect_err(path);
            assert!(matches!(error, RulesFileError::Read { .. }), "{error}");
        }
    }
}
