//! By the kernel's tables of neighbours, routes and interfaces (rtnetlink(7)): both families, and routers
//! too.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sockets_raw::{Interface, Neighbour, NeighbourState, Neighbours as Table};

use super::Admission;
use super::places::{Fate, Places};
use crate::engine::LocalError;
use crate::raw::Hop;
use crate::raw::paths::{Path, Paths, Way};

/// How long what was read of the neighbours is taken as true, and for how many times as long as the
/// reading takes: the table may have been made a large one.
const FRESH: Duration = Duration::from_millis(100);
const READING_COSTS_AT_MOST: u32 = 20;
/// Hosts remembered between two readings.
const MOST_ADMITTED: usize = 1 << 16;
/// What is found stays in the table for some seconds at least: so it is seen.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
/// Room for neighbours, where the system does not say (`neigh_default` in `net/ipv4/arp.c`): as in a
/// network namespace, which has none of its own.
const USUAL_ROOM: usize = 1_024;

/// What all workers of a scan share: which way is asked for, and how many neighbours are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    source: Option<IpAddr>,
    interface: Option<u32>,
    /// IPv4 and IPv6; filled when they are first needed.
    places: Arc<[Mutex<Option<Places>>; 2]>,
}

impl Shared {
    /// From `source` and by `interface`, where they are given.
    pub(crate) fn new(source: Option<IpAddr>, interface: Option<&str>) -> Self {
        let index = |name| Interface::by_name(name).ok().map(|interface| interface.index);
        Self { source, interface: interface.and_then(index), places: Arc::default() }
    }
}

/// One worker's view. Where the kernel does not tell, nothing is known.
#[derive(Debug)]
pub(crate) struct Neighbours {
    shared: Shared,
    known: Option<Known>,
    is_asked: bool,
    /// Hosts that probes may go to until the neighbours are read again: nothing is looked up or locked for
    /// their further ports.
    admitted: HashSet<IpAddr>,
}

#[derive(Debug)]
struct Known {
    paths: Paths,
    table: Table,
    read: Instant,
    fresh: Duration,
}

impl Neighbours {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self { shared: shared.clone(), known: None, is_asked: false, admitted: HashSet::new() }
    }

    /// Whether a probe to `target`, another machine, may leave now.
    pub(crate) fn admit(&mut self, now: Instant, target: IpAddr) -> Admission {
        if self.admitted.contains(&target) {
            return Admission::Go;
        }
        let admission = self.admit_anew(now, target);
        if admission == Admission::Go {
            if self.admitted.len() >= MOST_ADMITTED {
                self.admitted.clear();
            }
            self.admitted.insert(target);
        }
        admission
    }

    /// Whether that was said of `target` not long ago.
    pub(crate) fn is_admitted(&self, target: IpAddr) -> bool {
        self.admitted.contains(&target)
    }

    fn admit_anew(&mut self, now: Instant, target: IpAddr) -> Admission {
        let hop = match self.path_to(target) {
            // Without the tables the kernel is left to find out.
            None | Some(Err(LocalError::Resources)) => return Admission::Go,
            Some(Err(error)) => return Admission::Refused(error),
            Some(Ok(Path { way: Way::Ethernet { hop, .. }, .. })) => hop,
            Some(Ok(_)) => return Admission::Go,
        };
        if self.take_place(now, hop) {
            return Admission::Go;
        }
        self.read(now, FRESH);
        if self.take_place(now, hop) { Admission::Go } else { Admission::Wait }
    }

    fn take_place(&self, now: Instant, hop: Hop) -> bool {
        self.places(hop).as_mut().is_none_or(|places| places.admit(now, hop))
    }

    /// Looks at what has changed, if it is time to, once there was anybody to look for.
    pub(crate) fn look(&mut self, now: Instant) {
        if let Some(known) = &mut self.known {
            known.paths.look(now);
            self.read(now, AT_LEAST_EVERY);
        }
    }

    /// Whether the kernel looks, or looked, on a link for `target`, or for the router before it, and
    /// nobody answered.
    pub(crate) fn is_unresolved(&mut self, now: Instant, target: IpAddr) -> bool {
        let Some(Ok(Path { way: Way::Ethernet { hop, .. }, .. })) = self.path_to(target) else {
            return false;
        };
        self.read(now, FRESH);
        self.known
            .as_ref()
            .is_some_and(|known| known.table.is_unresolved(hop.interface, hop.address))
    }

    /// Why the silence of `target`, another machine, is this machine's own doing, where it is. Of a
    /// neighbour that was never found nothing was asked, whatever has become of its place in the table.
    pub(crate) fn failure(&mut self, now: Instant, target: IpAddr) -> Option<LocalError> {
        let hop = match self.known()?.paths.failure(now, target) {
            Err(LocalError::Resources) => return None,
            Err(error) => return Some(error),
            Ok(Path { way: Way::Ethernet { hop, .. }, .. }) => hop,
            Ok(_) => return None,
        };
        self.read(now, FRESH);
        if self.was_found(hop)? {
            return None;
        }
        // Where a link goes down its neighbours are forgotten: that is the cause then.
        let known = self.known.as_mut()?;
        if known.paths.looked() < known.read {
            known.paths.look_at_once(now);
        }
        Some(known.paths.failure(now, target).err().unwrap_or(LocalError::NeighbourUnresolved))
    }

    fn was_found(&self, hop: Hop) -> Option<bool> {
        let state = self.known.as_ref()?.table.find(hop.interface, hop.address);
        let mut places = self.places(hop);
        let places = places.as_mut()?;
        Some(match state.map(fate_of) {
            Some(fate) if fate.is_found() => {
                places.find(hop);
                true
            }
            Some(_) => {
                places.lose(hop);
                false
            }
            None => places.is_found(hop),
        })
    }

    fn path_to(&mut self, target: IpAddr) -> Option<Result<Path, LocalError>> {
        Some(self.known()?.paths.to(target))
    }

    fn known(&mut self) -> Option<&mut Known> {
        if !std::mem::replace(&mut self.is_asked, true) {
            self.known = Known::load(&self.shared);
            if let Some(known) = &self.known {
                self.shared.learn(known.read, &known.table);
            }
        }
        self.known.as_mut()
    }

    /// Reads the neighbours, where what is known is older than `at_most`.
    fn read(&mut self, now: Instant, at_most: Duration) {
        let Some(known) = &mut self.known else { return };
        if now.saturating_duration_since(known.read) < known.fresh.max(at_most) {
            return;
        }
        known.read = now;
        self.admitted.clear();
        // After an error, what was known before holds.
        if known.table.refresh().is_ok() {
            known.fresh = FRESH.max(now.elapsed() * READING_COSTS_AT_MOST);
        }
        self.shared.learn(now, &known.table);
    }

    fn places(&self, hop: Hop) -> MutexGuard<'_, Option<Places>> {
        lock(&self.shared.places[usize::from(hop.address.is_ipv6())])
    }
}

impl Shared {
    fn learn(&self, now: Instant, table: &Table) {
        for (v6, places) in self.places.iter().enumerate() {
            let mut places = lock(places);
            let places = places.get_or_insert_with(|| Places::new(room_for(["ipv4", "ipv6"][v6])));
            let of_family = table.iter().filter(|(_, address, neighbour)| {
                // What is set by hand takes no place (`neigh_alloc` in `net/core/neighbour.c`).
                let is_set = neighbour.state == NeighbourState::Permanent;
                usize::from(address.is_ipv6()) == v6 && !is_set
            });
            places.learn(
                now,
                of_family.map(|(interface, address, neighbour)| {
                    (Hop { interface, address }, fate_of(neighbour))
                }),
            );
        }
    }
}

impl Known {
    fn load(shared: &Shared) -> Option<Self> {
        let paths = Paths::load(shared.interface, shared.source).ok()?;
        let table = Table::load().ok()?;
        Some(Self { paths, table, read: Instant::now(), fresh: FRESH })
    }
}

fn lock(places: &Mutex<Option<Places>>) -> MutexGuard<'_, Option<Places>> {
    // A worker that panicked leaves whole entries behind.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fate_of(neighbour: Neighbour) -> Fate {
    match neighbour.state {
        NeighbourState::Failed => Fate::Given,
        NeighbourState::None | NeighbourState::Incomplete => Fate::Open,
        NeighbourState::Reachable | NeighbourState::Delay | NeighbourState::Probe => Fate::Found,
        _ => Fate::Idle(neighbour.unchanged.unwrap_or_default()),
    }
}

fn room_for(family: &str) -> usize {
    let path = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
    let text = std::fs::read_to_string(path).ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(USUAL_ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_no_unresolved_neighbour() {
        let mut neighbours = Neighbours::new(&Shared::new(None, None));
        let now = Instant::now();
        for address in ["127.0.0.1", "::1"] {
            let address = address.parse().unwrap();
            assert!(!neighbours.is_unresolved(now, address));
            assert_eq!(neighbours.admit(now, address), Admission::Go);
        }
        assert!(neighbours.known.is_some());
    }

    /// TEST-NET-3 (RFC 5737) is no neighbour on loopback, and nothing leaves this machine by it.
    #[test]
    fn loopback_leads_to_no_other_machine() {
        let other = "203.0.113.77".parse().unwrap();
        for shared in
            [Shared::new(None, Some("lo")), Shared::new(Some("127.0.0.1".parse().unwrap()), None)]
        {
            let mut neighbours = Neighbours::new(&shared);
            assert!(matches!(neighbours.admit(Instant::now(), other), Admission::Refused(_)));
        }
    }
}
