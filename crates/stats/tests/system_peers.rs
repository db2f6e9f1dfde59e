//! The machine's sockets row for row as `ss` and `/proc/net` have them, in a namespace of its own
//! where nothing else moves; and the ends of sockets as the kernel tells them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: what it needs, it has")]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use stats::system::{
    Endings, Protocol, Query, Snapshot, SocketEventKind, SocketRow, SocketWatch, Source, State,
    SystemSockets, Timer,
};

/// Puts this thread, and what it starts, into a network namespace of its own. One test at a time: a
/// child that another one is about to start holds copies of all descriptors for a moment.
fn leave_the_others() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("needs root");
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.expect("needs ip, of iproute2").success());
    turn
}

/// Sockets in many states, kept open.
struct Zoo {
    _tcp: Vec<Socket>,
    _udp: Vec<UdpSocket>,
    _unix: (Vec<UnixListener>, Vec<UnixStream>, Vec<UnixDatagram>, Vec<Socket>),
}

fn listener(address: &str, only_ipv6: bool, backlog: i32) -> Socket {
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if address.is_ipv6() {
        socket.set_only_v6(only_ipv6).unwrap();
    }
    // A small one, so that it is full soon.
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

fn local(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}

fn pair(listener: &Socket, to: SocketAddr) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(to).unwrap();
    (client, listener.accept().unwrap().0.into())
}

/// Sends until the peer, who does not read, has no room left.
fn fill(stream: &mut TcpStream) {
    stream.set_nonblocking(true).unwrap();
    loop {
        match stream.write(&[0; 16384]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn zoo(directory: &std::path::Path) -> Zoo {
    let mut tcp = vec![
        listener("127.0.0.1:0", false, 7),
        listener("0.0.0.0:0", false, 128),
        listener("[::1]:0", false, 128),
        listener("[::]:0", true, 128),
        listener("[::]:0", false, 128),
    ];
    let dual = local(&tcp[4]);
    let mapped = SocketAddr::from(([127, 0, 0, 1], dual.port()));
    let mut streams = Vec::new();
    for (listener, to) in [(0, local(&tcp[0])), (2, local(&tcp[2])), (4, mapped)] {
        let (client, server) = pair(&tcp[listener], to);
        streams.extend([client, server]);
        // The server closes first: FIN-WAIT-2 here, CLOSE-WAIT there; then both: TIME-WAIT.
        let (half, _) = pair(&tcp[listener], to);
        streams.push(half);
        let (mut client, server) = pair(&tcp[listener], to);
        drop(server);
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    }
    // Closed with data that nobody reads: FIN-WAIT-1, and LAST-ACK where the peer closed first.
    let (mut client, server) = pair(&tcp[0], local(&tcp[0]));
    fill(&mut client);
    drop(client);
    let (mut full, reader) = pair(&tcp[0], local(&tcp[0]));
    fill(&mut full);
    reader.shutdown(std::net::Shutdown::Write).unwrap();
    full.set_nonblocking(false).unwrap();
    assert_eq!(full.read(&mut [0; 1]).unwrap(), 0);
    drop(full);
    streams.extend([server, reader]);
    // One waits to be accepted.
    streams.push(TcpStream::connect(local(&tcp[0])).unwrap());
    // No room for another: SYN-SENT.
    let small = listener("127.0.0.1:0", false, 0);
    for _ in 0..3 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        let _ = client.connect(&local(&small).into());
        tcp.push(client);
    }
    tcp.push(small);
    // Bound and nothing else: not in what `ss` shows.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    tcp.push(bound);
    tcp.extend(streams.into_iter().map(Socket::from));

    let mut udp: Vec<UdpSocket> = ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"]
        .iter()
        .map(|address| UdpSocket::bind(address).unwrap())
        .collect();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(udp[0].local_addr().unwrap()).unwrap();
    connected.send(&[0; 10]).unwrap();
    udp.push(connected);

    let path = directory.join("a socket");
    let listening = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (mut server, _) = listening.accept().unwrap();
    server.write_all(b"unread").unwrap();
    let waiting = UnixStream::connect(&path).unwrap();
    let name = std::os::unix::net::SocketAddr::from_abstract_name("stats/peers").unwrap();
    let hidden = UnixListener::bind_addr(&name).unwrap();
    let dgram = UnixDatagram::bind(directory.join("dgram")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(directory.join("dgram")).unwrap();
    let (left, right) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    Zoo {
        _tcp: tcp,
        _udp: udp,
        _unix: (
            vec![listening, hidden],
            vec![client, server, waiting, one, other],
            vec![dgram, sender],
            vec![left, right],
        ),
    }
}

/// Waits until nothing moves any more: those that have data for a peer without room only ask now and
/// then whether it has some.
fn settle() {
    let is_stuck =
        |row: &SocketRow<'_>| row.timer().is_some_and(|(timer, _)| timer == Timer::Probe);
    loop {
        let snapshot = SystemSockets::new().snapshot(&Query::tcp()).unwrap();
        let moving = [State::FinWait1, State::LastAck].map(|state| {
            let rows: Vec<_> = snapshot.iter().filter(|row| row.state() == state).collect();
            rows.len() != 1 || !rows.iter().all(is_stuck)
        });
        if moving == [false; 2] {
            return;
        }
        std::thread::yield_now();
    }
}

/// The lines of `ss`, each with single blanks, sorted.
fn ss(arguments: &str) -> Vec<String> {
    let output = Command::new("ss").arg(arguments).output().expect("needs ss, of iproute2");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(words).collect();
    lines.sort();
    lines
}

/// An end as `ss -n` prints it: a wildcard of both families is a star.
fn printed(end: SocketAddr, is_wildcard_of_both: bool) -> String {
    let port = if end.port() == 0 { "*".to_owned() } else { end.port().to_string() };
    match end {
        SocketAddr::V6(_) if is_wildcard_of_both => format!("*:{port}"),
        SocketAddr::V6(end) => format!("[{}]:{port}", end.ip()),
        SocketAddr::V4(end) => format!("{}:{port}", end.ip()),
    }
}

fn inet_line(row: SocketRow<'_>) -> String {
    let local = row.local_addr().unwrap();
    let zero =
        SocketAddr::new(if local.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() }, 0);
    let is_both = |end: SocketAddr| end.ip().is_unspecified() && row.only_ipv6() == Some(false);
    let peer = row.peer_addr().unwrap_or(zero);
    format!(
        "{} {} {} {} {}",
        row.state(),
        row.receive_queue(),
        row.send_queue(),
        printed(local, is_both(local)),
        printed(peer, is_both(peer)),
    )
}

fn unix_line(row: SocketRow<'_>) -> String {
    let kind = match row.protocol() {
        Protocol::UnixStream => "u_str",
        Protocol::UnixDgram => "u_dgr",
        _ => "u_seq",
    };
    let peer = row.peer().map(|peer| peer.to_string());
    // `ss` names a peer by its number only.
    let peer = peer.as_deref().and_then(|peer| peer.rsplit_once(' ')).map_or("0", |(_, n)| n);
    let (state, local) = (row.state(), row.local());
    format!("{kind} {state} {} {} {local} * {peer}", row.receive_queue(), row.send_queue())
}

fn lines(snapshot: &Snapshot, line: fn(SocketRow<'_>) -> String) -> Vec<String> {
    let rows = snapshot.iter().filter(|row| row.state() != State::Bound);
    let mut lines: Vec<String> = rows.map(line).collect();
    lines.sort();
    lines
}

/// What `/proc` and netlink both tell.
fn plain(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.iter().filter(|row| row.state() != State::Bound);
    let line = |row: SocketRow<'_>| {
        format!(
            "{} {} {} {:?} {:?} {:?}",
            row.protocol(),
            row.state(),
            row.local(),
            row.peer_addr(),
            row.inode(),
            row.uid().filter(|_| !row.protocol().is_unix()),
        )
    };
    let mut lines: Vec<String> = rows.map(line).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs root, ip and ss"]
fn every_row_is_that_of_ss_and_proc() {
    let _turn = leave_the_others();
    let directory = tempfile::tempdir().unwrap();
    let _zoo = zoo(directory.path());
    settle();
    let mut sockets = SystemSockets::new();
    let by_netlink = |query: Query| query.source(Source::Netlink);

    let tcp = sockets.snapshot(&by_netlink(Query::tcp())).unwrap();
    let states: BTreeSet<State> = tcp.iter().map(|row| row.state()).collect();
    for state in [
        State::Established,
        State::SynSent,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
        State::CloseWait,
        State::LastAck,
        State::Listen,
    ] {
        assert!(states.contains(&state), "no {state} in {states:?}");
    }
    pretty(&lines(&tcp, inet_line), &ss("-tanH"));
    let udp = sockets.snapshot(&by_netlink(Query::udp())).unwrap();
    pretty(&lines(&udp, inet_line), &ss("-uanH"));
    let unix = sockets.snapshot(&by_netlink(Query::unix())).unwrap();
    pretty(&lines(&unix, unix_line), &ss("-xaH"));

    for query in [Query::tcp(), Query::udp(), Query::unix()] {
        let netlink = sockets.snapshot(&by_netlink(query.clone())).unwrap();
        let proc = sockets.snapshot(&query.source(Source::Proc)).unwrap();
        pretty(&plain(&netlink), &plain(&proc));
        assert_eq!(proc.coverage().malformed, 0);
    }
}

#[test]
#[ignore = "needs root, ip and ss"]
fn every_process_is_that_of_ss() {
    let _turn = leave_the_others();
    let directory = tempfile::tempdir().unwrap();
    let _zoo = zoo(directory.path());
    settle();
    let held = |row: SocketRow<'_>| {
        let line = inet_line(row);
        let one = |holding: stats::system::Holding<'_>| {
            let process = holding.process;
            format!("(\"{}\",pid={},fd={})", process.name(), process.pid(), holding.descriptor)
        };
        let holdings: Vec<String> = row.holdings().map(one).collect();
        if holdings.is_empty() { line } else { format!("{line} users:({})", holdings.join(",")) }
    };
    let mut sockets = SystemSockets::new();
    for (query, arguments) in [(Query::tcp(), "-tanpH"), (Query::udp(), "-uanpH")] {
        let first = sockets.snapshot(&query.clone().processes(true)).unwrap();
        pretty(&lines(&first, held), &ss(arguments));
        let again = sockets.snapshot(&query.processes(true)).unwrap();
        pretty(&lines(&again, held), &lines(&first, held));
    }
}

/// Equal, or the lines that only one of the two has.
fn pretty(ours: &[String], theirs: &[String]) {
    let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
    let added: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    assert!(ours == theirs, "only there: {missing:#?}\nonly here: {added:#?}");
    assert!(!ours.is_empty());
}

#[test]
#[ignore = "needs root and ip"]
fn the_kernel_tells_of_each_end_with_its_bytes() {
    let _turn = leave_the_others();
    let mut endings = Endings::open().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    client.write_all(&[1; 3000]).unwrap();
    server.read_exact(&mut [0; 3000]).unwrap();
    // The client closes first, and is heard when the server has acknowledged.
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    let mut ended = Vec::new();
    let is_server = |socket: &stats::system::EndedSocket| {
        socket.protocol == Protocol::Tcp && socket.local == address && socket.peer == peer
    };
    while !ended.iter().any(is_server) {
        endings.wait(Duration::from_secs(10), 10, &mut ended).unwrap();
    }
    let ended = ended.iter().find(|socket| is_server(socket)).unwrap();
    assert_eq!(ended.tcp.unwrap().bytes_received, Some(3000 + 1));
    assert_eq!(endings.losses(), 0);
}

#[test]
#[ignore = "needs root and ip"]
fn a_watch_tells_of_connections_between_two_looks() {
    let _turn = leave_the_others();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ports = ports_core::PortSet::from([ports_core::Port::new(address.port())]);
    let mut watch = SocketWatch::new(Query::tcp().local_ports(ports));
    watch.hear_endings().unwrap();
    watch.poll().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(&[1; 500]).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0; 500]).unwrap();
    // Closed by the client first, so that nothing is left of it at this port.
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    // The kernel tells when it finds the time.
    let event = loop {
        if let Some(event) = watch.poll().unwrap().events.pop() {
            break event;
        }
        std::thread::yield_now();
    };
    assert_eq!(event.socket.local, address.to_string());
    assert_eq!(event.socket.state, None);
    let SocketEventKind::Closed { bytes_received, is_whole, .. } = event.kind else {
        panic!("{event:?}")
    };
    // The end of the stream takes a number, too.
    assert_eq!((bytes_received, is_whole), (Some(500 + 1), false));
}
