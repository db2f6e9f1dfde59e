//! What a packet from the scanner asks: a total parser, checksums verified as a host would.

use std::net::IpAddr;

use etherparse::{IpNumber, IpSlice, TcpSlice, UdpSlice};

/// A packet that a host understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) question: Question<'a>,
    /// The whole packet, for an ICMP error to quote.
    pub(crate) packet: &'a [u8],
}

/// The part above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    Tcp(Segment),
    Udp {
        source_port: u16,
        destination_port: u16,
        payload: &'a [u8],
    },
    Echo {
        identifier: u16,
        sequence: u16,
        payload: &'a [u8],
    },
    /// ICMP that asks nothing: an error, a router solicitation.
    Statement,
}

/// A TCP segment, as far as a stateless host looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) flags: Flags,
    /// Bytes of payload.
    pub(crate) length: u32,
}

/// The control bits that matter here (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the header's bits")]
pub(crate) struct Flags {
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) rst: bool,
    pub(crate) fin: bool,
}

/// Why a packet is not understood; a host drops it without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Cut short, inconsistent, a fragment, or a protocol that is not simulated.
    Unreadable,
    /// A checksum is wrong.
    Checksum,
}

impl<'a> Query<'a> {
    /// Reads a packet that begins at its IP header.
    pub(crate) fn parse(packet: &'a [u8]) -> Result<Self, Refusal> {
        let ip = IpSlice::from_slice(packet).map_err(|_| Refusal::Unreadable)?;
        if let IpSlice::Ipv4(ip) = &ip
            && sum(0, ip.header().slice()) != u16::MAX
        {
            return Err(Refusal::Checksum);
        }
        if ip.is_fragmenting_payload() {
            return Err(Refusal::Unreadable);
        }
        let (source, destination) = (ip.source_addr(), ip.destination_addr());
        let payload = ip.payload().payload;
        let number = ip.payload_ip_number();
        let question = match (number, source) {
            (IpNumber::TCP, _) => TcpSlice::from_slice(payload).ok().map(|tcp| tcp_question(&tcp)),
            (IpNumber::UDP, _) => UdpSlice::from_slice(payload).ok().map(|udp| udp_question(&udp)),
            (IpNumber::ICMP, IpAddr::V4(_)) => icmp_question(payload, ECHO_REQUEST_V4),
            (IpNumber::IPV6_ICMP, IpAddr::V6(_)) => icmp_question(payload, ECHO_REQUEST_V6),
            _ => None,
        };
        let question = question.ok_or(Refusal::Unreadable)?;
        // A UDP checksum of zero over IPv4 says that there is none (RFC 768).
        let none =
            number == IpNumber::UDP && source.is_ipv4() && payload.get(6..8) == Some(&[0, 0]);
        if !none && transport_sum(source, destination, number, payload) != u16::MAX {
            return Err(Refusal::Checksum);
        }
        Ok(Self { source, destination, question, packet })
    }
}

fn tcp_question<'a>(tcp: &TcpSlice<'a>) -> Question<'a> {
    Question::Tcp(Segment {
        source_port: tcp.source_port(),
        destination_port: tcp.destination_port(),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.acknowledgment_number(),
        flags: Flags { syn: tcp.syn(), ack: tcp.ack(), rst: tcp.rst(), fin: tcp.fin() },
        length: tcp.payload().len() as u32,
    })
}

fn udp_question<'a>(udp: &UdpSlice<'a>) -> Question<'a> {
    Question::Udp {
        source_port: udp.source_port(),
        destination_port: udp.destination_port(),
        payload: udp.payload(),
    }
}

/// RFC 792 and RFC 4443 section 4.1.
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;

/// An echo request has the same layout in both families.
fn icmp_question(message: &[u8], echo_request: u8) -> Option<Question<'_>> {
    let (&[kind, code, _, _, i0, i1, s0, s1], payload) = message.split_first_chunk::<8>()?;
    Some(if kind == echo_request && code == 0 {
        let (identifier, sequence) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1]));
        Question::Echo { identifier, sequence, payload }
    } else {
        Question::Statement
    })
}

/// The sum over pseudo header and payload: all ones where the checksum is right (RFC 1071; RFC 8200
/// section 8.1). ICMP of IPv4 alone has no pseudo header.
fn transport_sum(source: IpAddr, destination: IpAddr, number: IpNumber, payload: &[u8]) -> u16 {
    let addresses = match (source, destination) {
        _ if number == IpNumber::ICMP => return sum(0, payload),
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            add(add(0, &source.octets()), &destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            add(add(0, &source.octets()), &destination.octets())
        }
        // No packet has addresses of two families.
        _ => return 0,
    };
    sum(addresses + payload.len() as u64 + u64::from(number.0), payload)
}

fn sum(start: u64, bytes: &[u8]) -> u16 {
    let mut sum = add(start, bytes);
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Adds 16-bit words; 2^48 of them fit before it could overflow.
fn add(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let whole: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    let odd = rest.first().map_or(0, |last| u64::from(*last) << 8);
    start + whole + odd
}

#[cfg(test)]
mod tests;
