//! Which ports may be handed out.

use std::sync::OnceLock;

use ports_core::{Port, PortRange, PortSet, ServiceSource, ServiceTable, Transport};

use crate::kernel_ports::KernelPorts;
use crate::request::Request;

/// Ports to choose from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) ports: PortSet,
    /// For when none of those is left.
    pub(crate) rest: PortSet,
    /// The kernel may give them to outgoing connections.
    pub(crate) is_ephemeral: bool,
}

impl Pool {
    /// The ports that may be looked at for `count` neighbours: of the range given, else of the
    /// default one.
    ///
    /// Those of the ephemeral range only where no such run is left outside of it; one by one, at first
    /// those that outgoing connections get last.
    pub(crate) fn new(range: Option<PortRange>, count: u16, kernel: &KernelPorts) -> Self {
        let mut wanted = PortSet::from(range.unwrap_or_else(default_range));
        wanted.remove(Port::ANY);
        let mut ephemeral = PortSet::from(kernel.ephemeral);
        ephemeral -= &kernel.reserved;
        if range.is_none() {
            wanted -= &kernel.reserved;
            wanted -= usual();
        }
        let safe = &wanted - &ephemeral;
        if has_run(&safe, count) {
            Self { ports: safe, rest: PortSet::new(), is_ephemeral: false }
        } else if !has_run(&wanted, count) {
            Self { ports: wanted, rest: PortSet::new(), is_ephemeral: false }
        } else {
            let first = &wanted & &connected_first(kernel.ephemeral);
            let last = &wanted - &first;
            let (ports, rest) =
                if has_run(&last, count) { (last, first) } else { (wanted, PortSet::new()) };
            Self { ports, rest, is_ephemeral: true }
        }
    }
}

impl Pool {
    /// The length of the longest run of neighbours.
    pub(crate) fn longest(&self) -> u32 {
        self.ports.ranges().map(PortRange::len).max().unwrap_or(0)
    }
}

/// Where a port is looked for unless a request says otherwise.
pub(crate) fn default_range() -> PortRange {
    // Never backwards: no port lies after the last.
    PortRange::new(Request::DEFAULT_FIRST_PORT, Port::MAX).unwrap_or(PortRange::ALL)
}

/// The ports of the ephemeral range that connections get before others: every second one, from its
/// first on. Only where no such port is left for a destination do they get one of the others, of which
/// sockets that are bound to port 0 are given one first (Linux since 4.2, `__inet_hash_connect` and
/// `inet_csk_find_open_port`).
fn connected_first(ephemeral: PortRange) -> PortSet {
    static EVEN: OnceLock<PortSet> = OnceLock::new();
    let even = EVEN.get_or_init(|| (0..=u16::MAX).step_by(2).map(Port::new).collect());
    let range = PortSet::from(ephemeral);
    if ephemeral.first().number().is_multiple_of(2) { &range & even } else { &range - even }
}

fn has_run(ports: &PortSet, count: u16) -> bool {
    ports.ranges().any(|range| range.len() >= u32::from(count))
}

/// Where people run services, registered there or not: somebody is likely to start one.
fn usual() -> &'static PortSet {
    static USUAL: OnceLock<PortSet> = OnceLock::new();
    USUAL.get_or_init(|| {
        let common = ServiceTable.iter().filter(|service| service.source == ServiceSource::Common);
        let ranked = Transport::ALL.into_iter().flat_map(|transport| ServiceTable.top(transport));
        common.map(|service| service.port).chain(ranked.copied()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(ephemeral: &str, reserved: &str) -> KernelPorts {
        KernelPorts {
            ephemeral: ephemeral.parse().unwrap(),
            reserved: if reserved.is_empty() { PortSet::new() } else { reserved.parse().unwrap() },
            privileged_below: Port::new(1024),
        }
    }

    fn pool(range: Option<&str>, count: u16, kernel: &KernelPorts) -> Pool {
        let range = range.map(|text| text.parse().unwrap());
        Pool::new(range, count, kernel)
    }

    #[test]
    fn the_ephemeral_range_and_usual_ports_are_left_out() {
        let pool = pool(None, 1, &kernel("32768-60999", "20000-20009"));
        assert!(!pool.is_ephemeral);
        for (port, is_in) in [
            (9999, false),
            (23457, true),
            (32767, true),
            (32768, false),
            (60999, false),
            (61000, true),
            (65535, true),
            // Reserved by the administrator for something else.
            (20005, false),
            // memcached and MongoDB.
            (11211, false),
            (27017, false),
        ] {
            assert_eq!(pool.ports.contains(Port::new(port)), is_in, "{port}");
        }
    }

    #[test]
    fn a_range_is_taken_at_its_word_but_for_ephemeral_ports() {
        let kernel = kernel("32768-60999", "40000-40009");
        let range = |text: &str| pool(Some(text), 1, &kernel);
        assert_eq!(range("27000-27020").ports, "27000-27020".parse().unwrap());
        assert_eq!(range("32760-32800").ports, "32760-32767".parse().unwrap());
        // Reserved ports are what the kernel does not hand out.
        let reserved = range("39990-40020");
        assert_eq!(
            (reserved.ports, reserved.is_ephemeral),
            ("40000-40009".parse().unwrap(), false)
        );
        assert_eq!(range("0-5").ports, "1-5".parse().unwrap());
    }

    #[test]
    fn where_all_is_ephemeral_it_is_taken_and_said() {
        let everything = pool(None, 1, &kernel("1024-65535", ""));
        assert!(everything.is_ephemeral && everything.ports.len() > 25_000);
        let range = pool(Some("40000-40010"), 1, &kernel("32768-60999", ""));
        assert!(range.is_ephemeral);
        assert_eq!((range.ports.len(), range.rest.len()), (5, 6));
        // Connections get those of the parity of the first one before others.
        assert!(range.rest.iter().all(|port| port.number() % 2 == 0));
        let odd = pool(Some("40000-40010"), 1, &kernel("1025-65535", ""));
        assert!(odd.ports.len() == 6 && odd.rest.iter().all(|port| port.number() % 2 == 1));
        let other = pool(Some("40000"), 1, &kernel("32768-60999", ""));
        assert_eq!((other.ports.len(), other.rest.len()), (1, 0));
        // A run that only fits when it reaches into the ephemeral range.
        let across = pool(Some("32760-32775"), 10, &kernel("32768-60999", ""));
        assert!(across.is_ephemeral);
        assert_eq!((across.ports.len(), across.rest.len()), (16, 0));
        // And one that fits nowhere.
        let none = pool(Some("32760-32775"), 30, &kernel("32768-60999", ""));
        assert!(!none.is_ephemeral);
        assert_eq!(none.longest(), 16);
    }
}
