//! Lets the driver hold as many connections as the system allows.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the process's soft limit of open files to its hard limit. The soft one is often 1024,
/// which a stalled server uses up within seconds, and the failures that follow would be the
/// driver's own.
///
/// A system that refuses leaves the limit as it is: what then fails is recorded as such.
pub(crate) fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_descriptor_limit();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("Linux has the limit");
        assert_eq!(soft, hard);
    }
}
