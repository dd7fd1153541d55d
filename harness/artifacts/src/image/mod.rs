//! Container images without a container engine and without a registry: OCI archives made from executables of this machine.
//!
//! Nothing here loads an image anywhere; `environment` does, with the archive's path. An image is a function of the files that
//! go into it: the same executables give the same digest, and so the same tag, on each build.

mod archive;
mod build;
mod cache;
mod contents;
mod description;
mod error;
mod layer;
mod names;
mod program;
mod tools;

pub use self::build::{BuiltImage, ImageSources, Images, build_image, build_images};
pub use self::cache::prune_archives;
pub use self::error::ImageError;
pub use self::names::{HARNESS_IMAGE, ImageRole, is_in_no_registry, without_tag};
pub use self::tools::TOOLS;
