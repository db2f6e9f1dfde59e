//! The bytes of an answer.

use std::net::IpAddr;

use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::icmpv6::DestUnreachableCode;
use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader,
    TcpOptionElement,
};

use crate::query::Segment;

/// RFC 1812 section 4.3.2.3: an ICMP error over IPv4 has at most 576 bytes, headers included.
const MOST_QUOTED_V4: usize = 576 - 20 - 8;
/// RFC 4443 section 2.4 (c): over IPv6 the minimum MTU.
const MOST_QUOTED_V6: usize = 1280 - 40 - 8;
/// What a host on Ethernet says it can take in one segment (RFC 9293 section 3.7.1).
const MSS_V4: u16 = 1460;
const MSS_V6: u16 = 1440;
const WINDOW: u16 = 64_240;

/// Who sends the answer to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
}

/// What "unreachable" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Host,
    Port,
    Prohibited,
}

/// An answer before it is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    Tcp(Segment),
    Udp { source_port: u16, destination_port: u16, payload: &'a [u8] },
    EchoReply { identifier: u16, sequence: u16, payload: &'a [u8] },
    Unreachable { what: Unreachable, quoted: &'a [u8] },
}

impl Answer<'_> {
    /// Writes the packet into `buffer`, instead of what was there. False where it is too large for
    /// one packet, or its addresses are of two families: then there is none.
    #[must_use]
    pub(crate) fn write(&self, header: &Header, buffer: &mut Vec<u8>) -> bool {
        buffer.clear();
        let Some(ip) = header.builder() else { return false };
        match *self {
            Self::Tcp(ref segment) => ip
                .tcp_header(tcp_header(segment, header.source.is_ipv6()))
                .write_to_vec(buffer, &[])
                .is_ok(),
            Self::Udp { source_port, destination_port, payload } => {
                ip.udp(source_port, destination_port).write_to_vec(buffer, payload).is_ok()
            }
            Self::EchoReply { identifier: id, sequence: seq, payload } => {
                let echo = IcmpEchoHeader { id, seq };
                if header.source.is_ipv4() {
                    ip.icmpv4(Icmpv4Type::EchoReply(echo)).write_to_vec(buffer, payload).is_ok()
                } else {
                    ip.icmpv6(Icmpv6Type::EchoReply(echo)).write_to_vec(buffer, payload).is_ok()
                }
            }
            Self::Unreachable { what, quoted } if header.source.is_ipv4() => ip
                .icmpv4(Icmpv4Type::DestinationUnreachable(what.v4()))
                .write_to_vec(buffer, first(quoted, MOST_QUOTED_V4))
                .is_ok(),
            Self::Unreachable { what, quoted } => ip
                .icmpv6(Icmpv6Type::DestinationUnreachable(what.v6()))
                .write_to_vec(buffer, first(quoted, MOST_QUOTED_V6))
                .is_ok(),
        }
    }
}

impl Header {
    fn builder(&self) -> Option<PacketBuilderStep<IpHeaders>> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Some(PacketBuilder::ipv4(source.octets(), destination.octets(), self.ttl))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Some(PacketBuilder::ipv6(source.octets(), destination.octets(), self.ttl))
            }
            _ => None,
        }
    }
}

impl Unreachable {
    const fn v4(self) -> DestUnreachableHeader {
        match self {
            Self::Host => DestUnreachableHeader::Host,
            Self::Port => DestUnreachableHeader::Port,
            Self::Prohibited => DestUnreachableHeader::FilterProhibited,
        }
    }

    const fn v6(self) -> DestUnreachableCode {
        match self {
            Self::Host => DestUnreachableCode::Address,
            Self::Port => DestUnreachableCode::Port,
            Self::Prohibited => DestUnreachableCode::Prohibited,
        }
    }
}

fn tcp_header(segment: &Segment, v6: bool) -> TcpHeader {
    let mut header =
        TcpHeader::new(segment.source_port, segment.destination_port, segment.sequence, WINDOW);
    header.acknowledgment_number = segment.acknowledgment;
    header.syn = segment.flags.syn;
    header.ack = segment.flags.ack;
    header.rst = segment.flags.rst;
    header.fin = segment.flags.fin;
    if segment.flags.rst {
        header.window_size = 0;
    }
    if segment.flags.syn {
        let mss = if v6 { MSS_V6 } else { MSS_V4 };
        // One option of four bytes always fits into forty; a header without it would be valid too.
        let _ = header.set_options(&[TcpOptionElement::MaximumSegmentSize(mss)]);
    }
    header
}

fn first(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}
