//! Finds the Envoy that a run uses: given by path, given by version, or the pinned default.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

use super::default_version::DEFAULT_ENVOY_VERSION;
use crate::executable::envoy_install::Installer;
use crate::executable::error::ExecutableError;
use crate::executable::identity::version_of;
use crate::executable::install_step::InstallStep;

/// Which Envoy was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EnvoySelection {
    /// This executable.
    Path {
        /// The executable.
        path: Utf8PathBuf,
        /// Who named it: `--envoy` or `$ENVOY`.
        named_by: &'static str,
    },
    /// This version, from the user's cache.
    Version(EnvoyVersion),
}

/// A version of Envoy as its packages are numbered: `1.40.0`, `1.36.2.post1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvoyVersion(String);

/// An Envoy that runs on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvoyExecutable {
    /// The executable.
    pub path: Utf8PathBuf,
    /// What it says its version is.
    pub version: String,
    /// Where it comes from, for the report.
    pub source: String,
}

impl EnvoySelection {
    /// Chooses by the option `--envoy`, else by the environment variable `ENVOY`, else the pinned
    /// default.
    ///
    /// # Errors
    ///
    /// When the option is neither an existing file nor a version, or a path is not UTF-8.
    pub fn choose(
        option: Option<&str>,
        environment: Option<&OsStr>,
    ) -> Result<Self, ExecutableError> {
        if let Some(text) = option {
            if Utf8Path::new(text).exists() {
                return Ok(Self::Path {
                    path: text.into(),
                    named_by: "--envoy",
                });
            }
            return text.parse().map(Self::Version);
        }
        match environment.filter(|value| !value.is_empty()) {
            Some(value) => match value.to_str() {
                Some(path) => Ok(Self::Path {
                    path: path.into(),
                    named_by: "$ENVOY",
                }),
                None => Err(ExecutableError::NotUtf8 {
                    path: value.to_string_lossy().into_owned(),
                }),
            },
            None => DEFAULT_ENVOY_VERSION.parse().map(Self::Version),
        }
    }
}

impl FromStr for EnvoyVersion {
    type Err = ExecutableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let is_number =
            |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let has_numbers = (0..3).all(|_| parts.next().is_some_and(is_number));
        let has_suffix = parts
            .next()
            .is_none_or(|part| part.strip_prefix("post").is_some_and(is_number));
        if !has_numbers || !has_suffix || parts.next().is_some() {
            return Err(ExecutableError::Selection { text: text.into() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EnvoyVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the Envoy that was selected if it is there, without installing anything.
///
/// # Errors
///
/// When a path was given that is no Envoy, or the cache cannot be read.
pub fn find_installed(
    selection: &EnvoySelection,
) -> Result<Option<EnvoyExecutable>, ExecutableError> {
    match selection {
        EnvoySelection::Path { .. } => locate(selection, &mut |_| {}).map(Some),
        EnvoySelection::Version(version) => Installer::for_user()?.find_installed(version),
    }
}

/// Returns the Envoy that was selected. A version that is not in the user's cache is installed
/// first, which takes the network and some seconds; `progress` hears of each step.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When there is no such Envoy and it cannot be installed. The error's hint says what to do.
pub fn locate(
    selection: &EnvoySelection,
    progress: &mut dyn FnMut(InstallStep),
) -> Result<EnvoyExecutable, ExecutableError> {
    match selection {
        EnvoySelection::Path { path, named_by } => {
            if !is_executable_file(path) {
                return Err(ExecutableError::Missing {
                    path: path.to_string(),
                    named_by: (*named_by).into(),
                });
            }
            let path = path
                .canonicalize_utf8()
                .map_err(|source| ExecutableError::Io {
                    action: format!("resolve `{path}`"),
                    source,
                })?;
            Ok(EnvoyExecutable {
                version: envoy_version_of(&path)?,
                path,
                source: (*named_by).into(),
            })
        }
        EnvoySelection::Version(version) => Installer::for_user()?.locate(version, progress),
    }
}

/// Asks an executable for its version, which also shows that it is an Envoy and runs here.
pub(crate) fn envoy_version_of(path: &Utf8Path) -> Result<String, ExecutableError> {
    let not_envoy = |reason: String| ExecutableError::NotEnvoy {
        path: path.to_owned(),
        reason,
    };
    let line = version_of(path)
        .ok_or_else(|| not_envoy("it does not answer `--version` with success".into()))?;
    parse_version_line(&line).ok_or_else(|| {
        let line: String = line.chars().take(200).collect();
        not_envoy(format!("to `--version` it says `{line}`"))
    })
}

/// Reads `envoy  version: <commit>/<version>/<state>/<build>/<tls>`.
fn parse_version_line(line: &str) -> Option<String> {
    let (_, details) = line.split_once("version: ")?;
    let version = details.split('/').nth(1)?;
    let is_version = version.starts_with(|first: char| first.is_ascii_digit())
        && version.contains('.')
        && version.len() <= 64;
    is_version.then(|| version.to_owned())
}

fn is_executable_file(path: &Utf8Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn path(path: &str, named_by: &'static str) -> EnvoySelection {
        EnvoySelection::Path {
            path: path.into(),
            named_by,
        }
    }

    fn version(text: &str) -> EnvoySelection {
        EnvoySelection::Version(text.parse().expect("a version"))
    }

    #[rstest]
    #[case(Some("/bin/sh"), Some("/x/envoy"), path("/bin/sh", "--envoy"))]
    #[case(Some("1.36.4"), Some("/x/envoy"), version("1.36.4"))]
    #[case(None, Some("/x/envoy"), path("/x/envoy", "$ENVOY"))]
    #[case(None, Some(""), version(DEFAULT_ENVOY_VERSION))]
    #[case(None, None, version(DEFAULT_ENVOY_VERSION))]
    fn the_option_comes_before_the_environment_before_the_default(
        #[case] option: Option<&str>,
        #[case] environment: Option<&str>,
        #[case] expected: EnvoySelection,
    ) {
        let chosen = EnvoySelection::choose(option, environment.map(OsStr::new)).expect("valid");
        assert_eq!(chosen, expected);
    }

    #[rstest]
    #[case("")]
    #[case("1.40")]
    #[case("v1.40.0")]
    #[case("1.40.0.1")]
    #[case("1.40.0 --index-url=x")]
    #[case("1.40.0.post1.2")]
    #[case("/nonexistent/envoy")]
    fn what_is_neither_file_nor_version_is_refused(#[case] text: &str) {
        let error = EnvoySelection::choose(Some(text), None).expect_err("neither");
        assert!(
            matches!(error, ExecutableError::Selection { .. }),
            "{error}"
        );
        assert!(error.hint().is_some());
    }

    #[rstest]
    #[case("/nonexistent/envoy", "is not an executable file")]
    #[case("/etc/passwd", "is not an executable file")]
    #[case("/", "is not an executable file")]
    #[case("/bin/true", "is not a usable Envoy")]
    fn a_path_that_is_no_envoy_is_refused(#[case] given: &str, #[case] fragment: &str) {
        let error = locate(&path(given, "$ENVOY"), &mut |_| {}).expect_err("no Envoy");
        assert!(error.to_string().contains(fragment), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn the_version_line_is_read() {
        let line = "/a/envoy  version: 1d2f3/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(parse_version_line(line).as_deref(), Some("1.40.0"));
        assert_eq!(parse_version_line("envoy 1.40.0"), None);
    }
}
