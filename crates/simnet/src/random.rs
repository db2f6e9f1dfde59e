//! The only source of chance: a seeded generator, and a keyed hash for choices that must not change.

use std::net::IpAddr;
use std::time::Duration;

use crate::Probability;

/// `SplitMix64`'s increment: the golden ratio in 64 bits (Steele, Lea and Flood, OOPSLA 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A small seeded generator (`SplitMix64`): the same numbers on every machine, for ever.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Whether something of this probability happens this time.
    pub(crate) fn happens(&mut self, probability: Probability) -> bool {
        // What never happens draws no number, so switching it off changes nothing else.
        !probability.is_zero() && unit(self.next()) < probability.value()
    }

    /// A duration from zero to `most`, evenly.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(unit(self.next())) }
    }
}

/// A hash of an address and a number under a key: the same answer whenever it is asked.
pub(crate) fn keyed(key: u64, address: IpAddr, number: u64) -> u64 {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let high = mix(key ^ (bits >> 64) as u64);
    mix(mix(high ^ bits as u64).wrapping_add(number.wrapping_mul(GOLDEN)))
}

/// Whether the hash falls into this share of all hashes.
pub(crate) fn falls_into(hash: u64, share: Probability) -> bool {
    unit(hash) < share.value()
}

/// A number in `0.0..1.0` from the 53 bits a double holds.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// `SplitMix64`'s finalizer: each bit of the input turns about half of the output's.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_tenth_is_about_a_tenth() {
        let tenth = Probability::new(0.1).unwrap();
        let mut random = Random::new(7);
        let drawn = (0..100_000).filter(|_| random.happens(tenth)).count();
        assert!((9_700..10_300).contains(&drawn), "{drawn}");
        let address = IpAddr::from([10, 0, 0, 1]);
        let hashed = (0..100_000).filter(|n| falls_into(keyed(7, address, *n), tenth)).count();
        assert!((9_700..10_300).contains(&hashed), "{hashed}");
    }

    #[test]
    fn always_and_never_are_exact() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| random.happens(Probability::ALWAYS)));
        assert!((0..1000).all(|_| !random.happens(Probability::NEVER)));
    }
}
