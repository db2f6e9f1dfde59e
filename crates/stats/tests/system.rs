//! Sockets that the test opened itself, as the machine's tables show them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: what it needs, it has")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use ports_core::{Port, PortSet, Transport};
use socket2::{Domain, Socket, Type};
use stats::system::{
    BindFinding, Blocks, NoProcess, Protocol, Query, Snapshot, SocketRow, Source, State, StateSet,
    SystemSockets,
};

/// TCP sockets at a port of ours. The kernel may give its number to somebody else at another
/// address.
fn at(address: SocketAddr) -> Query {
    Query::tcp().ports(port(address)).address(address.ip())
}

fn port(address: SocketAddr) -> PortSet {
    PortSet::from([Port::new(address.port())])
}

fn snapshot(query: &Query) -> Snapshot {
    SystemSockets::new().snapshot(query).unwrap()
}

fn find(snapshot: &Snapshot, local: SocketAddr, peer: Option<SocketAddr>) -> SocketRow<'_> {
    let is_it = |row: &SocketRow<'_>| row.local_addr() == Some(local) && row.peer_addr() == peer;
    snapshot.iter().find(is_it).unwrap_or_else(|| panic!("no {local} {peer:?}"))
}

fn states(snapshot: &Snapshot) -> Vec<State> {
    let mut states: Vec<State> = snapshot.iter().map(|row| row.state()).collect();
    states.sort_unstable();
    states
}

/// The first snapshot with these states: the kernel acknowledges when it finds the time.
fn snapshot_when(query: &Query, expected: &[State]) -> Snapshot {
    loop {
        let seen = snapshot(query);
        if states(&seen) == expected {
            return seen;
        }
        std::thread::yield_now();
    }
}

#[test]
fn both_sources_show_the_states_of_a_connection() {
    // No other test has connections at these: what has the port's number elsewhere is not seen.
    for address in ["127.0.92.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let local = listener.local_addr().unwrap();
        let client = TcpStream::connect(local).unwrap();
        let (server, peer) = listener.accept().unwrap();
        for source in [Source::Netlink, Source::Proc] {
            // Others' connections may have ended at this port of theirs, or at that of their peers.
            let states_here = StateSet::ALL.without(State::TimeWait);
            let query = at(local).processes(true).source(source).states(states_here);
            let seen = snapshot(&query);
            assert_eq!(states(&seen), [State::Established, State::Established, State::Listen]);
            assert_eq!(seen.coverage().from_proc, source == Source::Proc);
            for (row, descriptor) in [
                (find(&seen, local, None), listener.as_raw_fd()),
                (find(&seen, local, Some(peer)), server.as_raw_fd()),
                (find(&seen, peer, Some(local)), client.as_raw_fd()),
            ] {
                let holdings: Vec<_> = row.holdings().collect();
                assert_eq!(holdings.len(), 1, "{row:?}");
                assert_eq!(holdings[0].process.pid(), std::process::id());
                assert_eq!(holdings[0].descriptor, descriptor as u32);
                assert_eq!(row.uid(), Some(rustix_uid()));
                assert_eq!(row.cookie().is_some(), source == Source::Netlink);
            }
        }
    }
}

fn rustix_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[test]
fn a_half_closed_connection_and_what_is_left_of_it() {
    // An address of its own, and without SO_REUSEADDR: no port there that a connection in TIME-WAIT
    // has.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 91, 1], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    let listener = TcpListener::from(socket);
    let local = listener.local_addr().unwrap();
    let client = TcpStream::connect(local).unwrap();
    let (server, peer) = listener.accept().unwrap();
    drop(listener);
    let query = at(local).processes(true);
    drop(server);
    let seen = snapshot_when(&query, &[State::FinWait2, State::CloseWait]);
    let closed = find(&seen, local, Some(peer));
    assert_eq!((closed.inode(), closed.uid()), (None, None));
    assert_eq!(closed.no_process(), Some(NoProcess::Released));
    drop(client);
    let seen = snapshot_when(&query, &[State::TimeWait]);
    assert!(seen.row(0).unwrap().timer().is_some());
}

/// A connection from a port that no other one has: without a `bind` the kernel gives one port to
/// connections to several places.
fn connect(to: SocketAddr) -> TcpStream {
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    client.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    client.connect(&to.into()).unwrap();
    client.into()
}

#[test]
fn the_kernel_filters_as_the_query_says() {
    let listeners: Vec<TcpListener> = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0", "[::]:0"]
        .iter()
        .map(|address| TcpListener::bind(address).unwrap())
        .collect();
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let client = connect(addresses[0]);
    // An IPv4 connection of a dual-stack socket: mapped.
    let dual = SocketAddr::from((Ipv4Addr::LOCALHOST, addresses[3].port()));
    let mapped = connect(dual);
    let servers = [listeners[0].accept().unwrap().0, listeners[3].accept().unwrap().0];
    let all: PortSet = addresses.iter().map(|address| Port::new(address.port())).collect();

    let streams = [&client, &mapped, &servers[0], &servers[1]];
    let ours: Vec<SocketAddr> =
        streams.iter().map(|stream| stream.local_addr().unwrap()).chain(addresses).collect();
    let count = |query: Query| {
        let seen = snapshot(&query.source(Source::Netlink));
        let is_ours = |row: &SocketRow<'_>| {
            row.state() != State::TimeWait && row.local_addr().is_some_and(|it| ours.contains(&it))
        };
        seen.iter().filter(is_ours).count()
    };
    assert_eq!(count(Query::tcp().local_ports(all.clone())), 6);
    assert_eq!(count(Query::tcp().peer_ports(all.clone())), 2);
    assert_eq!(count(Query::tcp().ports(all.clone())), 8);
    assert_eq!(count(Query::tcp().ports(all.clone()).states(StateSet::LISTENING)), 4);
    assert_eq!(count(Query::tcp().ports(all.clone()).ipv6(false)), 5);
    assert_eq!(count(Query::tcp().ports(all.clone()).ipv4(false)), 3);
    assert_eq!(count(Query::tcp().ports(all.clone()).address(Ipv4Addr::LOCALHOST.into())), 5);
    assert_eq!(count(Query::udp().ports(all.clone()).states(StateSet::NONE)), 0);
    assert_eq!(count(Query::tcp().ports(PortSet::new())), 0);
    // Who has no peer has none at port 0, and none at the wildcard.
    assert_eq!(count(Query::tcp().ports(PortSet::from([Port::ANY]))), 0);
    assert_eq!(count(Query::tcp().address(Ipv4Addr::UNSPECIFIED.into())), 0);
    assert_eq!(count(Query::tcp().address(std::net::Ipv6Addr::UNSPECIFIED.into())), 1);
    let client_port = port(mapped.local_addr().unwrap());
    let query = Query::tcp().local_ports(client_port.clone()).peer_ports(all);
    assert_eq!(count(query), 1);
    assert_eq!(count(Query::unix().ports(client_port)), 0);
}

#[test]
fn datagram_and_unix_sockets_are_seen() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(udp.local_addr().unwrap()).unwrap();
    connected.send(&[0; 100]).unwrap();
    udp.peek(&mut [0; 1]).unwrap();
    let name = format!("stats-system-{}", std::process::id());
    let abstract_name = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let unix = UnixListener::bind_addr(&abstract_name).unwrap();
    let pair = UnixStream::pair().unwrap();
    let dgram = UnixDatagram::unbound().unwrap();

    let query = Query::udp().with_unix().processes(true).details(true);
    let seen = snapshot(&query);
    let receiver = find(&seen, udp.local_addr().unwrap(), None);
    assert_eq!((receiver.protocol(), receiver.state()), (Protocol::Udp, State::Unconnected));
    assert!(receiver.receive_queue().unwrap() >= 100);
    assert_eq!(receiver.details().unwrap().memory.unwrap().drops, Some(0));
    let sender = find(&seen, connected.local_addr().unwrap(), udp.local_addr().ok());
    assert_eq!(sender.state(), State::Established);

    let held = |descriptor: i32| {
        let is_it = |row: &SocketRow<'_>| {
            row.protocol().is_unix()
                && row.holdings().any(|holding| {
                    holding.process.pid() == std::process::id()
                        && holding.descriptor == descriptor as u32
                })
        };
        seen.iter().find(is_it).unwrap()
    };
    let listener = held(unix.as_raw_fd());
    assert_eq!((listener.protocol(), listener.state()), (Protocol::UnixStream, State::Listen));
    assert!(listener.local().to_string().starts_with(&format!("@{name} ")));
    let left = held(pair.0.as_raw_fd());
    assert_eq!(left.state(), State::Established);
    assert_eq!(left.peer(), Some(held(pair.1.as_raw_fd()).local()));
    assert_eq!(held(dgram.as_raw_fd()).protocol(), Protocol::UnixDgram);
}

#[test]
fn details_come_where_they_are_asked_for() {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(local).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    client.write_all(&[7; 1000]).unwrap();
    server.read_exact(&mut [0; 1000]).unwrap();
    let query = at(local);
    let seen = snapshot(&query);
    assert!(seen.iter().all(|row| row.details().is_none() && row.traffic().is_none()));
    let seen = snapshot(&query.clone().traffic(true));
    assert!(seen.iter().all(|row| row.details().is_none()));
    assert_eq!(find(&seen, local, None).traffic(), None, "it listens");
    let moved = find(&seen, local, Some(peer)).traffic().unwrap();
    assert_eq!((moved.received, moved.acknowledged), (1000, 0));
    let seen = snapshot(&query.traffic(true).details(true));
    assert_eq!(find(&seen, local, Some(peer)).traffic(), Some(moved));
    let tcp = find(&seen, local, Some(peer)).details().unwrap().tcp.unwrap();
    assert_eq!(tcp.bytes_received, Some(1000));
    let memory = find(&seen, local, None).details().unwrap().memory.unwrap();
    assert!(memory.receive_limit > 0);
}

#[test]
fn a_second_snapshot_sees_what_came_and_went() {
    let mut sockets = SystemSockets::new().recheck_after(Duration::from_hours(1));
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    let of = |snapshot: &Snapshot, listener: &TcpListener| {
        let row = find(snapshot, listener.local_addr().unwrap(), None);
        row.holdings().map(|holding| holding.descriptor).collect::<Vec<_>>()
    };
    let query = Query::tcp().states(StateSet::LISTENING).processes(true);
    let seen = sockets.snapshot(&query).unwrap();
    assert_eq!(of(&seen, &first), [first.as_raw_fd() as u32]);
    assert!(seen.coverage().processes.unwrap().read > 0);

    // Nothing new: what was read is remembered, but for processes that are new. (Other tests of this
    // process may open sockets meanwhile, so that is asked of one port.)
    let alone = query.clone().local_ports(port(first.local_addr().unwrap()));
    let seen = sockets.snapshot(&alone).unwrap();
    assert_eq!(of(&seen, &first), [first.as_raw_fd() as u32]);
    assert!(seen.coverage().processes.unwrap().remembered > 0);

    // The descriptor of a closed one is another's at once.
    let local = second.local_addr().unwrap();
    drop(second);
    let third = TcpListener::bind("127.0.0.1:0").unwrap();
    let seen = sockets.snapshot(&query).unwrap();
    assert_eq!(of(&seen, &third), [third.as_raw_fd() as u32]);
    let is_gone = local == third.local_addr().unwrap()
        || seen.iter().all(|row| row.local_addr() != Some(local));
    assert!(is_gone);
}

#[test]
fn a_port_is_found_with_its_process_and_its_parents() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let _client = TcpStream::connect(local).unwrap();
    let _server = listener.accept().unwrap();
    let mut sockets = SystemSockets::new();
    let who = sockets.who(Transport::Tcp, local.port().into()).unwrap();
    let is_ours = |row: &SocketRow<'_>| row.local_addr() == Some(local);
    assert_eq!(who.holders().filter(is_ours).count(), 1);
    assert_eq!(who.connections().filter(is_ours).count(), 1);
    let process = who.process(std::process::id()).unwrap();
    assert_eq!(process.program, std::env::current_exe().ok());
    assert_eq!(process.parents.first().unwrap().pid, std::os::unix::process::parent_id());
    let nobody = sockets.who(Transport::Udp, local.port().into()).unwrap();
    // A UDP socket of another test may have that number by chance.
    assert!(nobody.snapshot().iter().all(|row| row.protocol() == Protocol::Udp));
    assert!(sockets.who(Transport::Sctp, local.port().into()).unwrap().is_nobody());
}

#[test]
fn a_bound_port_without_a_listener_has_its_holder_where_the_kernel_tells() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let local = socket.local_addr().unwrap().as_socket().unwrap();
    let facts = SystemSockets::new().bind_facts(Transport::Tcp, local).unwrap();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    let held = facts.findings().into_iter().find_map(|finding| match finding {
        BindFinding::Held(socket) => Some(socket),
        _ => None,
    });
    assert_eq!(held.is_some(), version >= (6, 8), "{facts:?}");
    if let Some(held) = held {
        assert_eq!(held.state, State::Bound);
        assert_eq!(held.processes.first().map(|process| process.pid), Some(std::process::id()));
    }
}

#[test]
fn who_does_not_listen_may_share_the_port_where_all_set_reuse() {
    let bind = |kind, to: SocketAddr, listens: bool| {
        let socket = Socket::new(Domain::IPV4, kind, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&to.into())?;
        if listens {
            socket.listen(1)?;
        }
        std::io::Result::Ok(socket)
    };
    let any = "127.0.0.1:0".parse().unwrap();
    for (kind, transport, listens, blocks) in [
        (Type::DGRAM, Transport::Udp, false, Blocks::UnlessAllReuse),
        (Type::STREAM, Transport::Tcp, false, Blocks::UnlessAllReuse),
        (Type::STREAM, Transport::Tcp, true, Blocks::Always),
    ] {
        let first = bind(kind, any, listens).unwrap();
        let address = first.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(bind(kind, address, false).is_ok(), blocks != Blocks::Always, "{kind:?}");
        // A kernel before 6.8 does not tell of what is only bound.
        let facts = SystemSockets::new().bind_facts(transport, address).unwrap();
        let held = facts.findings().into_iter().find(|it| matches!(it, BindFinding::Held(_)));
        assert!(held.iter().all(|held| held.blocks() == blocks), "{held:?}");
        assert!(held.is_some() || (transport == Transport::Tcp && !listens));
    }
}

#[test]
fn a_udp_socket_with_a_peer_is_a_holder_for_who_and_for_bind() {
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = UdpSocket::bind("127.0.0.1:0").unwrap();
    here.connect(there.local_addr().unwrap()).unwrap();
    let address = here.local_addr().unwrap();
    let mut sockets = SystemSockets::new();
    let who = sockets.who(Transport::Udp, Port::new(address.port())).unwrap();
    assert!(who.holders().any(|row| row.local_addr() == Some(address)));
    assert_eq!(who.connections().count(), 0);
    let findings = sockets.bind_facts(Transport::Udp, address).unwrap().findings();
    assert!(matches!(&findings[0], BindFinding::Held(held) if held.local == address));
}
