//! Packets over loopback, seen.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, SystemTime};

use ports_core::{Port, PortRange};
use sockets_raw::wire::{self, Payload, TcpFlags};
use sockets_raw::{
    Filter, FilterProtocol, Interface, LinkType, PacketEnd, PacketType, PcapReader, PcapWriter,
    Sniffer, cooked_header,
};

use socket2::{Domain, SockRef, Socket, Type};

use super::own_network::in_own_network;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a sniffer saw: Ethernet type and bytes.
fn take(sniffer: &mut Sniffer, count: usize) -> Vec<(u16, Vec<u8>)> {
    let mut packets = Vec::new();
    while packets.len() < count {
        let before = packets.len();
        let seen = sniffer.receive(PATIENCE).unwrap();
        packets.extend(seen.map(|packet| (packet.link.address.protocol, packet.bytes.to_vec())));
        assert!(packets.len() > before, "{before} of {count} packets");
    }
    packets
}

/// What is not there now never comes, where all that was sent before has had its effect: loopback may
/// deliver after the sender's call has returned, and out of order what two processors deliver.
fn assert_nothing_more(sniffer: &mut Sniffer) {
    assert_eq!(sniffer.receive(Duration::ZERO).unwrap().count(), 0);
}

fn loopback() -> u32 {
    Interface::by_name("lo").unwrap().index
}

#[test]
#[ignore = "needs root: network namespaces"]
fn datagrams_are_seen_once_and_whole() {
    in_own_network(|| {
        for host in ["127.0.0.1", "::1"] {
            let host: IpAddr = host.parse().unwrap();
            let there = UdpSocket::bind((host, 0)).unwrap();
            let elsewhere = UdpSocket::bind((host, 0)).unwrap();
            let port = there.local_addr().unwrap().port();
            let filter = Filter::builder()
                .protocol(FilterProtocol::Udp)
                .host(PacketEnd::Source, host)
                .ports(PacketEnd::Destination, PortRange::single(Port::new(port)))
                .build()
                .unwrap();
            // More than there can be is as much as there can be.
            let mut sniffer = Sniffer::builder()
                .interface(loopback())
                .filter(filter)
                .snap_length(usize::MAX)
                .open()
                .unwrap();
            let here = UdpSocket::bind((host, 0)).unwrap();
            here.send_to(b"not this", elsewhere.local_addr().unwrap()).unwrap();
            here.send_to(b"this", there.local_addr().unwrap()).unwrap();
            {
                let mut packets = sniffer.receive(PATIENCE).unwrap();
                let packet = packets.next().unwrap();
                assert_eq!(packet.link.address.interface, loopback());
                assert_eq!(packet.link.packet_type, PacketType::Host);
                assert_eq!(packet.length, packet.bytes.len());
                // The system's clock may be set meanwhile; a stamp read wrongly is off by decades.
                let (now, day) = (SystemTime::now(), Duration::from_hours(24));
                assert!(now - day < packet.timestamp && packet.timestamp < now + day);
                let read = wire::parse(packet.bytes).unwrap();
                let Payload::Udp(datagram) = read.payload else { panic!("{read:?}") };
                assert_eq!((datagram.destination_port, datagram.payload), (port, &b"this"[..]));
                assert!(packets.next().is_none());
            }
            assert_nothing_more(&mut sniffer);
            let statistics = sniffer.statistics().unwrap();
            assert_eq!((statistics.received, statistics.dropped), (1, 0));
        }
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_kernel_and_the_interpreter_agree() {
    const LAST: &[u8] = b"the last packet";
    in_own_network(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(listener.local_addr().unwrap().port());
        let single = PortRange::single(port);
        let v6 = "::1".parse().unwrap();
        let filters = [
            Filter::builder().protocol(FilterProtocol::Tcp),
            Filter::builder().protocol(FilterProtocol::Ipv6),
            Filter::builder().ports(PacketEnd::Source, single),
            Filter::builder().ports(PacketEnd::Either, single),
            Filter::builder().host(PacketEnd::Destination, Ipv4Addr::new(127, 0, 0, 2).into()),
            Filter::builder().host(PacketEnd::Either, v6).protocol(FilterProtocol::Icmpv6),
            Filter::builder().protocol(FilterProtocol::Icmp),
        ]
        .map(|filter| filter.build().unwrap());
        let mut all = Sniffer::builder().interface(loopback()).open().unwrap();
        let mut sniffers: Vec<_> = filters
            .iter()
            .map(|filter| Sniffer::builder().filter(filter.clone()).open().unwrap())
            .collect();

        // Each packet is an effect of the one before, so all sniffers see them in one order.
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut served = listener.accept().unwrap().0;
        served.set_read_timeout(Some(PATIENCE)).unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        let error = served.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        for (from, to) in [("127.0.0.1:0", "127.0.0.2:9"), ("[::1]:0", "[::1]:9")] {
            let socket = UdpSocket::bind(from).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.connect(to).unwrap();
            socket.send(b"?").unwrap();
            // Nobody listens: an ICMP error comes back.
            let error = socket.recv(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }

        let last = UdpSocket::bind("127.0.0.1:0").unwrap();
        last.send_to(LAST, last.local_addr().unwrap()).unwrap();

        let mut packets = Vec::new();
        while packets.last().is_none_or(|(_, bytes): &(u16, Vec<u8>)| !bytes.ends_with(LAST)) {
            packets.extend(take(&mut all, 1));
        }
        for (filter, sniffer) in filters.iter().zip(&mut sniffers) {
            let expected: Vec<_> = packets
                .iter()
                .filter(|(ether, bytes)| filter.passes(bytes, *ether))
                .cloned()
                .collect();
            assert!(!expected.is_empty(), "{filter:?}");
            assert_eq!(take(sniffer, expected.len()), expected);
            assert_nothing_more(sniffer);
        }
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_filter_of_a_scan_sees_the_answers() {
    in_own_network(|| {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let bound = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&any.into()).unwrap();
            let address = socket.local_addr().unwrap().as_socket().unwrap();
            (socket, address)
        };
        // It does not listen, and keeps its port from the other one.
        let (_closed, closed) = bound();
        let (socket, address) = bound();
        let port = address.port();
        let filter = Filter::replies(any.ip(), PortRange::single(Port::new(port)));
        let mut sniffer = Sniffer::builder().interface(loopback()).filter(filter).open().unwrap();
        socket.connect(&closed.into()).unwrap_err();
        let packets = take(&mut sniffer, 1);
        let read = wire::parse(&packets[0].1).unwrap();
        let Payload::Tcp(segment) = read.payload else { panic!("{read:?}") };
        assert!(segment.flags.contains(TcpFlags::RST.with(TcpFlags::ACK)));
        assert_eq!((segment.source_port, segment.destination_port), (closed.port(), port));
        assert_nothing_more(&mut sniffer);
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn what_does_not_fit_is_counted() {
    in_own_network(|| {
        const SENT: u64 = 2_000;
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        here.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut sniffer =
            Sniffer::builder().interface(loopback()).receive_buffer(64 * 1024).open().unwrap();
        for _ in 0..SENT {
            here.send_to(&[0; 500], here.local_addr().unwrap()).unwrap();
            // What arrived has passed the sniffer. More at once might not fit the kernel's own queues.
            here.recv(&mut [0; 500]).unwrap();
        }
        let statistics = sniffer.statistics().unwrap();
        assert!(statistics.dropped > 0, "{statistics:?}");
        assert_eq!(statistics.received + statistics.dropped, SENT);
        let kept = usize::try_from(statistics.received).unwrap();
        assert_eq!(take(&mut sniffer, kept).len(), kept);
        assert_nothing_more(&mut sniffer);
        // The counts are of all time, though the kernel forgets what it told.
        assert_eq!(sniffer.statistics().unwrap(), statistics);
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn another_thread_ends_the_wait() {
    in_own_network(|| {
        let mut sniffer = Sniffer::builder().open().unwrap();
        let stop = sniffer.stopper();
        let stopping = thread::spawn(move || stop.stop());
        // For ever, as far as a test is concerned.
        while !sniffer.is_stopped() {
            assert_eq!(sniffer.receive(Duration::MAX).unwrap().count(), 0);
        }
        stopping.join().unwrap();
        assert_eq!(sniffer.receive(Duration::MAX).unwrap().count(), 0);
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_capture_is_read_back() {
    in_own_network(|| {
        let mut sniffer = Sniffer::builder().snap_length(40).open().unwrap();
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        here.send_to(&[7; 100], here.local_addr().unwrap()).unwrap();
        let mut file = Vec::new();
        let mut writer = PcapWriter::new(&mut file, LinkType::LinuxCooked, 60).unwrap();
        let mut seen = None;
        for packet in sniffer.receive(PATIENCE).unwrap() {
            let header = cooked_header(&packet.link);
            let length = header.len() + packet.length;
            writer.write(packet.timestamp, length, &[&header, packet.bytes]).unwrap();
            seen = Some(packet.timestamp);
        }
        let mut reader = PcapReader::new(&file[..]).unwrap();
        assert_eq!(reader.link_type(), LinkType::LinuxCooked);
        let packet = reader.next_packet().unwrap().unwrap();
        assert_eq!((packet.length, packet.bytes.len()), (20 + 128, 20 + 40));
        assert_eq!(Some(packet.timestamp), seen);
        let read = wire::parse(&packet.bytes[20..]).unwrap();
        assert!(read.is_cut_off());
        assert!(reader.next_packet().unwrap().is_none());
    });
}
