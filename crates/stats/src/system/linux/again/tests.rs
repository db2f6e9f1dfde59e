//! Sockets that the test opened itself, cut out of a snapshot as if the dump had left them out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ports_core::PortSet;
use socket2::{Domain, Socket, Type};
use sockets_sys::{NetlinkFlags, NetlinkProtocol, NetlinkRequest, NetlinkSocket};

use super::*;
use crate::system::Source;
use crate::system::linux::{Backend, Family, diag, inet};
use crate::system::lone_listener::lone_listener;
use crate::system::starting::nobody_starts;

/// What the backend makes of a dump that told of no socket of `earlier` at these places.
fn look_without(query: &Query, earlier: &Snapshot, is_left_out: impl Fn(&Row) -> bool) -> Vec<Row> {
    let mut snapshot = earlier.clone();
    snapshot.rows.retain(|row| !is_left_out(row));
    let mut told = Told::default();
    told.keep_one_of_each(&mut snapshot.rows);
    let mut diagnosis = Diagnosis::open().unwrap();
    let before = snapshot.rows.len();
    let found = look(&mut diagnosis, query, earlier, &told, &mut snapshot).unwrap();
    let rows = snapshot.rows.split_off(before);
    assert_eq!(rows.len(), found);
    rows
}

fn snapshot(query: &Query) -> Snapshot {
    Backend::new(Duration::ZERO).snapshot(query, None).unwrap()
}

fn inode(socket: impl AsFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

fn ends(row: &Row) -> (SocketAddr, SocketAddr) {
    (row.local, row.peer)
}

/// A connection from this address, where no other test has one.
fn connect(from: SocketAddr, to: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(from), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket
}

#[test]
fn connections_that_are_there_are_found_one_by_one() {
    let _nobody_starts = nobody_starts();
    for (from, to) in [("127.0.78.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let listener = TcpListener::bind(to).unwrap();
        let client = connect(from.parse().unwrap(), listener.local_addr().unwrap());
        let (server, peer) = listener.accept().unwrap();
        let local = listener.local_addr().unwrap();
        let query = Query::tcp().ports([Port::new(local.port())].into()).details(true);
        let earlier = snapshot(&query);
        let expected = [(local, peer), (peer, local)];
        let is_ours = |row: &Row| expected.contains(&ends(row));
        let mut found = look_without(&query, &earlier, is_ours);
        found.sort_by_key(|row| row.local != local);
        assert_eq!(found.iter().map(ends).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|row| row.details != Row::NONE && row.inode != 0));

        // Those that are gone are not, nor others with the same ends.
        client.set_linger(Some(Duration::ZERO)).unwrap();
        drop((client, server));
        assert_eq!(look_without(&query, &earlier, is_ours), []);
        if peer.is_ipv4() {
            let _others = connect(peer, local);
            assert_eq!(look_without(&query, &earlier, is_ours), []);
        }
    }
}

#[test]
fn what_has_no_name_is_found_by_a_second_dump() {
    let _nobody_starts = nobody_starts();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    // Two that share an address: the kernel would find either.
    let shared = [(); 2].map(|()| Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap());
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    for socket in &shared {
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        address = socket.local_addr().unwrap().as_socket().unwrap();
    }
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ports = [local.port(), address.port(), other.local_addr().unwrap().port()];
    let [first, second] = &shared;
    // Not by address: what has a number in UDP, another test may have in TCP.
    let ours = [inode(&listener), inode(first), inode(second), inode(&other)];
    let ports: PortSet = ports.into_iter().map(Port::new).collect();
    let query = Query::tcp().with_udp().local_ports(ports).address(Ipv4Addr::LOCALHOST.into());
    let earlier = snapshot(&query);
    let is_ours = |row: &Row| ours.contains(&row.inode);
    let [first, _second] = shared;
    let count = |earlier: &Snapshot| look_without(&query, earlier, is_ours).len();
    assert_eq!(count(&earlier), 4);
    drop(first);
    assert_eq!(count(&earlier), 3);
    drop(listener);
    assert_eq!(count(&earlier), 2);
}

#[test]
fn unix_sockets_are_found_with_their_names() {
    let _nobody_starts = nobody_starts();
    let (one, _other) = UnixStream::pair().unwrap();
    let inode = inode(&one);
    let query = Query::unix();
    let earlier = snapshot(&query);
    let is_ours = |row: &Row| row.inode == inode;
    let found = look_without(&query, &earlier, is_ours);
    assert_eq!(found.iter().map(|row| row.inode).collect::<Vec<_>>(), [inode]);
    drop(one);
    assert_eq!(look_without(&query, &earlier, is_ours), []);
}

#[test]
fn many_are_found_by_a_second_dump() {
    let listener = lone_listener();
    let local = listener.local_addr().unwrap();
    let streams: Vec<(TcpStream, TcpStream)> = (0..20)
        .map(|_| (TcpStream::connect(local).unwrap(), listener.accept().unwrap().0))
        .collect();
    let query = Query::tcp().local_ports([Port::new(local.port())].into()).address(local.ip());
    let earlier = snapshot(&query);
    let connections: Vec<&Row> = earlier.rows.iter().filter(|row| row.is_connection()).collect();
    assert_eq!(connections.len(), streams.len());
    let narrow = narrow(&query, &connections);
    assert_eq!(snapshot(&narrow).len(), streams.len() + 1);
}

/// A dump of sockets of one bucket, a few of which are closed after the kernel has told of them: it then
/// leaves out as many others, at the begin of a later datagram.
#[test]
fn what_the_kernel_leaves_out_is_found_and_what_is_closed_is_not() {
    const SOCKETS: usize = 160;
    const CLOSED: usize = 10;
    let _nobody_starts = nobody_starts();
    let mut sockets = Vec::new();
    let mut address = SocketAddr::from((Ipv4Addr::new(127, 0, 79, 1), 0));
    for _ in 0..SOCKETS {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        address = socket.local_addr().unwrap().as_socket().unwrap();
        sockets.push((inode(&socket), socket));
    }
    let query = Query::udp()
        .local_ports([Port::new(address.port())].into())
        .address(address.ip())
        .source(Source::Netlink);
    // Others may share the bucket: what one look misses for what they close, the second one adds.
    let earlier = Backend::new(Duration::ZERO).snapshot(&query, Some(&snapshot(&query))).unwrap();
    assert_eq!(earlier.len(), SOCKETS);

    let mut kernel = NetlinkSocket::open(NetlinkProtocol::SOCKET_DIAGNOSIS).unwrap();
    let mut request = NetlinkRequest::new(diag::BY_FAMILY, NetlinkFlags::DUMP, 1);
    inet::question(&mut request, Protocol::Udp, Family::Ipv4, &query, None);
    let mut now = Snapshot::new();
    // Small, so that the dump takes several datagrams.
    kernel
        .exchange(&request, &mut [0; 8192], Duration::from_secs(10), |message| {
            diag::read(Dump::of(Protocol::Udp), &message, &query, &mut now);
            if now.len() == CLOSED {
                sockets.retain(|(inode, _)| now.rows.iter().all(|row| row.inode != *inode));
            }
        })
        .unwrap();
    assert_eq!(sockets.len(), SOCKETS - CLOSED);
    let mut told = Told::default();
    told.keep_one_of_each(&mut now.rows);
    let left_out = SOCKETS - now.len();
    let mut diagnosis = Diagnosis::open().unwrap();
    let found = look(&mut diagnosis, &query, &earlier, &told, &mut now).unwrap();
    assert_eq!(found, left_out, "and so none is closed and opened again");
    assert_eq!(now.len(), SOCKETS);
    // The next look misses those that were closed, and only those.
    let mut next = Backend::new(Duration::ZERO);
    let next = next.snapshot(&query, Some(&now)).unwrap();
    assert_eq!(next.changes_since(&now).len(), CLOSED);
}
