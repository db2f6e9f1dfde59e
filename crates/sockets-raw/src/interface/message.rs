//! Interfaces and addresses in netlink messages (`struct ifinfomsg`, `struct ifaddrmsg`).

use sockets_sys::Message;

use super::{Interface, InterfaceAddress, InterfaceKind};
use crate::rtnetlink::{kind, split, word};

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
/// All interfaces, of any family.
pub(super) const LINK_REQUEST: [u8; LINK_HEADER] = [0; LINK_HEADER];

/// `IFLA_*`
const LINK_ADDRESS: u16 = 1;
const NAME: u16 = 3;
const MTU: u16 = 4;
/// `IFA_*`
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const FLAGS: u16 = 8;

/// `IFF_UP` and `IFF_LOWER_UP`
const UP: u32 = 1;
const LOWER_UP: u32 = 1 << 16;
/// `IFF_NOARP`
const NO_ARP: u32 = 1 << 7;
/// `IFA_F_DADFAILED`, `IFA_F_DEPRECATED`, `IFA_F_TENTATIVE`, `IFA_F_OPTIMISTIC`
const DUPLICATE: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;
const OPTIMISTIC: u32 = 0x04;

pub(super) const fn address_request(family: u8) -> [u8; ADDRESS_HEADER] {
    [family, 0, 0, 0, 0, 0, 0, 0]
}

pub(super) fn interface(message: &Message<'_>) -> Option<Interface> {
    if message.kind != kind::NEW_LINK {
        return None;
    }
    let (header, attributes) = split::<LINK_HEADER>(message.payload)?;
    let flags = word(header, 8);
    let mut interface = Interface {
        index: word(header, 4),
        name: String::new(),
        kind: kind_of(u16::from_ne_bytes([header[2], header[3]])),
        link_address: None,
        mtu: 0,
        resolves_neighbours: flags & NO_ARP == 0,
        is_up: flags & UP != 0 && flags & LOWER_UP != 0,
        addresses: Vec::new(),
    };
    for attribute in attributes {
        match attribute.kind {
            NAME => interface.name = attribute.lossy_text().into_owned(),
            MTU => interface.mtu = attribute.u32()?,
            LINK_ADDRESS => interface.link_address = attribute.payload.try_into().ok(),
            _ => {}
        }
    }
    if interface.kind != InterfaceKind::Ethernet {
        // Loopback's is six zeros, tunnels give an IP address.
        interface.link_address = None;
    }
    Some(interface)
}

/// `linux/if_arp.h`
const fn kind_of(hardware_type: u16) -> InterfaceKind {
    match hardware_type {
        1 => InterfaceKind::Ethernet,
        772 => InterfaceKind::Loopback,
        // PPP, raw IP, IP in IP, IP in IPv6, IPv6 in IP, GRE over IP and IPv6, none.
        512 | 519 | 768 | 769 | 776 | 778 | 823 | 0xfffe => InterfaceKind::LinkLess,
        other => InterfaceKind::Other(other),
    }
}

/// The index of the interface, and the address.
pub(super) fn address(message: &Message<'_>) -> Option<(u32, InterfaceAddress)> {
    if message.kind != kind::NEW_ADDRESS {
        return None;
    }
    let (header, attributes) = split::<ADDRESS_HEADER>(message.payload)?;
    let (mut peer, mut local) = (None, None);
    let mut flags = u32::from(header[2]);
    for attribute in attributes {
        match attribute.kind {
            // On a point-to-point link the other end's; elsewhere, and over IPv6, our own.
            ADDRESS => peer = attribute.ip(),
            LOCAL => local = attribute.ip(),
            FLAGS => flags = attribute.u32()?,
            _ => {}
        }
    }
    let address = InterfaceAddress {
        address: local.or(peer)?,
        prefix_length: header[1],
        is_deprecated: flags & DEPRECATED != 0,
        is_tentative: flags & (TENTATIVE | DUPLICATE) != 0 && flags & OPTIMISTIC == 0,
    };
    Some((word(header, 4), address))
}
