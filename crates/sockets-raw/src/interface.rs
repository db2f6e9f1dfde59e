//! The network interfaces of this machine: what they are, and their addresses.

mod message;

use std::net::IpAddr;

use crate::rtnetlink::{QueryError, Rtnetlink, family, kind};

/// A network interface as the kernel knows it.
///
/// ```
/// use sockets_raw::{Interface, InterfaceKind};
///
/// let loopback = Interface::by_name("lo")?;
/// assert_eq!(loopback.kind, InterfaceKind::Loopback);
/// # Ok::<(), sockets_raw::InterfaceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Interface {
    /// Its number in this network namespace; never 0.
    pub index: u32,
    /// Its name; bytes of it that are not UTF-8 are replaced.
    pub name: String,
    /// What its link is like.
    pub kind: InterfaceKind,
    /// Its own address on the link, where that is Ethernet's.
    pub link_address: Option<[u8; 6]>,
    /// The largest packet it takes, in bytes, from the network header on.
    pub mtu: u32,
    /// Whether neighbours on it are asked for their link address; where they are not (`IFF_NOARP`), the
    /// kernel knows how to reach them.
    pub resolves_neighbours: bool,
    /// Whether it is up, and its link has a carrier.
    pub is_up: bool,
    /// Its IP addresses, in the kernel's order.
    pub addresses: Vec<InterfaceAddress>,
}

/// What a packet for an interface must begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterfaceKind {
    /// This machine itself.
    Loopback,
    /// A link with Ethernet addresses: Ethernet, wireless, veth, bridges.
    Ethernet,
    /// A link without addresses: TUN, `WireGuard`, PPP, tunnels.
    LinkLess,
    /// Something else, by its `ARPHRD_*` number.
    Other(u16),
}

/// An IP address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// How many leading bits of it name the network on the link.
    pub prefix_length: u8,
    /// Not to be used for new connections (RFC 4862 section 5.5.4).
    pub is_deprecated: bool,
    /// Not to be used yet, or a duplicate (RFC 4862 section 5.4).
    pub is_tentative: bool,
}

/// Why there is no such interface.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// The kernel did not tell.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// No interface has the name.
    #[error("there is no interface `{name}`")]
    NoSuchName {
        /// The name.
        name: String,
    },
    /// No interface has the index.
    #[error("there is no interface with index {index}")]
    NoSuchIndex {
        /// The index.
        index: u32,
    },
}

impl Interface {
    /// All interfaces, by index.
    ///
    /// # Errors
    ///
    /// [`InterfaceError::Query`].
    pub fn all() -> Result<Vec<Self>, InterfaceError> {
        Ok(Self::dump(&mut Rtnetlink::open("the interfaces")?)?)
    }

    /// The interface with this name.
    ///
    /// # Errors
    ///
    /// [`InterfaceError`].
    pub fn by_name(name: &str) -> Result<Self, InterfaceError> {
        let found = Self::all()?.into_iter().find(|interface| interface.name == name);
        found.ok_or_else(|| InterfaceError::NoSuchName { name: name.to_owned() })
    }

    /// The interface with this index.
    ///
    /// # Errors
    ///
    /// [`InterfaceError`].
    pub fn by_index(index: u32) -> Result<Self, InterfaceError> {
        let found = Self::all()?.into_iter().find(|interface| interface.index == index);
        found.ok_or(InterfaceError::NoSuchIndex { index })
    }

    pub(crate) fn dump(kernel: &mut Rtnetlink) -> Result<Vec<Self>, QueryError> {
        let mut interfaces = Vec::<Self>::new();
        kernel.dump(
            "the interfaces",
            kind::GET_LINK,
            &message::LINK_REQUEST,
            |answer| match answer {
                None => interfaces.clear(),
                Some(answer) => interfaces.extend(message::interface(&answer)),
            },
        )?;
        interfaces.sort_by_key(|interface| interface.index);
        let mut addresses = Vec::new();
        kernel.dump(
            "the interfaces' addresses",
            kind::GET_ADDRESS,
            &message::address_request(family::UNSPECIFIED),
            |answer| match answer {
                None => addresses.clear(),
                Some(answer) => addresses.extend(message::address(&answer)),
            },
        )?;
        for (index, address) in addresses {
            // An interface that came up between the two questions is not known yet.
            if let Ok(place) = interfaces.binary_search_by_key(&index, |found| found.index) {
                interfaces[place].addresses.push(address);
            }
        }
        Ok(interfaces)
    }
}

#[cfg(test)]
mod tests;
