//! What a raw worker asks and hears of its neighbours.

use std::net::IpAddr;
use std::time::Instant;

use super::super::neighbours::{EthernetAddress, Hop, Neighbour, Standing};
use super::super::paths::{Path, Way};
use super::{RawDriver, unsent};
use crate::engine::LocalError;

impl RawDriver<'_> {
    /// A neighbour said who it is: what waited for that goes.
    pub(super) fn heard(&mut self, now: Instant, hop: Hop, link: EthernetAddress) {
        let Some(neighbour) = self.shared.neighbours().answered(now, hop, link) else { return };
        self.release(now, hop, neighbour);
    }

    pub(super) fn release(&mut self, now: Instant, hop: Hop, neighbour: Neighbour) {
        self.know(now, hop, neighbour);
        for probe in self.parked.release(hop) {
            // Where the neighbour is all that is looked for, nothing leaves.
            let goes = if self.shared.is_discovered(hop, probe.target) {
                self.engine.is_held(probe.id)
            } else {
                self.engine.release(now, probe.id)
            };
            if !goes {
                continue;
            }
            let sent = self
                .paths
                .to(probe.target.ip())
                .and_then(|path| self.reached(now, &path, hop, neighbour, probe));
            if let Err(error) = sent {
                self.engine.handle_local_error(now, probe.id, error);
            }
        }
    }

    pub(super) fn ask(
        &mut self,
        now: Instant,
        hop: Hop,
        own: EthernetAddress,
        source: IpAddr,
    ) -> Result<(), LocalError> {
        let source = match (source, hop.address) {
            // An IPv4 route by way of an IPv6 neighbour (RFC 5549).
            (IpAddr::V4(_), IpAddr::V6(_)) => {
                self.paths.ipv6_source(hop.interface).ok_or(LocalError::NoSourceAddress)?
            }
            (source, _) => source,
        };
        let Self { engine, paths, links, .. } = self;
        links.ask(hop, own, source, |one| unsent(engine, paths, now, one))
    }

    /// Asks again for the hops that probes have waited for long enough.
    pub(super) fn repeat_questions(&mut self) {
        let now = Instant::now();
        while let Some((hop, probe)) =
            self.parked.poll_repeat(now, |probe| self.engine.is_held(probe.id))
        {
            let target = probe.target.ip();
            let Ok(Path { source, way: Way::Ethernet { own, .. }, .. }) = self.paths.to(target)
            else {
                continue;
            };
            let standing = self.shared.neighbours().standing(now, hop, target);
            match standing {
                // Where that fails, there is a next time.
                Standing::Waiting { ask: true } => drop(self.ask(now, hop, own, source)),
                // Another worker heard it.
                Standing::Resolved { neighbour, .. } => self.release(now, hop, neighbour),
                Standing::Waiting { ask: false } | Standing::Silent => {}
            }
        }
    }
}
