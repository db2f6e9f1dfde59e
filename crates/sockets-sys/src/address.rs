//! Socket addresses as the kernel lays them out, written and read byte by byte: no cast, total.

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::link::{LinkAddress, LinkSource, PacketType};
use crate::receive_batch::Source;
use crate::send_batch::Destination;

/// Room for any address of a family that is understood here: IPv4, IPv6, link level.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Name([u8; Name::SIZE]);

impl Name {
    pub(crate) const SIZE: usize = 32;
    pub(crate) const EMPTY: Self = Self([0; Self::SIZE]);

    /// How many bytes a link address takes.
    pub(crate) const LINK_SIZE: usize = mem::size_of::<libc::sockaddr_ll>();

    /// A link address as the kernel lays it out.
    pub(crate) fn from_link(bytes: &[u8; Self::LINK_SIZE]) -> Self {
        let mut name = Self::EMPTY;
        name.0[..Self::LINK_SIZE].copy_from_slice(bytes);
        name
    }

    /// The first `size` bytes.
    pub(crate) fn bytes(&self, size: usize) -> &[u8] {
        &self.0[..size.min(Self::SIZE)]
    }

    fn write<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    /// Writes `destination` and returns how many bytes of it the kernel is to read.
    pub(crate) fn encode(&mut self, destination: &Destination) -> u32 {
        *self = Self::EMPTY;
        let size = match destination {
            Destination::Connected => return 0,
            Destination::Socket(SocketAddr::V4(address)) => {
                self.write(FAMILY, (libc::AF_INET as u16).to_ne_bytes());
                self.write(V4_PORT, address.port().to_be_bytes());
                self.write(V4_ADDRESS, address.ip().octets());
                mem::size_of::<libc::sockaddr_in>()
            }
            Destination::Socket(SocketAddr::V6(address)) => {
                self.write(FAMILY, (libc::AF_INET6 as u16).to_ne_bytes());
                self.write(V6_PORT, address.port().to_be_bytes());
                self.write(V6_FLOW, address.flowinfo().to_ne_bytes());
                self.write(V6_ADDRESS, address.ip().octets());
                self.write(V6_SCOPE, address.scope_id().to_ne_bytes());
                mem::size_of::<libc::sockaddr_in6>()
            }
            Destination::Link(link) => {
                self.write(FAMILY, (libc::AF_PACKET as u16).to_ne_bytes());
                self.write(LINK_PROTOCOL, link.protocol.to_be_bytes());
                self.write(LINK_INTERFACE, link.interface.to_ne_bytes());
                let address = link.address();
                self.0[LINK_LENGTH] = address.len() as u8;
                self.0[LINK_ADDRESS..LINK_ADDRESS + address.len()].copy_from_slice(address);
                mem::size_of::<libc::sockaddr_ll>()
            }
        };
        size as u32
    }

    /// Reads the address the kernel wrote, `size` bytes of it.
    pub(crate) fn decode(&self, size: usize) -> Source {
        let family = i32::from(u16::from_ne_bytes(self.array(FAMILY)));
        match family {
            libc::AF_INET if size >= mem::size_of::<libc::sockaddr_in>() => {
                let ip = Ipv4Addr::from(self.array(V4_ADDRESS));
                let port = u16::from_be_bytes(self.array(V4_PORT));
                Source::Socket(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 if size >= mem::size_of::<libc::sockaddr_in6>() => {
                let ip = Ipv6Addr::from(self.array(V6_ADDRESS));
                let port = u16::from_be_bytes(self.array(V6_PORT));
                let flow = u32::from_ne_bytes(self.array(V6_FLOW));
                let scope = u32::from_ne_bytes(self.array(V6_SCOPE));
                Source::Socket(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            libc::AF_PACKET if size >= LINK_ADDRESS => self.decode_link().map_or(
                // An address longer than the eight bytes there are for it: InfiniBand's.
                Source::Unknown,
                Source::Link,
            ),
            _ => Source::Unknown,
        }
    }

    fn decode_link(&self) -> Option<LinkSource> {
        let length = usize::from(self.0[LINK_LENGTH]);
        let address = self.0.get(LINK_ADDRESS..LINK_ADDRESS + length)?;
        Some(LinkSource {
            address: LinkAddress::new(
                u32::from_ne_bytes(self.array(LINK_INTERFACE)),
                u16::from_be_bytes(self.array(LINK_PROTOCOL)),
                address,
            )?,
            packet_type: PacketType::from_kernel(self.0[LINK_TYPE]),
            hardware_type: u16::from_ne_bytes(self.array(LINK_HARDWARE)),
        })
    }
}

const FAMILY: usize = 0;
const V4_PORT: usize = mem::offset_of!(libc::sockaddr_in, sin_port);
const V4_ADDRESS: usize = mem::offset_of!(libc::sockaddr_in, sin_addr);
const V6_PORT: usize = mem::offset_of!(libc::sockaddr_in6, sin6_port);
const V6_FLOW: usize = mem::offset_of!(libc::sockaddr_in6, sin6_flowinfo);
const V6_ADDRESS: usize = mem::offset_of!(libc::sockaddr_in6, sin6_addr);
const V6_SCOPE: usize = mem::offset_of!(libc::sockaddr_in6, sin6_scope_id);
const LINK_PROTOCOL: usize = mem::offset_of!(libc::sockaddr_ll, sll_protocol);
const LINK_INTERFACE: usize = mem::offset_of!(libc::sockaddr_ll, sll_ifindex);
const LINK_HARDWARE: usize = mem::offset_of!(libc::sockaddr_ll, sll_hatype);
const LINK_TYPE: usize = mem::offset_of!(libc::sockaddr_ll, sll_pkttype);
const LINK_LENGTH: usize = mem::offset_of!(libc::sockaddr_ll, sll_halen);
const LINK_ADDRESS: usize = mem::offset_of!(libc::sockaddr_ll, sll_addr);

#[cfg(test)]
mod tests;
