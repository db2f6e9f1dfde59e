//! Neighbours: which link address has which IP address, as the kernel found out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use sockets_sys::Message;

use crate::rtnetlink::{QueryError, Rtnetlink, family, kind, split, word};

/// `struct ndmsg`
const HEADER: usize = 12;
/// `NDA_DST`, `NDA_LLADDR`, `NDA_CACHEINFO`
const ADDRESS: u16 = 1;
const LINK_ADDRESS: u16 = 2;
const CACHE: u16 = 3;
/// `ndm_updated` in `struct nda_cacheinfo`, in ticks of `USER_HZ`.
const UPDATED: usize = 8;
const TICK: Duration = Duration::from_millis(10);
const WHAT: &str = "the neighbours";

/// What the kernel knows about a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Neighbour {
    /// How sure the kernel is of it.
    pub state: NeighbourState,
    /// Its link address, where that is known and Ethernet's.
    pub link_address: Option<[u8; 6]>,
    /// How long ago that last changed, where the kernel says.
    pub unchanged: Option<Duration>,
}

/// How sure the kernel is of a neighbour (`NUD_*`, ip-neighbour(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NeighbourState {
    /// Nothing was asked yet.
    None,
    /// Asked, and not answered yet.
    Incomplete,
    /// Confirmed not long ago.
    Reachable,
    /// Was confirmed once; checked before it is relied on.
    Stale,
    /// About to be checked.
    Delay,
    /// Being checked.
    Probe,
    /// Asked, and nobody answered.
    Failed,
    /// Needs no asking: loopback, multicast, links without addresses.
    NoArp,
    /// Set by an administrator.
    Permanent,
    /// Another value of the kernel's.
    Other(u16),
}

impl NeighbourState {
    const fn from_kernel(state: u16) -> Self {
        match state {
            0x00 => Self::None,
            0x01 => Self::Incomplete,
            0x02 => Self::Reachable,
            0x04 => Self::Stale,
            0x08 => Self::Delay,
            0x10 => Self::Probe,
            0x20 => Self::Failed,
            0x40 => Self::NoArp,
            0x80 => Self::Permanent,
            other => Self::Other(other),
        }
    }
}

/// The kernel's neighbour tables, IPv4 and IPv6, at one moment.
///
/// The kernel bounds them (`net.ipv4.neigh.default.gc_thresh3`, 1,024 unless set), and drops what
/// failed after a while: an address that is not there is not known, which is not the same as
/// unresolved.
#[derive(Debug)]
pub struct Neighbours {
    kernel: Rtnetlink,
    found: HashMap<(u32, IpAddr), Neighbour>,
}

impl Neighbours {
    /// The tables as they are now.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn load() -> Result<Self, QueryError> {
        let mut neighbours = Self { kernel: Rtnetlink::open(WHAT)?, found: HashMap::new() };
        neighbours.refresh()?;
        Ok(neighbours)
    }

    /// Reads the tables again. After an error, what was known before is still there.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn refresh(&mut self) -> Result<(), QueryError> {
        let mut found = HashMap::new();
        for family in [family::IPV4, family::IPV6] {
            let mut request = [0; HEADER];
            request[0] = family;
            let mut part = Vec::new();
            self.kernel.dump(WHAT, kind::GET_NEIGHBOUR, &request, |answer| match answer {
                None => part.clear(),
                Some(answer) => part.extend(read(&answer)),
            })?;
            found.extend(part);
        }
        self.found = found;
        Ok(())
    }

    /// What is known about `address` on the interface with this index.
    pub fn find(&self, interface: u32, address: IpAddr) -> Option<Neighbour> {
        self.found.get(&(interface, address)).copied()
    }

    /// Whether the kernel asked for `address` on that link and has no answer, or not yet: what was
    /// sent there did not leave this machine.
    pub fn is_unresolved(&self, interface: u32, address: IpAddr) -> bool {
        matches!(
            self.find(interface, address).map(|neighbour| neighbour.state),
            Some(NeighbourState::Incomplete | NeighbourState::Failed)
        )
    }

    /// All of them: interface, address, what is known; in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, IpAddr, Neighbour)> {
        self.found.iter().map(|((interface, address), found)| (*interface, *address, *found))
    }
}

fn read(message: &Message<'_>) -> Option<((u32, IpAddr), Neighbour)> {
    if message.kind != kind::NEW_NEIGHBOUR {
        return None;
    }
    let (header, attributes) = split::<HEADER>(message.payload)?;
    let state = NeighbourState::from_kernel(u16::from_ne_bytes([header[8], header[9]]));
    let (mut address, mut link_address, mut unchanged) = (None, None, None);
    for attribute in attributes {
        match attribute.kind {
            ADDRESS => address = attribute.ip(),
            LINK_ADDRESS => link_address = attribute.payload.try_into().ok(),
            CACHE => {
                let ticks = attribute.payload.get(UPDATED..).and_then(<[u8]>::first_chunk);
                unchanged = ticks.map(|ticks| TICK * u32::from_ne_bytes(*ticks));
            }
            _ => {}
        }
    }
    Some(((word(header, 4), address?), Neighbour { state, link_address, unchanged }))
}
