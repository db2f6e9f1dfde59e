//! A sniffed packet, as a row.

use std::time::SystemTime;

use sockets_raw::wire::{
    self, ArpOperation, ArpPacket, IcmpErrorKind, Packet, Payload, ether_type,
};
use sockets_raw::{PacketType, SniffedPacket};

use crate::output::PacketRow;

pub(super) fn row<'a>(packet: &SniffedPacket<'_>, interface: &'a str) -> PacketRow<'a> {
    let since = packet.timestamp.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let protocol = packet.link.address.protocol;
    let mut row = PacketRow {
        time_us: since.as_micros() as u64,
        interface,
        direction: match packet.link.packet_type {
            PacketType::Outgoing => "out",
            PacketType::OtherHost => "other",
            _ => "in",
        },
        protocol: format!("{protocol:#06x}"),
        source: None,
        source_port: None,
        destination: None,
        destination_port: None,
        length: packet.length,
        tcp_flags: None,
        detail: None,
    };
    match protocol {
        ether_type::ARP => {
            "arp".clone_into(&mut row.protocol);
            if let Some(arp) = ArpPacket::parse(packet.bytes) {
                row.source = Some(arp.sender.into());
                row.destination = Some(arp.target.into());
                row.detail = Some(arp_detail(&arp));
            }
        }
        ether_type::IPV4 | ether_type::IPV6 => {
            if let Some(read) = wire::parse(packet.bytes) {
                ip_row(&mut row, &read);
            }
        }
        _ => {}
    }
    row
}

fn ip_row(row: &mut PacketRow<'_>, packet: &Packet<'_>) {
    row.protocol = match packet.protocol() {
        wire::protocol::TCP => "tcp".to_owned(),
        wire::protocol::UDP => "udp".to_owned(),
        wire::protocol::ICMP => "icmp".to_owned(),
        wire::protocol::ICMPV6 => "icmp6".to_owned(),
        number => format!("ip-{number}"),
    };
    row.source = Some(packet.source());
    row.destination = Some(packet.destination());
    (row.source_port, row.destination_port) = packet.ports().unzip();
    row.detail = match packet.payload {
        Payload::Tcp(segment) => {
            row.tcp_flags = Some(segment.flags.to_string());
            None
        }
        Payload::EchoRequest(echo) => {
            Some(format!("echo request {} {}", echo.identifier, echo.sequence))
        }
        Payload::EchoReply(echo) => {
            Some(format!("echo reply {} {}", echo.identifier, echo.sequence))
        }
        Payload::IcmpError(error) => {
            let about = error.quoted.map(|quoted| format!(" for {}", quoted.addresses));
            Some(format!("{}{}", error_name(error.kind), about.unwrap_or_default()))
        }
        Payload::NeighbourSolicitation(asked) => Some(format!("who has {}", asked.target)),
        Payload::NeighbourAdvertisement(told) => Some(match told.link_address {
            Some(link) => format!("{} is at {}", told.target, link_address(link)),
            None => format!("{} is there", told.target),
        }),
        Payload::Fragment(_) => Some("later fragment".to_owned()),
        Payload::Broken(_) => Some("header cut off or broken".to_owned()),
        _ => None,
    };
}

fn arp_detail(arp: &ArpPacket) -> String {
    match arp.operation {
        ArpOperation::Request => format!("who has {}", arp.target),
        ArpOperation::Reply => format!("{} is at {}", arp.sender, link_address(arp.sender_link)),
        ArpOperation::Other(number) => format!("operation {number}"),
        _ => String::new(),
    }
}

fn link_address(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

const fn error_name(kind: IcmpErrorKind) -> &'static str {
    match kind {
        IcmpErrorKind::NetworkUnreachable => "network unreachable",
        IcmpErrorKind::HostUnreachable => "host unreachable",
        IcmpErrorKind::ProtocolUnreachable => "protocol unreachable",
        IcmpErrorKind::PortUnreachable => "port unreachable",
        IcmpErrorKind::AdministrativelyProhibited => "administratively prohibited",
        IcmpErrorKind::PacketTooBig { .. } => "packet too big",
        IcmpErrorKind::TimeExceeded => "time exceeded",
        IcmpErrorKind::ParameterProblem => "parameter problem",
        IcmpErrorKind::SourceQuench => "source quench",
        IcmpErrorKind::Redirect => "redirect",
        _ => "error",
    }
}
