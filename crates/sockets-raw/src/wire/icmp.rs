//! ICMP and `ICMPv6` messages, read: echo, and errors with the packet they quote.

use super::field::{array, u16_at, u32_at};
use super::packet::Payload;
use super::{AddressPair, ip, neighbour_discovery, protocol};

const ECHO_REPLY: u8 = 0;
pub(super) const ECHO_REQUEST: u8 = 8;
pub(super) const V6_ECHO_REQUEST: u8 = 128;
const V6_ECHO_REPLY: u8 = 129;
/// Every error message, of both versions, quotes from here on.
const QUOTE: usize = 8;

/// An echo request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoMessage<'a> {
    /// Tells the conversations of a host apart.
    pub identifier: u16,
    /// Tells the requests of a conversation apart.
    pub sequence: u16,
    /// What is to come back.
    pub payload: &'a [u8],
}

/// Someone on the way could not deliver a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IcmpError {
    /// What went wrong.
    pub kind: IcmpErrorKind,
    /// The message's type, as on the wire.
    pub message_type: u8,
    /// The message's code, as on the wire.
    pub code: u8,
    /// The packet that could not be delivered, as far as it is quoted and can be read.
    pub quoted: Option<Quoted>,
}

/// What an ICMP error says, over both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IcmpErrorKind {
    /// No route to the network (RFC 792 code 0; 6 and 11; RFC 4443 type 1 code 0).
    NetworkUnreachable,
    /// The host does not answer on its link (RFC 792 code 1; 5, 7, 8 and 12; RFC 4443 type 1 codes 2
    /// and 3).
    HostUnreachable,
    /// The host does not speak the protocol (RFC 792 code 2; RFC 4443 type 4 code 1).
    ProtocolUnreachable,
    /// Nobody listens on the port (RFC 792 code 3; RFC 4443 type 1 code 4).
    PortUnreachable,
    /// A filter says so (RFC 1812 section 5.2.7.1 codes 9, 10 and 13 to 15; RFC 4443 type 1 codes 1,
    /// 5 and 6).
    AdministrativelyProhibited,
    /// The packet is larger than the next link takes (RFC 1191; RFC 4443 type 2).
    PacketTooBig {
        /// The link's maximum, in bytes; 0: not said.
        mtu: u32,
    },
    /// The hop limit, or the time to put fragments together, ran out.
    TimeExceeded,
    /// A header field makes no sense there.
    ParameterProblem,
    /// Slow down (RFC 792; deprecated by RFC 6633).
    SourceQuench,
    /// Another router is nearer (RFC 792).
    Redirect,
    /// A type or code without a name here.
    Other,
}

impl IcmpErrorKind {
    /// What an error of IPv4's ICMP with this type and code says, as the kernel tells them in an
    /// extended error, too (ip(7), `IP_RECVERR`); `None`: no error. The MTU, which is beside them, is
    /// left at 0.
    pub const fn of_icmp(message_type: u8, code: u8) -> Option<Self> {
        Some(match (message_type, code) {
            (3, 0 | 6 | 11) => Self::NetworkUnreachable,
            (3, 1 | 5 | 7 | 8 | 12) => Self::HostUnreachable,
            (3, 2) => Self::ProtocolUnreachable,
            (3, 3) => Self::PortUnreachable,
            (3, 4) => Self::PacketTooBig { mtu: 0 },
            (3, 9 | 10 | 13..=15) => Self::AdministrativelyProhibited,
            (3, _) => Self::Other,
            (4, _) => Self::SourceQuench,
            (5, _) => Self::Redirect,
            (11, _) => Self::TimeExceeded,
            (12, _) => Self::ParameterProblem,
            _ => return None,
        })
    }

    /// As [`of_icmp`](Self::of_icmp), for IPv6's ICMP (`IPV6_RECVERR`).
    pub const fn of_icmpv6(message_type: u8, code: u8) -> Option<Self> {
        Some(match (message_type, code) {
            (1, 0) => Self::NetworkUnreachable,
            (1, 2 | 3) => Self::HostUnreachable,
            (1, 4) => Self::PortUnreachable,
            (1, 1 | 5 | 6) => Self::AdministrativelyProhibited,
            (2, _) => Self::PacketTooBig { mtu: 0 },
            (3, _) => Self::TimeExceeded,
            (4, 1) => Self::ProtocolUnreachable,
            (4, _) => Self::ParameterProblem,
            // Errors have the types below 128 (RFC 4443 section 2.1).
            (1 | 5..=127, _) => Self::Other,
            _ => return None,
        })
    }
}

/// What an ICMP error quotes of the packet that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quoted {
    /// Its addresses: the source is whoever gets the error.
    pub addresses: AddressPair,
    /// Its transport's number.
    pub protocol: u8,
    /// Whom it was meant for there.
    pub transport: QuotedTransport,
}

/// The first eight bytes of a quoted transport header: all that RFC 792 promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuotedTransport {
    /// TCP.
    Tcp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
        /// Its sequence number.
        sequence: u32,
    },
    /// UDP.
    Udp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
    },
    /// An echo request.
    Echo {
        /// Its identifier.
        identifier: u16,
        /// Its sequence number.
        sequence: u16,
    },
    /// Another protocol, a later fragment, or too little quoted.
    Unknown,
}

/// An ICMP message of IPv4; `None` where it is cut off.
pub(crate) fn read_v4(message: &[u8]) -> Option<Payload<'_>> {
    let [message_type, code, ..] = *message.first_chunk::<QUOTE>()?;
    match message_type {
        ECHO_REPLY => return echo(message).map(Payload::EchoReply),
        ECHO_REQUEST => return echo(message).map(Payload::EchoRequest),
        _ => {}
    }
    let kind = match IcmpErrorKind::of_icmp(message_type, code) {
        Some(IcmpErrorKind::PacketTooBig { .. }) => {
            IcmpErrorKind::PacketTooBig { mtu: u32::from(u16_at(message, 6)?) }
        }
        Some(kind) => kind,
        None => return Some(Payload::Other(message)),
    };
    Some(Payload::IcmpError(error(message, kind, message_type, code)))
}

/// An `ICMPv6` message; `None` where it is cut off.
pub(crate) fn read_v6(message: &[u8]) -> Option<Payload<'_>> {
    let [message_type, code, ..] = *message.first_chunk::<QUOTE>()?;
    match message_type {
        V6_ECHO_REPLY => return echo(message).map(Payload::EchoReply),
        V6_ECHO_REQUEST => return echo(message).map(Payload::EchoRequest),
        neighbour_discovery::SOLICITATION => {
            return neighbour_discovery::read_solicitation(message)
                .map(Payload::NeighbourSolicitation);
        }
        neighbour_discovery::ADVERTISEMENT => {
            return neighbour_discovery::read_advertisement(message)
                .map(Payload::NeighbourAdvertisement);
        }
        _ => {}
    }
    let kind = match IcmpErrorKind::of_icmpv6(message_type, code) {
        Some(IcmpErrorKind::PacketTooBig { .. }) => {
            IcmpErrorKind::PacketTooBig { mtu: u32_at(message, 4)? }
        }
        Some(kind) => kind,
        None => return Some(Payload::Other(message)),
    };
    Some(Payload::IcmpError(error(message, kind, message_type, code)))
}

fn echo(message: &[u8]) -> Option<EchoMessage<'_>> {
    Some(EchoMessage {
        identifier: u16_at(message, 4)?,
        sequence: u16_at(message, 6)?,
        payload: message.get(QUOTE..)?,
    })
}

fn error(message: &[u8], kind: IcmpErrorKind, message_type: u8, code: u8) -> IcmpError {
    IcmpError { kind, message_type, code, quoted: message.get(QUOTE..).and_then(quoted) }
}

fn quoted(bytes: &[u8]) -> Option<Quoted> {
    let header = ip::read(bytes)?;
    let first: Option<[u8; 8]> = array(bytes, header.length);
    let transport = match (first, header.protocol) {
        _ if header.fragment_offset > 0 => QuotedTransport::Unknown,
        (Some([a, b, c, d, sequence @ ..]), protocol::TCP) => QuotedTransport::Tcp {
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
            sequence: u32::from_be_bytes(sequence),
        },
        (Some([a, b, c, d, ..]), protocol::UDP) => QuotedTransport::Udp {
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
        },
        (Some([ECHO_REQUEST, _, _, _, a, b, c, d]), protocol::ICMP)
        | (Some([V6_ECHO_REQUEST, _, _, _, a, b, c, d]), protocol::ICMPV6) => {
            QuotedTransport::Echo {
                identifier: u16::from_be_bytes([a, b]),
                sequence: u16::from_be_bytes([c, d]),
            }
        }
        _ => QuotedTransport::Unknown,
    };
    Some(Quoted { addresses: header.addresses, protocol: header.protocol, transport })
}
