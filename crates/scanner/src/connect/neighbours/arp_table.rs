//! By the kernel's table of IPv4 neighbours.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::Admission;
use crate::engine::LocalError;

/// How long what was read is taken as true.
const FRESH: Duration = Duration::from_millis(100);
/// The kernel's table of IPv4 neighbours (`arp_seq_show` in `net/ipv4/arp.c`).
const TABLE: &str = "/proc/net/arp";

/// The IPv4 neighbours without a link address. Empty where the system has no such table.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    read: Option<Instant>,
    unresolved: HashSet<Ipv4Addr>,
}

/// Nothing is shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared;

impl Shared {
    pub(crate) fn new(_source: Option<IpAddr>, _interface: Option<&str>) -> Self {
        Self
    }
}

impl Neighbours {
    pub(crate) fn new(_shared: &Shared) -> Self {
        Self::default()
    }

    /// Nothing is known of ways here.
    #[expect(clippy::unused_self, reason = "as where there is netlink")]
    pub(crate) fn admit(&mut self, _now: Instant, _target: IpAddr) -> Admission {
        Admission::Go
    }

    /// There is nothing to ask about.
    #[expect(clippy::unused_self, reason = "as where there is netlink")]
    pub(crate) fn is_admitted(&self, _target: IpAddr) -> bool {
        true
    }

    /// Nothing is looked at ahead of time here.
    #[expect(clippy::unused_self, reason = "as where there is netlink")]
    pub(crate) fn look(&mut self, _now: Instant) {}

    /// Why the silence of `target` is this machine's own doing, where it is.
    pub(crate) fn failure(&mut self, now: Instant, target: IpAddr) -> Option<LocalError> {
        self.is_unresolved(now, target).then_some(LocalError::NeighbourUnresolved)
    }

    /// Whether the kernel looks, or looked, for `address` on a link and nobody answered.
    pub(crate) fn is_unresolved(&mut self, now: Instant, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= FRESH) {
            self.read = Some(now);
            self.unresolved = unresolved(&std::fs::read_to_string(TABLE).unwrap_or_default());
        }
        self.unresolved.contains(&address)
    }
}

/// The addresses of the rows whose flags lack `ATF_COM`, "completed entry" (`linux/if_arp.h`).
fn unresolved(table: &str) -> HashSet<Ipv4Addr> {
    const COMPLETED: u32 = 0x02;
    let address_of = |row: &str| {
        let mut fields = row.split_whitespace();
        let (address, flags) = (fields.next()?, fields.nth(1)?);
        let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
        (flags & COMPLETED == 0).then(|| address.parse().ok())?
    };
    table.lines().skip(1).filter_map(address_of).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn incomplete_rows_are_unresolved() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
             192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n\
             192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
             192.0.2.10       0x1         0x6         02:fc:00:00:00:06     *        eth0\n";
        assert_eq!(unresolved(table), HashSet::from([Ipv4Addr::new(192, 0, 2, 9)]));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}") {
            unresolved(&text);
        }
    }
}
