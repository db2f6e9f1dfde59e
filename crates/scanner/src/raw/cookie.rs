//! The sequence number of a probe: which port under way it asks, and a proof that it is ours.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

/// Makes and reads sequence numbers, with a secret that is new in each scan.
///
/// The number is that of the engine's slot, veiled by a keyed hash of both ends. An answer carries it
/// back, so no table is kept of what was sent; who has not seen the probe does not know it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cookie(RandomState);

impl Cookie {
    /// The sequence number of the probe to `target` from `source_port`, of the slot `index`.
    pub(super) fn seal(&self, index: u32, target: SocketAddr, source_port: u16) -> u32 {
        index ^ self.veil(target, source_port)
    }

    /// The slot that the sequence number of a probe names. Whether such a probe was ever sent is for
    /// the engine to say.
    pub(super) fn open(&self, sequence: u32, target: SocketAddr, source_port: u16) -> u32 {
        sequence ^ self.veil(target, source_port)
    }

    fn veil(&self, target: SocketAddr, source_port: u16) -> u32 {
        // The zone of a link-local address is not in the packets.
        (self.0.hash_one((target.ip(), target.port(), source_port)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens(index: u32, target: SocketAddr, source_port: u16) {
            let cookie = Cookie::default();
            let sequence = cookie.seal(index, target, source_port);
            prop_assert_eq!(cookie.open(sequence, target, source_port), index);
        }
    }

    #[test]
    fn another_end_or_another_scan_opens_to_nothing_known() {
        let cookie = Cookie::default();
        let target = SocketAddr::from(([192, 0, 2, 7], 80));
        let sequence = cookie.seal(5, target, 40_000);
        // One in four thousand million is known by chance, so two of a thousand never are.
        let ends = (0..1_000_u16).map(|n| cookie.open(sequence, target, 40_001 + n));
        assert!(ends.filter(|index| *index == 5).count() < 2);
        let scans = (0..1_000).map(|_| Cookie::default().open(sequence, target, 40_000));
        assert!(scans.filter(|index| *index == 5).count() < 2);
    }
}
