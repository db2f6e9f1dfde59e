//! Where the search for a port begins.

use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The 64-bit FNV-1a hash (RFC 9923): the same in every process and release, as the ports of names
/// have to be.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// A number for a name in a project; the same whenever it is asked for.
pub(crate) fn of_name(project: Option<&Path>, name: &str) -> u64 {
    let project = project.map_or(&b""[..], |project| project.as_os_str().as_bytes());
    // Neither a path nor a name that is shown has a NUL byte, so no two pairs are joined alike.
    let bytes = project.iter().chain(&[0]).chain(name.as_bytes());
    let hash =
        bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
    // Its low bits are those that differ least between similar names.
    hash ^ (hash >> 32)
}

/// A number that no other process is likely to draw.
pub(crate) fn anywhere() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static KEYS: RandomState = RandomState::new();
    }
    // The process's number, for a fork has the same keys.
    let drawn = (std::process::id(), DRAWN.fetch_add(1, Ordering::Relaxed));
    KEYS.with(|keys| keys.hash_one(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_number() {
        // These numbers are an interface: a change moves every named port.
        assert_eq!(of_name(None, "web") % 1000, of_name(Some(Path::new("")), "web") % 1000);
        assert_ne!(of_name(None, "web"), of_name(Some(Path::new("/src/shop")), "web"));
        assert_ne!(of_name(None, "web"), of_name(None, "api"));
    }

    #[test]
    fn similar_names_spread() {
        let numbers: std::collections::HashSet<u64> =
            (0..1000).map(|n| of_name(None, &format!("test-{n}")) % 20_000).collect();
        assert!(numbers.len() > 900, "{}", numbers.len());
    }

    #[test]
    fn nobody_draws_the_same_twice() {
        assert_ne!(anywhere(), anywhere());
    }
}
