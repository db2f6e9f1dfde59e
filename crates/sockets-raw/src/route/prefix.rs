//! A table of routes by prefix: the longest one that matches wins.

use std::collections::HashMap;
use std::net::IpAddr;

/// Values by prefix, of one address family.
#[derive(Clone, Debug)]
pub(super) struct PrefixTable<T> {
    /// By prefix length, the longest first: as many probes of a map as there are lengths in use.
    lengths: Vec<(u8, HashMap<u128, T>)>,
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        Self { lengths: Vec::new() }
    }
}

impl<T> PrefixTable<T> {
    /// What is there for exactly this prefix.
    pub(super) fn exact(&mut self, prefix: IpAddr, length: u8) -> Option<&mut T> {
        let (_, values) = self.lengths.iter_mut().find(|(held, _)| *held == length)?;
        values.get_mut(&key(prefix, length))
    }

    /// Puts `value` in place of what was there.
    pub(super) fn insert(&mut self, prefix: IpAddr, length: u8, value: T) {
        let place = self.lengths.partition_point(|(held, _)| *held > length);
        if self.lengths.get(place).is_none_or(|(held, _)| *held != length) {
            self.lengths.insert(place, (length, HashMap::new()));
        }
        self.lengths[place].1.insert(key(prefix, length), value);
    }

    /// The value of the longest prefix that `address` begins with.
    pub(super) fn longest(&mut self, address: IpAddr) -> Option<&mut T> {
        self.lengths.iter_mut().find_map(|(length, values)| values.get_mut(&key(address, *length)))
    }
}

/// The first `length` bits; IPv4 in the upper 32, so that one mask serves both.
fn key(address: IpAddr, length: u8) -> u128 {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let beyond = 128u32.saturating_sub(u32::from(length));
    u128::MAX.checked_shl(beyond).unwrap_or(0) & bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let mut table = PrefixTable::default();
        for (prefix, length) in [("10.0.0.0", 8), ("0.0.0.0", 0), ("10.1.0.0", 16)] {
            table.insert(prefix.parse().unwrap(), length, length);
        }
        for (address, expected) in [("10.1.2.3", 16), ("10.2.2.3", 8), ("11.0.0.0", 0)] {
            assert_eq!(table.longest(address.parse().unwrap()), Some(&mut expected.clone()));
        }
        assert_eq!(table.exact("10.1.0.0".parse().unwrap(), 16), Some(&mut 16));
        assert_eq!(table.exact("10.1.0.0".parse().unwrap(), 15), None);
    }

    fn naive(routes: &[(u32, u8)], address: u32) -> Option<u8> {
        let matches = |prefix: u32, length: u8| {
            (0..u32::from(length)).all(|bit| (prefix ^ address) << bit >> 31 == 0)
        };
        routes.iter().filter(|(prefix, length)| matches(*prefix, *length)).map(|(_, l)| *l).max()
    }

    proptest! {
        #[test]
        fn lookups_are_those_of_a_list(
            routes in prop::collection::vec((0u32..16, 0u8..=32), 0..20), low in 0u32..16,
        ) {
            // Few addresses, so that they meet.
            let spread = |low: u32| low << 28 | low << 12 | low;
            let routes: Vec<_> = routes.into_iter().map(|(a, l)| (spread(a), l)).collect();
            let mut table = PrefixTable::default();
            for (prefix, length) in &routes {
                table.insert(IpAddr::V4((*prefix).into()), *length, *length);
            }
            let address = spread(low);
            let found = table.longest(IpAddr::V4(address.into())).copied();
            prop_assert_eq!(found, naive(&routes, address));
        }
    }
}
