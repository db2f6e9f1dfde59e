//! Link-level addresses, as `AF_PACKET` sockets give and take them (packet(7)).

use std::fmt;

/// Where a packet goes, or came from, at the link: an interface, a protocol, and an address there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkAddress {
    /// The interface's index.
    pub interface: u32,
    /// The Ethernet type, in host order: 0x0800 for IPv4, 0x86dd for IPv6, 0x0806 for ARP.
    pub protocol: u16,
    address: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl LinkAddress {
    /// The longest link address a packet socket carries.
    pub const MAX_LENGTH: usize = 8;
    /// The Ethernet type of IPv4.
    pub const IPV4: u16 = libc::ETH_P_IP as u16;
    /// The Ethernet type of IPv6.
    pub const IPV6: u16 = libc::ETH_P_IPV6 as u16;
    /// The Ethernet type of ARP.
    pub const ARP: u16 = libc::ETH_P_ARP as u16;
    /// Every protocol: to bind to, never that of a packet.
    pub const ALL: u16 = libc::ETH_P_ALL as u16;

    /// The address `address` on an interface; empty where the link has none, such as a TUN device.
    ///
    /// `None` where it is longer than [`Self::MAX_LENGTH`].
    pub fn new(interface: u32, protocol: u16, address: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LENGTH];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self { interface, protocol, address: bytes, length: address.len() as u8 })
    }

    /// The link address: six bytes on Ethernet, none where the link has no addresses.
    pub fn address(&self) -> &[u8] {
        &self.address[..usize::from(self.length)]
    }
}

/// `02:00:00:00:00:01 on interface 3 (0x0800)`.
impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.address().iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        let space = if self.address().is_empty() { "" } else { " " };
        write!(f, "{space}on interface {} ({:#06x})", self.interface, self.protocol)
    }
}

/// Where a received packet came from, and what the kernel made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkSource {
    /// The interface it passed, its protocol, and the sender's link address.
    pub address: LinkAddress,
    /// To whom it was sent.
    pub packet_type: PacketType,
    /// The kind of the interface: an `ARPHRD_*` value of `linux/if_arp.h`, 1 for Ethernet, 772 for
    /// loopback.
    pub hardware_type: u16,
}

/// To whom a packet was sent, as the kernel sees it (packet(7), `sll_pkttype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PacketType {
    /// To this machine.
    Host,
    /// To everybody on the link.
    Broadcast,
    /// To a group on the link.
    Multicast,
    /// To another machine, seen because the interface is promiscuous.
    OtherHost,
    /// From this machine.
    Outgoing,
    /// Another value of the kernel's.
    Other(u8),
}

impl PacketType {
    pub(crate) const fn from_kernel(value: u8) -> Self {
        match value {
            libc::PACKET_HOST => Self::Host,
            libc::PACKET_BROADCAST => Self::Broadcast,
            libc::PACKET_MULTICAST => Self::Multicast,
            libc::PACKET_OTHERHOST => Self::OtherHost,
            libc::PACKET_OUTGOING => Self::Outgoing,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_length() {
        let ethernet = LinkAddress::new(3, LinkAddress::IPV4, &[2, 0, 0, 0, 0, 1]).unwrap();
        assert_eq!(ethernet.address(), [2, 0, 0, 0, 0, 1]);
        assert_eq!(ethernet.to_string(), "02:00:00:00:00:01 on interface 3 (0x0800)");
        let tun = LinkAddress::new(4, LinkAddress::IPV6, &[]).unwrap();
        assert_eq!(tun.to_string(), "on interface 4 (0x86dd)");
        assert_eq!(LinkAddress::new(1, 0, &[0; 9]), None);
    }
}
