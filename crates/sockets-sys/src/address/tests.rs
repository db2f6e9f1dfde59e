//! Addresses written and read back, and addresses the kernel never wrote.

use proptest::prelude::*;

use super::*;

fn read_back(destination: Destination) -> Source {
    let mut name = Name::EMPTY;
    let size = name.encode(&destination);
    name.decode(size as usize)
}

#[test]
fn addresses_read_back() {
    let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 5, 3);
    for address in
        ["127.0.0.1:80".parse().unwrap(), "[::1]:65535".parse().unwrap(), SocketAddr::V6(scoped)]
    {
        assert_eq!(read_back(Destination::Socket(address)), Source::Socket(address));
    }
    for bytes in [&[][..], &[2, 0, 0, 0, 0, 1], &[1; 8]] {
        let address = LinkAddress::new(7, LinkAddress::ARP, bytes).unwrap();
        let source = LinkSource { address, packet_type: PacketType::Host, hardware_type: 0 };
        assert_eq!(read_back(Destination::Link(address)), Source::Link(source));
    }
    assert_eq!(read_back(Destination::Connected), Source::Unknown);
}

#[test]
fn a_shorter_address_leaves_nothing_of_the_longer() {
    let mut name = Name::EMPTY;
    name.encode(&Destination::Socket("[ffff::ffff]:65535".parse().unwrap()));
    name.encode(&Destination::Socket("127.0.0.1:1".parse().unwrap()));
    assert!(name.0[16..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_layout_is_the_one_libc_has() {
    let address: SocketAddr = "[2001:db8::1]:443".parse().unwrap();
    let theirs = socket2::SockAddr::from(address);
    let mut ours = Name::EMPTY;
    let size = ours.encode(&Destination::Socket(address));
    assert_eq!(size, theirs.len());
    let theirs = theirs.as_socket_ipv6().unwrap();
    assert_eq!(ours.decode(size as usize), Source::Socket(theirs.into()));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes: [u8; Name::SIZE], size in 0_usize..200) {
        let _ = Name(bytes).decode(size);
        // The families that are understood, with anything behind them.
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_PACKET] {
            let mut name = Name(bytes);
            name.write(FAMILY, (family as u16).to_ne_bytes());
            let _ = name.decode(size);
        }
    }
}
