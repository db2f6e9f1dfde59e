//! The order in which ports are tried.

use ports_core::{Port, PortSet};

/// Goes once around a set of ports and offers the first port of each run that may do.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    ports: &'a PortSet,
    count: u16,
    next: u16,
    /// Ports not gone by yet.
    left: u32,
}

const ALL_PORTS: u32 = 1 << 16;

impl<'a> Search<'a> {
    /// A search for `count` (at least 1) neighbours, from the `start`-th port on, modulo their number.
    pub(crate) fn new(ports: &'a PortSet, count: u16, start: u64) -> Self {
        let len = ports.len() as u64;
        let first = if len == 0 { None } else { ports.nth((start % len) as usize) };
        let left = if first.is_some() { ALL_PORTS } else { 0 };
        Self { ports, count, next: first.unwrap_or_default().number(), left }
    }

    /// The first port of the next run of ports that all are in the set.
    pub(crate) fn next_run(&mut self) -> Option<Port> {
        while self.left > 0 {
            let first = self.next;
            match self.last_gap(first) {
                None => {
                    return Some(Port::new(first));
                }
                Some(gap) => self.skip_past(gap),
            }
        }
        None
    }

    /// The run just offered will not do because of this port of it: nor will any other that has it.
    pub(crate) fn skip_past(&mut self, port: u16) {
        let passed = u32::from(port.wrapping_sub(self.next)) + 1;
        self.left = self.left.saturating_sub(passed);
        self.next = port.wrapping_add(1);
    }

    /// The last port of the run from `first` on that is not in the set; none where all are.
    fn last_gap(&self, first: u16) -> Option<u16> {
        let Some(last) = first.checked_add(self.count - 1) else {
            // It would reach past the last port, and so would all that begin later.
            return Some(u16::MAX);
        };
        (first..=last).rev().find(|port| !self.ports.contains(Port::new(*port)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offered(ports: &PortSet, count: u16, start: u64) -> Vec<u16> {
        let mut search = Search::new(ports, count, start);
        let mut found = Vec::new();
        while let Some(port) = search.next_run() {
            found.push(port.number());
            search.skip_past(port.number());
        }
        found
    }

    #[test]
    fn each_port_once_from_the_start_around() {
        let ports: PortSet = "10-12,20,65535".parse().unwrap();
        assert_eq!(offered(&ports, 1, 0), [10, 11, 12, 20, 65535]);
        assert_eq!(offered(&ports, 1, 3), [20, 65535, 10, 11, 12]);
        assert_eq!(offered(&ports, 1, 9), [65535, 10, 11, 12, 20]);
        assert_eq!(offered(&PortSet::new(), 1, 3), [0; 0]);
    }

    #[test]
    fn runs_do_not_wrap() {
        let ports: PortSet = "1-3,10-12,65534-65535".parse().unwrap();
        assert_eq!(offered(&ports, 2, 2), [10, 11, 65534, 1, 2]);
        assert_eq!(offered(&ports, 3, 7), [1, 10]);
        assert_eq!(offered(&ports, 4, 0), [0; 0]);
        assert_eq!(offered(&ports, u16::MAX, 0), [0; 0]);
    }

    #[test]
    fn a_port_in_the_way_rules_out_all_runs_with_it() {
        let ports: PortSet = "10-20".parse().unwrap();
        let mut search = Search::new(&ports, 4, 0);
        assert_eq!(search.next_run(), Some(Port::new(10)));
        search.skip_past(12);
        assert_eq!(search.next_run(), Some(Port::new(13)));
        search.skip_past(16);
        assert_eq!(search.next_run(), Some(Port::new(17)));
        search.skip_past(17);
        assert_eq!(search.next_run(), None);
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_look_finds(
            ranges in prop::collection::vec((any::<u16>(), 0..40_u16), 0..8),
            count in 1..20_u16,
            start in any::<u64>(),
        ) {
            let mut ports = PortSet::new();
            for (first, more) in ranges {
                (first..=first.saturating_add(more)).for_each(|port| { ports.insert(Port::new(port)); });
            }
            let fits = |first: &u16| first.checked_add(count - 1).is_some_and(|last| {
                (*first..=last).all(|port| ports.contains(Port::new(port)))
            });
            let expected: Vec<u16> = (0..=u16::MAX).filter(fits).collect();
            let mut found = offered(&ports, count, start);
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
