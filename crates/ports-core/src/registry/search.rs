//! How "any port of a range" is found.

use std::ops::RangeInclusive;

use crate::registry::ClaimAddress;
use crate::registry::table::TransportTable;
use crate::{Port, PortRange};

/// The ports a search may hand out: a range without port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window(PortRange);

impl Window {
    /// The ports of the range from `floor` upwards, if there are any.
    pub(super) fn new(range: PortRange, floor: Port) -> Option<Self> {
        let first = range.first().max(floor).max(Port::new(1));
        PortRange::new(first, range.last()).ok().map(Self)
    }

    pub(super) const fn range(self) -> PortRange {
        self.0
    }

    const fn first(self) -> u16 {
        self.0.first().number()
    }

    const fn last(self) -> u16 {
        self.0.last().number()
    }

    const fn len(self) -> u64 {
        self.0.len() as u64
    }

    /// The port a search starts at when `cursor` ports have gone by.
    const fn start(self, cursor: u64) -> u16 {
        self.first() + (cursor % self.len()) as u16
    }

    /// The cursor whose search starts after `port`.
    const fn cursor_after(self, port: u16, cursor: u64) -> u64 {
        let start = self.start(cursor);
        let passed =
            if port >= start { (port - start) as u64 } else { self.len() - (start - port) as u64 };
        cursor.wrapping_add(passed + 1)
    }

    /// From `start` to the end, then from the beginning up to `start`.
    fn around(self, start: u16) -> impl Iterator<Item = u16> {
        (start..=self.last()).chain(self.first()..start)
    }
}

impl TransportTable {
    /// A port of the window that is free at the address, and the cursor for the next search.
    ///
    /// A port free for the address's whole family is found in constant time. Only where there is
    /// none, and the address is a single one, a linear pass looks for a port that others hold at
    /// other addresses; for a wildcard there is nothing more to find.
    pub(super) fn find_any(
        &self,
        address: ClaimAddress,
        window: Window,
        cursor: u64,
    ) -> Option<(u16, u64)> {
        let start = window.start(cursor);
        let held = self.held(address.family());
        let port = held
            .first_free(start, window.last())
            .or_else(|| held.first_free(window.first(), window.last()))
            .or_else(|| {
                if address.is_wildcard() {
                    return None;
                }
                window.around(start).find(|port| self.is_free(*port, address))
            })?;
        Some((port, window.cursor_after(port, cursor)))
    }

    /// The first port of a run of `count` (at least 1) neighbours of the window that are all free
    /// at the address, and the cursor for the next search. Linear in the window.
    pub(super) fn find_run(
        &self,
        address: ClaimAddress,
        window: Window,
        cursor: u64,
        count: u16,
    ) -> Option<(u16, u64)> {
        let start = window.start(cursor);
        let first = self
            .first_run(address, start..=window.last(), count)
            .or_else(|| self.first_run(address, window.first()..=window.last(), count))?;
        Some((first, window.cursor_after(first + (count - 1), cursor)))
    }

    fn first_run(
        &self,
        address: ClaimAddress,
        mut ports: RangeInclusive<u16>,
        count: u16,
    ) -> Option<u16> {
        let mut length = 0;
        let last = ports.find(|port| {
            length = if self.is_free(*port, address) { length + 1 } else { 0 };
            length == count
        })?;
        Some(last - (count - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str, floor: u16) -> Option<Window> {
        Window::new(text.parse().unwrap(), Port::new(floor))
    }

    #[test]
    fn a_window_leaves_out_port_zero_and_what_lies_below_the_floor() {
        assert_eq!(window("0", 0), None);
        assert_eq!(window("0-5", 0), window("1-5", 0));
        assert_eq!(window("0-5", 3), window("3-5", 0));
        assert_eq!(window("0-5", 6), None);
    }

    #[test]
    fn the_cursor_goes_on_after_the_port_found() {
        let window = window("100-109", 0).unwrap();
        for cursor in [0, 3, 9, 10, 1234] {
            for port in 100..=109 {
                let next = window.start(window.cursor_after(port, cursor));
                assert_eq!(next, if port == 109 { 100 } else { port + 1 });
            }
        }
    }

    #[test]
    fn the_whole_space_is_one_window() {
        let window = window("0-", 0).unwrap();
        assert_eq!(window.len(), 65535);
        assert_eq!(window.start(65535), 1);
        assert_eq!(window.around(3).count(), 65535);
    }
}
