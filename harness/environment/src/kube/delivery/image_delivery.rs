//! Brings images that were built here into a cluster that this run has not made: by the user's own command, or by way of a registry.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use camino::Utf8Path;

use crate::EnvironmentFault;
use crate::kube::api::image_names::ImageNames;
use crate::kube::command::run_command;
use crate::kube::delivery::registry_push::push;
use harness_artifacts::image::{ImageRole, Images};

/// How long the user's command may take for one image.
const LOADED_WITHIN: Duration = Duration::from_mins(10);
/// What stands for the archive in the user's command.
const ARCHIVE: &str = "{archive}";

/// How images get to the nodes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ImageDelivery {
    /// The user's command, once for each image.
    Command(LoadCommand),
    /// Not at all: they are there, or the kubelet pulls them.
    #[default]
    None,
    /// They are pushed, and the kubelet pulls them.
    Registry(RegistryPrefix),
}

/// A command with a place for an archive's path: a program and its arguments. No shell reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoadCommand {
    program: String,
    arguments: Vec<String>,
}

/// Why a text is no command that loads an archive.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LoadCommandError {
    /// It names no program.
    #[error("there is no command")]
    Empty,
    /// It has no place for the archive.
    #[error("the command has no `{ARCHIVE}`, where the path of the image's archive is put")]
    NoArchive,
    /// A quotation does not end.
    #[error("a quotation mark has no partner")]
    Quotation,
}

impl FromStr for LoadCommand {
    type Err = LoadCommandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut arguments = shell_words::split(text).map_err(|_| LoadCommandError::Quotation)?;
        if arguments.is_empty() {
            return Err(LoadCommandError::Empty);
        }
        let program = arguments.remove(0);
        if !arguments.iter().any(|argument| argument.contains(ARCHIVE)) {
            return Err(LoadCommandError::NoArchive);
        }
        Ok(Self { program, arguments })
    }
}

impl fmt::Display for LoadCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = std::iter::once(&self.program).chain(&self.arguments);
        formatter.write_str(&shell_words::join(arguments))
    }
}

impl LoadCommand {
    fn arguments_for(&self, archive: &Utf8Path) -> Vec<String> {
        self.arguments
            .iter()
            .map(|argument| argument.replace(ARCHIVE, archive.as_str()))
            .collect()
    }
}

/// Where images are pushed: a registry's host with its port, and the beginning of the repositories' names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryPrefix(String);

/// Why a text is no place to push images to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{text}` is no place in a registry: write HOST[:PORT][/FOLDER], as in `registry.example.com/team`"
)]
pub struct InvalidPrefix {
    text: String,
}

impl FromStr for RegistryPrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = text.trim_end_matches('/');
        let host = prefix.split('/').next().unwrap_or_default();
        // A first part without dot or port is no host to container engines: they would ask Docker Hub.
        let is_host = host.contains(['.', ':']) || host == "localhost";
        let name = format!("{prefix}/name:tag");
        if is_host && !text.contains("://") && name.parse::<oci_client::Reference>().is_ok() {
            Ok(Self(prefix.into()))
        } else {
            Err(InvalidPrefix { text: text.into() })
        }
    }
}

impl fmt::Display for RegistryPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl RegistryPrefix {
    /// Names an image that was built here as the registry will know it.
    fn name_for(&self, role: ImageRole, built_name: &str) -> String {
        let tag = built_name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        format!("{}/{}:{tag}", self.0, role.short_name())
    }
}

impl ImageDelivery {
    /// Returns the names under which the cluster will know images that were built here.
    pub(in crate::kube) fn names(&self, built: &Images) -> ImageNames {
        match self {
            Self::Command(_) | Self::None => ImageNames::of_built(built),
            Self::Registry(prefix) => ImageRole::ALL
                .into_iter()
                .fold(ImageNames::default(), |names, role| {
                    names.with(role, prefix.name_for(role, &built.of(role).name))
                }),
        }
    }

    /// Brings the images there that the user has not named others for.
    pub(in crate::kube) async fn deliver(
        &self,
        built: &Images,
        named: &ImageNames,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<(), EnvironmentFault> {
        let delivered = self.names(built);
        let roles = ImageRole::ALL.into_iter();
        for role in roles.filter(|role| named.of(*role).is_none()) {
            let image = built.of(role);
            match self {
                Self::Command(command) => {
                    say(&format!("loading the image of the {role} by your command"));
                    let action = format!("load the image of the {role}");
                    let arguments = command.arguments_for(&image.archive);
                    run_command(&command.program, &action, &arguments, "", LOADED_WITHIN).await?;
                }
                Self::None => {}
                Self::Registry(_) => {
                    let target = delivered.of(role).unwrap_or_default();
                    say(&format!("pushing {target}"));
                    push(&image.archive, target).await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would_and_gets_the_path_as_one_argument() {
        let command: LoadCommand = "my-tool 'with blank' --file={archive} {archive}"
            .parse()
            .expect("valid");
        let arguments = command.arguments_for(Utf8Path::new("/a folder/$(x).tar"));
        assert_eq!(
            arguments,
            [
                "with blank",
                "--file=/a folder/$(x).tar",
                "/a folder/$(x).tar"
            ]
        );
    }

    #[rstest]
    #[case("", LoadCommandError::Empty)]
    #[case("ctr images import", LoadCommandError::NoArchive)]
    #[case("{archive}", LoadCommandError::NoArchive)]
    #[case("ctr 'images {archive}", LoadCommandError::Quotation)]
    fn what_loads_no_archive_is_refused(#[case] text: &str, #[case] expected: LoadCommandError) {
        assert_eq!(text.parse::<LoadCommand>(), Err(expected));
    }

    #[test]
    fn a_command_is_written_so_that_it_can_be_read_again() {
        let command: LoadCommand = "a 'b c' {archive}".parse().expect("valid");
        assert_eq!(command.to_string().parse(), Ok(command));
    }

    #[rstest]
    #[case(
        "registry.example.com/team",
        "registry.example.com/team/agent-stub:0123"
    )]
    #[case("localhost:5000/", "localhost:5000/agent-stub:0123")]
    fn an_image_is_pushed_under_the_prefix_with_its_own_tag(
        #[case] prefix: &str,
        #[case] expected: &str,
    ) {
        let prefix: RegistryPrefix = prefix.parse().expect("valid");
        let name = prefix.name_for(ImageRole::Agent, "conformance.local/agent-stub:0123");
        assert_eq!(name, expected);
    }

    #[rstest]
    #[case("team")]
    #[case("https://registry.example.com")]
    #[case("user:password@registry.example.com")]
    #[case("registry.example.com/UPPER")]
    #[case("")]
    fn what_is_no_place_in_a_registry_is_refused(#[case] text: &str) {
        assert!(text.parse::<RegistryPrefix>().is_err());
    }
}
