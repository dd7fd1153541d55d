//! What an image is called: in the guide's manifest, and among the images that are made here.

use std::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The registry part of the names. It resolves nowhere: a cluster that lacks the image reports it at once and asks no registry.
const REGISTRY: &str = "conformance.local";

/// The name by which a pod asks for the harness's own image, whatever its tag.
pub const HARNESS_IMAGE: &str = "conformance.local/conformance";

/// What an image is for.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum ImageRole {
    /// The agent under test.
    Agent,
    /// The application behind the proxy.
    Application,
    /// The harness itself: it drives traffic from inside a cluster.
    Driver,
    /// Envoy.
    Proxy,
}

impl ImageRole {
    /// Every role. The proxy comes first: that its executable is wrong is known at once, the others may have to be built.
    pub const ALL: [Self; 4] = [Self::Proxy, Self::Agent, Self::Application, Self::Driver];

    /// Returns the role of an image that a manifest of the guide names, whatever its tag.
    pub fn of_manifest_image(image: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.manifest_image() == Some(without_tag(image)))
    }

    /// Returns the name without tag by which the guide's manifests call the image.
    pub const fn manifest_image(self) -> Option<&'static str> {
        match self {
            Self::Agent => Some("signalsciences/sigsci-agent"),
            Self::Application => Some("signalsciences/example-helloworld"),
            Self::Proxy => Some("signalsciences/envoy-frontproxy"),
            // No manifest of the guide: pods of the harness's own making name it so.
            Self::Driver => Some(HARNESS_IMAGE),
        }
    }

    /// Returns the last part of the name of the image that is made here.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Agent => "agent-stub",
            Self::Application => "helloworld",
            Self::Driver => "conformance",
            Self::Proxy => "envoy",
        }
    }

    /// Returns the name without tag of the image that is made here.
    pub fn repository(self) -> String {
        format!("{REGISTRY}/{}", self.short_name())
    }
}

impl fmt::Display for ImageRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agent => "agent",
            Self::Application => "application",
            Self::Driver => "driver",
            Self::Proxy => "proxy",
        })
    }
}

/// Returns whether an image was made here, by its name: no registry has it.
pub fn is_in_no_registry(name: &str) -> bool {
    name.strip_prefix(REGISTRY)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Strips tag and digest from an image's name. A colon before the last slash is a port.
pub fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rfind(':') {
        Some(colon) if !image[colon..].contains('/') => &image[..colon],
        Some(_) | None => image,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a/b", "a/b")]
    #[case("a/b:1.2", "a/b")]
    #[case("registry:5000/a/b", "registry:5000/a/b")]
    #[case("registry:5000/a/b:latest", "registry:5000/a/b")]
    #[case("a/b@sha256:0123", "a/b")]
    #[case("a/b:1@sha256:0123", "a/b")]
    fn tag_and_digest_are_no_part_of_the_name(#[case] image: &str, #[case] name: &str) {
        assert_eq!(without_tag(image), name);
    }

    #[rstest]
    #[case("signalsciences/sigsci-agent:4.60.0", Some(ImageRole::Agent))]
    #[case("signalsciences/envoy-frontproxy", Some(ImageRole::Proxy))]
    #[case(
        "signalsciences/example-helloworld:latest",
        Some(ImageRole::Application)
    )]
    #[case(HARNESS_IMAGE, Some(ImageRole::Driver))]
    #[case("elsewhere/sigsci-agent", None)]
    fn an_image_of_the_guide_has_a_role_whatever_its_tag(
        #[case] image: &str,
        #[case] role: Option<ImageRole>,
    ) {
        assert_eq!(ImageRole::of_manifest_image(image), role);
        assert_eq!(ImageRole::Driver.repository(), HARNESS_IMAGE);
    }
}
