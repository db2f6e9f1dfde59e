//! Asking a neighbour for its link address (RFC 826, RFC 4861 section 7.2.2), and hearing it.

use std::net::IpAddr;

use sockets_raw::wire::{
    ArpOperation, ArpPacket, Packet, Payload, link_address_of_multicast, solicited_node_address,
    write_arp_request, write_neighbour_solicitation,
};

use super::neighbours::EthernetAddress;

const BROADCAST: EthernetAddress = [0xff; 6];
/// What has passed a router is not from the link (RFC 4861 section 7.1.2).
const UNROUTED: u8 = 255;

/// Writes the question who has `target`, and returns the link address that it goes to; `None` where
/// the addresses are of two families.
pub(super) fn write(
    packet: &mut Vec<u8>,
    own: EthernetAddress,
    source: IpAddr,
    target: IpAddr,
) -> Option<EthernetAddress> {
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            write_arp_request(packet, own, source, target);
            Some(BROADCAST)
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            write_neighbour_solicitation(packet, own, source, target);
            Some(link_address_of_multicast(solicited_node_address(target)))
        }
        _ => None,
    }
}

/// Who an ARP packet says that its sender is: a question says so, too, and is how a host tells that its
/// address on the link has changed (RFC 5227 section 3).
pub(super) fn heard_by_arp(bytes: &[u8]) -> Option<(IpAddr, EthernetAddress)> {
    let arp = ArpPacket::parse(bytes)?;
    let speaks = matches!(arp.operation, ArpOperation::Reply | ArpOperation::Request);
    // Whether an address is free is asked from none (RFC 5227 section 2.1.1).
    let valid = speaks && is_unicast(arp.sender_link) && !arp.sender.is_unspecified();
    valid.then_some((arp.sender.into(), arp.sender_link))
}

/// Who a neighbour advertisement says has an address, or a solicitation says that its sender is (RFC
/// 4861 section 7.2.3).
pub(super) fn heard_by_ipv6(packet: &Packet<'_>) -> Option<(IpAddr, EthernetAddress)> {
    let (address, link) = match packet.payload {
        Payload::NeighbourAdvertisement(said) => (said.target.into(), said.link_address?),
        Payload::NeighbourSolicitation(asked) => (packet.source(), asked.link_address?),
        _ => return None,
    };
    let valid = is_unicast(link) && !address.is_unspecified() && packet.hop_limit() == UNROUTED;
    valid.then_some((address, link))
}

/// The group bit is off (IEEE 802), and there is an address.
fn is_unicast(link: EthernetAddress) -> bool {
    link[0] & 1 == 0 && link != [0; 6]
}

#[cfg(test)]
mod tests {
    use sockets_raw::wire::parse;

    use super::*;

    const OWN: EthernetAddress = [2, 0, 0, 0, 0, 1];

    #[test]
    fn a_question_over_either_family_reads_as_one() {
        let (v4, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut packet = Vec::new();
        assert_eq!(write(&mut packet, OWN, v4, other), Some(BROADCAST));
        let arp = ArpPacket::parse(&packet).unwrap();
        assert_eq!((arp.operation, IpAddr::from(arp.target)), (ArpOperation::Request, other));
        assert_eq!(heard_by_arp(&packet), Some((v4, OWN)), "who asks says who it is");
        write(&mut packet, OWN, IpAddr::from([0; 4]), other);
        assert_eq!(heard_by_arp(&packet), None, "from no address");

        let (v6, other): (IpAddr, IpAddr) =
            ("fe80::1".parse().unwrap(), "2001:db8::a1b2:c3d4".parse().unwrap());
        let group = [0x33, 0x33, 0xff, 0xb2, 0xc3, 0xd4];
        assert_eq!(write(&mut packet, OWN, v6, other), Some(group));
        let solicitation = parse(&packet).unwrap();
        assert!(
            matches!(solicitation.payload, Payload::NeighbourSolicitation(s) if s.target == other)
        );
        assert_eq!(heard_by_ipv6(&solicitation), Some((v6, OWN)));
        assert_eq!(write(&mut packet, OWN, v4, other), None);
    }

    #[test]
    fn an_arp_answer_names_its_sender() {
        let (asker, asked) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut packet = Vec::new();
        write(&mut packet, [2, 0, 0, 0, 0, 9], asked, asker);
        packet[7] = 2;
        assert_eq!(heard_by_arp(&packet), Some((asked, [2, 0, 0, 0, 0, 9])));
        packet[8] = 0xff;
        assert_eq!(heard_by_arp(&packet), None, "nobody is a group");
    }
}
