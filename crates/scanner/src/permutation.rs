//! A keyed permutation of `0..n`, so that neighbours in a plan are far apart on the network.

/// A bijection of `0..len`: a balanced Feistel network over the next even power of two, walked until
/// it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
///
/// It spreads probes; it hides nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    len: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

/// Three rounds make a Feistel network of random functions a random permutation (Luby and Rackoff,
/// 1988); the fourth pays for the simple round function.
const ROUNDS: usize = 4;

impl Permutation {
    /// The permutation of `0..len` that `seed` chooses.
    pub(crate) fn new(len: u64, seed: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        let mut state = seed;
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        });
        Self { len, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// Where `index`, below the length, goes.
    pub(crate) fn apply(&self, index: u64) -> u64 {
        debug_assert!(index < self.len, "{index} is outside 0..{}", self.len);
        let mut value = index;
        loop {
            value = self.feistel(value);
            if value < self.len {
                return value;
            }
        }
    }

    fn feistel(&self, value: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014).
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_index_once(len in 1_u64..5_000, seed: u64) {
            let permutation = Permutation::new(len, seed);
            let mut seen = vec![false; len as usize];
            for index in 0..len {
                let image = permutation.apply(index) as usize;
                prop_assert!(!std::mem::replace(&mut seen[image], true));
            }
        }

        #[test]
        fn stays_inside_at_any_length(len in 1_u64.., index: u64, seed: u64) {
            prop_assert!(Permutation::new(len, seed).apply(index % len) < len);
        }
    }

    #[test]
    fn seeds_differ_and_neighbours_part() {
        let order = |seed| {
            let permutation = Permutation::new(65_535, seed);
            (0..1_000).map(|index| permutation.apply(index)).collect::<Vec<_>>()
        };
        assert_ne!(order(1), order(2));
        assert_eq!(order(1), order(1));
        let near = order(1).windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 256).count();
        // 1,000 random steps in 65,535 come that near about 8 times.
        assert!(near < 40, "{near} of 999 neighbours stayed neighbours");
    }
}
