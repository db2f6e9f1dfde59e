//! Who has an address: ARP and neighbour discovery.

use super::*;

#[test]
fn who_has_an_address() {
    let mut packet = Vec::new();
    let link = [2, 0, 0, 0, 0, 1];
    let (sender, target) = (Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 2));
    write_arp_request(&mut packet, link, sender, target);
    let expected = ArpPacket {
        operation: ArpOperation::Request,
        sender_link: link,
        sender,
        target_link: [0; 6],
        target,
    };
    assert_eq!(ArpPacket::parse(&packet), Some(expected));
    let read = etherparse::ArpPacketSlice::from_slice(&packet).unwrap().to_packet();
    let theirs = etherparse::ArpEthIpv4Packet::try_from(read).unwrap();
    assert_eq!((theirs.sender_ipv4, theirs.target_ipv4), (sender.octets(), target.octets()));
    packet[7] = 2;
    assert_eq!(ArpPacket::parse(&packet).unwrap().operation, ArpOperation::Reply);
    assert!(parse(&packet).is_none());
    assert_eq!(ArpPacket::parse(&packet[..27]), None);
}

#[test]
fn who_has_an_ipv6_address() {
    let (sender, target): (Ipv6Addr, Ipv6Addr) =
        ("fe80::1".parse().unwrap(), "fe80::12:3456".parse().unwrap());
    let link = [2, 0, 0, 0, 0, 1];
    let mut packet = Vec::new();
    write_neighbour_solicitation(&mut packet, link, sender, target);
    assert_checksums(&packet);
    let read = parse(&packet).unwrap();
    let group: Ipv6Addr = "ff02::1:ff12:3456".parse().unwrap();
    assert_eq!((read.destination(), read.hop_limit()), (group.into(), 255));
    assert_eq!(link_address_of_multicast(group), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    assert_eq!(
        read.payload,
        Payload::NeighbourSolicitation(NeighbourSolicitation { target, link_address: Some(link) })
    );

    let mut message = vec![136, 0, 0, 0, 0xe0, 0, 0, 0];
    message.extend(target.octets());
    // An option that is not asked for, then the one that is.
    message.extend([14, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 9]);
    let mut packet = Vec::new();
    let back = AddressPair::V6 { source: target, destination: sender };
    ip::write(&mut packet, back, protocol::ICMPV6, 255, message.len()).unwrap();
    packet.extend(&message);
    let advertisement = NeighbourAdvertisement {
        target,
        link_address: Some([2, 0, 0, 0, 0, 9]),
        is_router: true,
        is_solicited: true,
        overrides: true,
    };
    let read = parse(&packet).unwrap();
    assert_eq!(read.payload, Payload::NeighbourAdvertisement(advertisement));
    // An option of no length would never end.
    packet[65] = 0;
    let Payload::NeighbourAdvertisement(read) = parse(&packet).unwrap().payload else { panic!() };
    assert_eq!(read.link_address, None);
}
