//! TCP SYN packets from a template: a probe is a copy, four fields and two folds.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::ip::{IPV4_HEADER, IPV6_HEADER};
use super::{AddressPair, DEFAULT_HOP_LIMIT, TcpFlags, ip, protocol};

/// The header, and the option that names the maximum segment size.
const TCP_LENGTH: usize = 24;
const IPV4_LENGTH: usize = IPV4_HEADER + TCP_LENGTH;
const IPV6_LENGTH: usize = IPV6_HEADER + TCP_LENGTH;

/// Makes TCP SYN packets, IPv4 and IPv6, from the network header on.
///
/// What does not change is written, and summed, once. A SYN carries one option, the maximum segment
/// size, and may not be fragmented.
///
/// ```
/// use std::net::Ipv4Addr;
/// use sockets_raw::wire::{AddressPair, Payload, TcpFlags, TcpSynTemplate, parse};
///
/// let mut template = TcpSynTemplate::builder().hop_limit(32).build();
/// let addresses = AddressPair::V4 {
///     source: Ipv4Addr::new(192, 0, 2, 1),
///     destination: Ipv4Addr::new(192, 0, 2, 2),
/// };
/// let packet = parse(template.fill(addresses, 40_000, 443, 7)).unwrap();
/// let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
/// assert_eq!((segment.destination_port, segment.sequence), (443, 7));
/// assert_eq!(segment.flags, TcpFlags::SYN);
/// assert_eq!(packet.checksum_is_valid(), Some(true));
/// ```
#[derive(Clone, Debug)]
pub struct TcpSynTemplate {
    ipv4: [u8; IPV4_LENGTH],
    ipv6: [u8; IPV6_LENGTH],
    /// Over the IPv4 header without its addresses.
    ipv4_header_sum: Sum,
    /// Over the segment without ports and sequence, and the constant part of the pseudo-header.
    ipv4_segment_sum: Sum,
    ipv6_segment_sum: Sum,
}

/// Settings of a [`TcpSynTemplate`].
#[derive(Clone, Copy, Debug)]
pub struct TcpSynTemplateBuilder {
    hop_limit: u8,
    window: u16,
    maximum_segment_size: Option<u16>,
}

impl TcpSynTemplateBuilder {
    /// The receive window unless told otherwise, in bytes: what a Linux client offers.
    pub const DEFAULT_WINDOW: u16 = 64_240;
    /// The maximum segment size unless told otherwise, in bytes: Ethernet's over IPv4.
    pub const DEFAULT_SEGMENT_SIZE_IPV4: u16 = 1460;
    /// The maximum segment size unless told otherwise, in bytes: Ethernet's over IPv6.
    pub const DEFAULT_SEGMENT_SIZE_IPV6: u16 = 1440;

    /// The hop limit (IPv4: time to live); unless told otherwise
    /// [`DEFAULT_HOP_LIMIT`](super::DEFAULT_HOP_LIMIT).
    #[must_use]
    pub const fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// The receive window in bytes, unscaled.
    #[must_use]
    pub const fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// The maximum segment size in bytes, over both versions.
    #[must_use]
    pub const fn maximum_segment_size(mut self, size: u16) -> Self {
        self.maximum_segment_size = Some(size);
        self
    }

    /// The template.
    pub fn build(self) -> TcpSynTemplate {
        let mss = self.maximum_segment_size;
        let v4 = self.segment(mss.unwrap_or(Self::DEFAULT_SEGMENT_SIZE_IPV4));
        let v6 = self.segment(mss.unwrap_or(Self::DEFAULT_SEGMENT_SIZE_IPV6));
        let nowhere = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
        let (number, ttl) = (protocol::TCP, self.hop_limit);
        let mut ipv4_header = ip::ipv4(nowhere.0, nowhere.0, number, ttl, IPV4_LENGTH as u16);
        ipv4_header[10..12].fill(0);
        let ipv6_header = ip::ipv6(nowhere.1, nowhere.1, number, ttl, TCP_LENGTH as u16);
        let pseudo_header = Sum::default().number(u64::from(number)).number(TCP_LENGTH as u64);
        let mut template = TcpSynTemplate {
            ipv4: [0; IPV4_LENGTH],
            ipv6: [0; IPV6_LENGTH],
            ipv4_header_sum: Sum::default().bytes(&ipv4_header),
            ipv4_segment_sum: pseudo_header.bytes(&v4),
            ipv6_segment_sum: pseudo_header.bytes(&v6),
        };
        template.ipv4[..IPV4_HEADER].copy_from_slice(&ipv4_header);
        template.ipv4[IPV4_HEADER..].copy_from_slice(&v4);
        template.ipv6[..IPV6_HEADER].copy_from_slice(&ipv6_header);
        template.ipv6[IPV6_HEADER..].copy_from_slice(&v6);
        template
    }

    /// The segment without ports, sequence and checksum.
    fn segment(self, maximum_segment_size: u16) -> [u8; TCP_LENGTH] {
        let mut segment = [0; TCP_LENGTH];
        segment[12] = (TCP_LENGTH as u8 / 4) << 4;
        segment[13] = TcpFlags::SYN.0;
        segment[14..16].copy_from_slice(&self.window.to_be_bytes());
        // RFC 9293 section 3.2: kind 2, length 4.
        segment[20..22].copy_from_slice(&[2, 4]);
        segment[22..24].copy_from_slice(&maximum_segment_size.to_be_bytes());
        segment
    }
}

impl Default for TcpSynTemplateBuilder {
    fn default() -> Self {
        Self {
            hop_limit: DEFAULT_HOP_LIMIT,
            window: Self::DEFAULT_WINDOW,
            maximum_segment_size: None,
        }
    }
}

impl TcpSynTemplate {
    /// The longest packet it makes, in bytes.
    pub const MAX_LENGTH: usize = IPV6_LENGTH;

    /// Settings with their defaults.
    pub fn builder() -> TcpSynTemplateBuilder {
        TcpSynTemplateBuilder::default()
    }

    /// The SYN from the source's port to the destination's port, both checksums in place. It is
    /// valid until the next one is made.
    pub fn fill(
        &mut self,
        addresses: AddressPair,
        source_port: u16,
        destination_port: u16,
        sequence: u32,
    ) -> &[u8] {
        let changing = addresses
            .sum()
            .number(u64::from(source_port))
            .number(u64::from(destination_port))
            .number(u64::from(sequence));
        let (packet, segment, sum) = match addresses {
            AddressPair::V4 { source, destination } => {
                let sum = self.ipv4_header_sum.plus(addresses.sum());
                self.ipv4[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
                self.ipv4[12..16].copy_from_slice(&source.octets());
                self.ipv4[16..20].copy_from_slice(&destination.octets());
                (&mut self.ipv4[..], IPV4_HEADER, self.ipv4_segment_sum)
            }
            AddressPair::V6 { source, destination } => {
                self.ipv6[8..24].copy_from_slice(&source.octets());
                self.ipv6[24..40].copy_from_slice(&destination.octets());
                (&mut self.ipv6[..], IPV6_HEADER, self.ipv6_segment_sum)
            }
        };
        let checksum = sum.plus(changing).checksum();
        packet[segment..segment + 2].copy_from_slice(&source_port.to_be_bytes());
        packet[segment + 2..segment + 4].copy_from_slice(&destination_port.to_be_bytes());
        packet[segment + 4..segment + 8].copy_from_slice(&sequence.to_be_bytes());
        packet[segment + 16..segment + 18].copy_from_slice(&checksum.to_be_bytes());
        packet
    }
}

impl Default for TcpSynTemplate {
    fn default() -> Self {
        Self::builder().build()
    }
}
