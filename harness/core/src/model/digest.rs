//! SHA-256 as reports write it.

use sha2::{Digest, Sha256};

/// Hashes bytes to lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
