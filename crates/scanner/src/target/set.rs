//! A set of addresses of both families, held as intervals, never expanded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::parse::{reserved_v4, reserved_v6};
use crate::interval_set::IntervalSet;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// The IPv4-mapped addresses, `::ffff:0:0/96` (RFC 4291 section 2.5.5.2).
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// A set of IPv4 and IPv6 addresses. A /8 costs as much memory as one address. An IPv4-mapped address
/// is in it as the IPv4 address that it stands for, and that packets to it go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressSet {
    v4: IntervalSet,
    v6: IntervalSet,
}

impl AddressSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// From `first` to `last`; empty where the families differ.
    pub(crate) fn from_range(first: IpAddr, last: IpAddr) -> Self {
        Self::from_ranges([(first, last)])
    }

    /// Every address of every range `first..=last`; a range whose ends are of two families is empty.
    pub(crate) fn from_ranges(ranges: impl IntoIterator<Item = (IpAddr, IpAddr)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match range {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    v4.push((u32::from(first).into(), u32::from(last).into()));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    let (first, last) = (u128::from(first), u128::from(last));
                    let mapped = (first.max(MAPPED.0), last.min(MAPPED.1));
                    if mapped.0 > mapped.1 {
                        v6.push((first, last));
                        continue;
                    }
                    v4.push((mapped.0 - MAPPED.0, mapped.1 - MAPPED.0));
                    // Runs that end before they start are left out.
                    v6.push((first, MAPPED.0 - 1));
                    v6.push((MAPPED.1 + 1, last));
                }
                _ => {}
            }
        }
        Self { v4: IntervalSet::from_runs(v4), v6: IntervalSet::from_runs(v6) }
    }

    /// The runs `first..=last` that make the set, ascending, IPv4 first.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + Clone {
        let v4 = |value: u128| IpAddr::V4(Ipv4Addr::from(value as u32));
        let v6 = |value: u128| IpAddr::V6(Ipv6Addr::from(value));
        let runs_v4 = self.v4.runs().iter().map(move |run| (v4(run.0), v4(run.1)));
        runs_v4.chain(self.v6.runs().iter().map(move |run| (v6(run.0), v6(run.1))))
    }

    /// The fewest ranges that make the set, ascending, IPv4 first.
    ///
    /// ```
    /// use scanner::AddressSet;
    ///
    /// let set: AddressSet = "127.0.0.2,127.0.0.1,::1".parse()?;
    /// let ranges: Vec<_> = set.ranges().collect();
    /// assert_eq!(ranges, ["127.0.0.1".parse()?..="127.0.0.2".parse()?, "::1".parse()?..="::1".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<IpAddr>> + Clone {
        self.runs().map(|(first, last)| first..=last)
    }

    /// How many runs make the set: what it costs.
    pub(crate) fn run_count(&self) -> usize {
        self.v4.runs().len() + self.v6.runs().len()
    }

    pub(super) const fn from_v4_runs(v4: IntervalSet) -> Self {
        Self { v4, v6: IntervalSet::EMPTY }
    }

    /// Without multicast, broadcast and unspecified addresses.
    pub(crate) fn without_reserved(self) -> Self {
        Self { v4: self.v4.difference(&reserved_v4()), v6: self.v6.difference(&reserved_v6()) }
    }

    /// Every address of either set. To join many sets, collect them: that sorts but once.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        [self, other].into_iter().collect()
    }

    /// The addresses of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// The addresses that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.difference(&self.difference(other))
    }

    /// The addresses of one family.
    #[must_use]
    pub fn only(&self, family: Family) -> Self {
        match family {
            Family::Ipv4 => Self { v4: self.v4.clone(), v6: IntervalSet::default() },
            Family::Ipv6 => Self { v4: IntervalSet::default(), v6: self.v6.clone() },
        }
    }

    /// How many addresses; `u128::MAX` where that or more.
    pub fn len(&self) -> u128 {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// Whether it has no address.
    pub fn is_empty(&self) -> bool {
        self.v4.runs().is_empty() && self.v6.runs().is_empty()
    }

    /// Whether it has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(u128::from(u32::from(address))),
            IpAddr::V6(address) => self.v6.contains(u128::from(address)),
        }
    }

    /// A table that finds the n-th address in logarithmic time.
    pub(crate) fn index(&self) -> AddressIndex {
        let mut entries = Vec::with_capacity(self.v4.runs().len() + self.v6.runs().len());
        let mut start = 0_u128;
        for (family, set) in [(Family::Ipv4, &self.v4), (Family::Ipv6, &self.v6)] {
            for (first, last) in set.runs() {
                entries.push(IndexEntry { start, first: *first, family });
                start = start.saturating_add((last - first).saturating_add(1));
            }
        }
        AddressIndex { entries, len: start }
    }
}

impl From<IpAddr> for AddressSet {
    fn from(address: IpAddr) -> Self {
        Self::from_range(address, address)
    }
}

impl FromIterator<IpAddr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        Self::from_ranges(addresses.into_iter().map(|address| (address, address)))
    }
}

impl<'a> FromIterator<&'a AddressSet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = &'a AddressSet>>(sets: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for set in sets {
            v4.extend_from_slice(set.v4.runs());
            v6.extend_from_slice(set.v6.runs());
        }
        Self { v4: IntervalSet::from_runs(v4), v6: IntervalSet::from_runs(v6) }
    }
}

/// The addresses of a set in order, by position.
#[derive(Clone, Debug)]
pub(crate) struct AddressIndex {
    entries: Vec<IndexEntry>,
    len: u128,
}

#[derive(Clone, Copy, Debug)]
struct IndexEntry {
    /// Position of the run's first address in the whole set.
    start: u128,
    first: u128,
    family: Family,
}

impl AddressIndex {
    pub(crate) const fn len(&self) -> u128 {
        self.len
    }

    /// The position and the first address of each run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u128, IpAddr)> {
        self.entries.iter().map(|entry| (entry.start, self.address(entry.start)))
    }

    /// The address at `position`, which is below [`Self::len`].
    pub(crate) fn address(&self, position: u128) -> IpAddr {
        let run = self.entries.partition_point(|entry| entry.start <= position) - 1;
        let entry = self.entries[run];
        let value = entry.first + (position - entry.start);
        match entry.family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from(value as u32)),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(value)),
        }
    }
}

#[cfg(test)]
mod tests;
