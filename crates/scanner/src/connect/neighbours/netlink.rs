//! By the kernel's tables of neighbours and routes (rtnetlink(7)): both families, and routers too.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sockets_raw::{Neighbours as Table, RouteTable};

/// How long what was read is taken as true.
const FRESH: Duration = Duration::from_millis(100);

/// The neighbours, and the way to them. Where the kernel does not tell, nothing is known.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    read: Option<Instant>,
    known: Option<(RouteTable, Table)>,
}

impl Neighbours {
    /// Whether the kernel looks, or looked, on a link for `address`, or for the router before it, and
    /// nobody answered.
    pub(crate) fn is_unresolved(&mut self, now: Instant, address: IpAddr) -> bool {
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= FRESH) {
            self.read = Some(now);
            self.known = match self.known.take() {
                Some((routes, mut table)) => table.refresh().ok().map(|()| (routes, table)),
                None => RouteTable::load().ok().zip(Table::load().ok()),
            };
        }
        let Some((routes, table)) = &mut self.known else { return false };
        let route = routes.route(address).ok().filter(|route| !route.is_local());
        route.is_some_and(|route| table.is_unresolved(route.interface, route.link_target()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_no_unresolved_neighbour() {
        let mut neighbours = Neighbours::default();
        for address in ["127.0.0.1", "::1"] {
            assert!(!neighbours.is_unresolved(Instant::now(), address.parse().unwrap()));
        }
        assert!(neighbours.known.is_some());
    }
}
