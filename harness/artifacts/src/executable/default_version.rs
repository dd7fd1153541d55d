//! The version of Envoy that runs where none is named.

/// The version that is used when nothing else is asked for.
pub const DEFAULT_ENVOY_VERSION: &str = "1.40.0";
