//! Container images without a container engine and without a registry: OCI archives made from executables of this machine.
//!
//! Nothing here loads an image anywhere; `environment` does, with the archive's path. An image is a function of the files that
//! go into it: the same executables give the same digest, and so the same tag, on each build.

mod build;
mod error;
mod names;

pub use self::build::{BuiltImage, ImageSources, Images, build_images};
pub use self::error::ImageError;
pub use self::names::{ImageRole, without_tag};
