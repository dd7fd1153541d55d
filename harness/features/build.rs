//! Does nothing. Without a build script cargo passes over the build-dependencies, which are why this crate exists.

fn main() {}
