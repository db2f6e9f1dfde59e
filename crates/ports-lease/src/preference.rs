//! Where the search for a port begins.

use std::hash::{BuildHasher as _, RandomState};
use std::iter;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ports_core::{Port, PortRange, PortSet};

/// The 64-bit FNV-1a hash (RFC 9923): the same in every process and release, as the ports of names
/// have to be.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// A number for a name in a project; the same whenever it is asked for.
pub(crate) fn of_name(project: Option<&Path>, name: &str) -> u64 {
    let project = project.map_or(&b""[..], |project| project.as_os_str().as_encoded_bytes());
    // Neither a path nor a name that is shown has a NUL byte, so no two pairs are joined alike.
    let bytes = project.iter().chain(&[0]).chain(name.as_bytes());
    let hash =
        bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
    // Its low bits are those that differ least between similar names.
    hash ^ (hash >> 32)
}

/// Where in the range a search from this number begins: at the first port of a fixed sequence of draws
/// that may be had. So a port that comes to those that may be had, or leaves them, moves nobody else.
pub(crate) fn port(number: u64, range: PortRange, ports: &PortSet) -> Port {
    let len = u64::from(range.len());
    let drawn = iter::successors(Some(number), |number| Some(mixed(*number))).map(|number| {
        let index = u16::try_from(number % len).unwrap_or_default();
        // Never past the last port: it would be past the end of the range.
        Port::new(range.first().number().saturating_add(index))
    });
    // Where so many draws miss, nearly nothing is to be had, and the search from below finds it.
    drawn.take(DRAWS).find(|port| ports.contains(*port)).unwrap_or(range.first())
}

const DRAWS: usize = 64;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
const fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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
        for (project, name, number) in [
            (None, "web", 0x6f86_a57e_e169_c6a1),
            (Some("/src/shop"), "web", 0x23e3_1389_acd9_ad8e),
            (None, "", 0xaf63_bd4c_2962_0a93),
        ] {
            assert_eq!(of_name(project.map(Path::new), name), number, "{project:?} {name}");
        }
        assert_eq!(of_name(None, "web"), of_name(Some(Path::new("")), "web"));
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
    fn names_keep_their_port() {
        let range: PortRange = "10000-65535".parse().unwrap();
        let all: PortSet = range.into();
        let usual = &all - &"32768-60999".parse().unwrap();
        let web = of_name(None, "web");
        assert_eq!(port(web, range, &all), Port::new(49409));
        assert_eq!(port(web, range, &usual), Port::new(13951));
        // What becomes of other ports does not matter.
        let fewer = &usual - &"10000-10099,30000-30999".parse().unwrap();
        let moved = (0..1000).filter(|n| {
            let name = of_name(None, &format!("test-{n}"));
            let before = port(name, range, &usual);
            fewer.contains(before) && port(name, range, &fewer) != before
        });
        assert_eq!(moved.count(), 0);
        assert_eq!(port(web, range, &PortSet::new()), Port::new(10_000));
        let last: PortRange = "65535".parse().unwrap();
        assert_eq!(port(web, last, &last.into()), Port::MAX);
    }

    #[test]
    fn nobody_draws_the_same_twice() {
        assert_ne!(anywhere(), anywhere());
    }
}
