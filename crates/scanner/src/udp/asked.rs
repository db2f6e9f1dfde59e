//! Which ports are under way, and what was seen of their hosts. Pure.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::icmp_limit::IcmpLimit;
use crate::engine::{Probe, ProbeId};

/// How often a neighbour that is not there is knocked for: as often as the kernel asks for one itself
/// (`retrans_time_ms`, arp(7)).
const KNOCK: Duration = Duration::from_secs(1);
/// The ports under way, by target, and what was seen of their hosts.
#[derive(Debug, Default)]
pub(super) struct Asked {
    ports: HashMap<SocketAddr, Port>,
    hosts: HashMap<IpAddr, Host>,
}

#[derive(Clone, Copy, Debug)]
struct Port {
    /// Its latest attempt.
    latest: ProbeId,
    /// See [`IcmpLimit::first_ask`].
    place: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    limit: IcmpLimit,
    /// The number of its host group.
    group: u64,
    under_way: u32,
    knocked: Option<Instant>,
}

impl Asked {
    /// The probe is about to leave, to a host of that group.
    pub(super) fn ask(&mut self, probe: &Probe, group: u64) {
        let host = self.hosts.entry(probe.target.ip()).or_default();
        host.group = group;
        match self.ports.entry(probe.target) {
            Entry::Occupied(mut port) => {
                // A probe that had found no room before comes again under the same number.
                if port.get().latest != probe.id {
                    host.limit.gave_up(port.get().place);
                }
                port.get_mut().latest = probe.id;
            }
            Entry::Vacant(port) => {
                host.under_way += 1;
                let place = host.limit.first_ask();
                port.insert(Port { latest: probe.id, place });
            }
        }
    }

    /// The port has its verdict, or was put off.
    pub(super) fn end(&mut self, target: SocketAddr) {
        if self.ports.remove(&target).is_some()
            && let Some(host) = self.hosts.get_mut(&target.ip())
        {
            host.under_way -= 1;
        }
    }

    /// Lets go of the hosts of groups that are done. Others may be without a port under way, too, for
    /// the moment.
    pub(super) fn forget_groups_before(&mut self, oldest: u64) {
        self.hosts.retain(|_, host| host.under_way > 0 || host.group >= oldest);
    }

    /// The latest attempt at `target`, where it is under way.
    pub(super) fn latest(&self, target: SocketAddr) -> Option<ProbeId> {
        Some(self.ports.get(&target)?.latest)
    }

    /// Whether one more datagram may go to a host on a link that has not been found there: it would only
    /// lie in the kernel's queue, and take the room of others.
    pub(super) fn may_knock(&mut self, now: Instant, host: IpAddr) -> bool {
        let Some(host) = self.hosts.get_mut(&host) else { return true };
        let due = host.knocked.is_none_or(|at| now.saturating_duration_since(at) >= KNOCK);
        if due {
            host.knocked = Some(now);
        }
        due
    }

    /// The port answered that attempt with a datagram, or with "port unreachable".
    pub(super) fn note_answer(&mut self, target: SocketAddr, attempt: u32, is_closed: bool) {
        let Some(port) = self.ports.get(&target) else { return };
        let Some(host) = self.hosts.get_mut(&target.ip()) else { return };
        if attempt < port.latest.attempt() {
            host.limit.took_back();
        }
        if is_closed {
            host.limit.closed(port.place, attempt);
        }
    }

    /// The port stayed silent to its last attempt.
    pub(super) fn note_silence(&mut self, target: SocketAddr) {
        if let Some(port) = self.ports.get(&target)
            && let Some(host) = self.hosts.get_mut(&target.ip())
        {
            host.limit.gave_up(port.place);
        }
    }

    /// Whether the host is seen to limit its ICMP errors.
    pub(super) fn is_limited(&self, host: IpAddr) -> bool {
        self.hosts.get(&host).is_some_and(|host| host.limit.is_seen())
    }
}

#[cfg(test)]
mod tests;
