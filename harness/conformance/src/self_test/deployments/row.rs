//! A row of the tables of wrong deployments.

use crate::self_test::matrix::{Edit, Kill, Mutant, Wrong};
use harness_artifacts::image::ImageRole;

/// The proxy's configurations.
pub(super) const PROXY: &str = "envoy-configs";
/// The manifest that all but one scenario deploy.
pub(super) const MANIFEST: &str = "fixtures/kubernetes/corrected.yaml";

/// Names a deployment, what is wrong with it, and the scenarios that must fail for it.
pub(super) const fn deployment(
    name: &'static str,
    fault: &'static str,
    edits: &'static [Edit],
    kills: &'static [Kill],
) -> Mutant {
    Mutant {
        name,
        wrong: Wrong::Deployment { fault, edits },
        kills,
    }
}

/// Names an image that is another than the one that was named, and the scenarios that must fail for it.
pub(super) const fn another_image(
    name: &'static str,
    fault: &'static str,
    role: ImageRole,
    kills: &'static [Kill],
) -> Mutant {
    Mutant {
        name,
        wrong: Wrong::Image { fault, role },
        kills,
    }
}

/// Something else in a folder or file of the project.
pub(super) const fn other(
    place: &'static str,
    pattern: &'static str,
    replacement: &'static str,
) -> Edit {
    Edit {
        place,
        pattern,
        replacement,
    }
}
