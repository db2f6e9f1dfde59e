//! The raw prober: the first packet of a handshake, made here and answered past the kernel's TCP.
//! Linux only; needs `CAP_NET_RAW`.
//!
//! Nothing is kept of what was sent but the engine's slot. A probe carries the slot's number in its
//! sequence number, under a keyed hash, and the port it leaves from says which attempt it is; an
//! answer brings both back. The kernel, which knows of no such connection, resets what opens.

mod answer;
mod channel;
mod cookie;
mod driver;
mod echo;
mod filter;
mod links;
mod neighbours;
mod outbox;
mod parked;
pub(crate) mod paths;
mod question;
mod refusals;
mod source_ports;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cookie::Cookie;
use driver::RawDriver;
pub(crate) use neighbours::Hop;
use neighbours::Neighbourhood;
use sockets_raw::{Interface, NeighbourState, Neighbours, OpenError, RawConfig, RawSocket};
use source_ports::SourcePorts;

use crate::engine::Engine;
use crate::event::Method;
use crate::links::Links;
use crate::prober::{ECHO, ProbeError, Prober, WorkSource, Worked};
use crate::scan::ScanError;

/// `IPPROTO_RAW`: the packet's own header says its protocol (raw(7)).
const ANY_PROTOCOL: u8 = 255;

/// Descriptors that a worker may hold: its source ports, two sockets to receive by and two of the
/// kernel's own IP, one to ask for routes, and four for the neighbours on as many interfaces. With less it
/// runs, or fails with [`LocalError::Resources`](crate::engine::LocalError::Resources) on the way.
pub(crate) const DESCRIPTORS_PER_WORKER: usize = SourcePorts::RUN as usize + 2 + 2 + 1 + 4;

/// Asks by SYN.
#[derive(Debug)]
pub(crate) struct SynProber(Shared);

/// What all workers of a scan share.
#[derive(Debug)]
struct Shared {
    cookie: Cookie,
    neighbours: Mutex<Neighbourhood>,
    links: Links,
    /// The index of the one interface to use.
    interface: Option<u32>,
    /// The address to send from.
    source: Option<IpAddr>,
    /// Whether it is hosts that are asked for: port [`ECHO`] stands for an echo request, and who answers
    /// on the link need not be asked anything else.
    discovery: bool,
}

impl SynProber {
    /// From `source`, and by `interface`, where they are given.
    ///
    /// # Errors
    ///
    /// [`ScanError::RawPackets`] where the system does not let this process send them,
    /// [`ScanError::Interface`] where there is no such interface.
    pub(crate) fn new(
        links: Links,
        source: Option<IpAddr>,
        interface: Option<&str>,
    ) -> Result<Self, ScanError> {
        permitted().map_err(|source| ScanError::RawPackets { source })?;
        let index_of = |name: &str| match Interface::by_name(name) {
            Ok(interface) => Ok(interface.index),
            Err(error) => {
                Err(ScanError::Interface { name: name.into(), source: io::Error::other(error) })
            }
        };
        let interface = interface.map(index_of).transpose()?;
        Ok(Self(Shared {
            cookie: Cookie::default(),
            neighbours: Mutex::new(known_neighbours(false)),
            links,
            interface,
            source,
            discovery: false,
        }))
    }

    /// The same for host discovery. What the kernel found out of neighbours is not used: it may be old.
    pub(crate) fn for_discovery(self) -> Self {
        let neighbours = Mutex::new(known_neighbours(true));
        Self(Shared { neighbours, discovery: true, ..self.0 })
    }
}

impl Prober for SynProber {
    fn method(&self) -> Method {
        Method::Syn
    }

    fn run(&self, engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        RawDriver::new(engine, &self.0)?.run(source)
    }
}

impl Shared {
    /// Whether `hop` is the very host that discovery asks for.
    fn is_discovered(&self, hop: Hop, target: SocketAddr) -> bool {
        self.discovery && hop.address == target.ip()
    }

    fn is_echo(&self, target: SocketAddr) -> bool {
        self.discovery && target.port() == ECHO.number()
    }

    fn neighbours(&self) -> MutexGuard<'_, Neighbourhood> {
        // A worker that panicked leaves whole entries behind.
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this process may scan by raw packets.
///
/// # Errors
///
/// What the system says: `PermissionDenied` without `CAP_NET_RAW`.
pub(crate) fn permitted() -> io::Result<()> {
    // What lets a process have this socket lets it have packet sockets, which take longer to close.
    match RawSocket::open(&RawConfig::v4(ANY_PROTOCOL)) {
        Ok(_) => Ok(()),
        Err(error @ OpenError::NotPermitted { .. }) => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// The neighbours that the kernel is sure of at this moment, or only those that are `configured`. Those
/// it only remembers are asked again: a host that is gone would be called filtered.
fn known_neighbours(configured: bool) -> Neighbourhood {
    let mut neighbours = Neighbourhood::default();
    let now = Instant::now();
    // Without the kernel's table all are asked.
    let known = Neighbours::load();
    for (interface, address, neighbour) in known.iter().flat_map(Neighbours::iter) {
        let Some(link) = neighbour.link_address else { continue };
        let hop = Hop { interface, address };
        match neighbour.state {
            NeighbourState::Permanent | NeighbourState::NoArp => neighbours.configure(hop, link),
            NeighbourState::Reachable if !configured => neighbours.learn(now, hop, link),
            _ => {}
        }
    }
    neighbours
}
