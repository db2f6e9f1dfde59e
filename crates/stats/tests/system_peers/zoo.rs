//! Sockets of every kind, in every state that holds still.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use socket2::{Domain, Protocol, Socket, Type};
use stats::system::{Query, SocketRow, State, SystemSockets, Timer};

/// A protocol that nobody else speaks (RFC 3692).
const EXPERIMENT: i32 = 253;

/// Sockets in many states, kept open.
pub(crate) struct Zoo {
    _tcp: Vec<Socket>,
    _udp: Vec<UdpSocket>,
    _raw: Vec<Socket>,
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

pub(crate) fn zoo(directory: &std::path::Path) -> Zoo {
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
    streams.push(TcpStream::connect(local(&small)).unwrap());
    for _ in 0..2 {
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
    udp[0].peek(&mut [0; 1]).unwrap();
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
        _raw: raw(),
        _unix: (
            vec![listening, hidden],
            vec![client, server, waiting, one, other],
            vec![dgram, sender],
            vec![left, right],
        ),
    }
}

/// Bound, connected, and neither; one with something to read.
fn raw() -> Vec<Socket> {
    let open =
        |domain, protocol| Socket::new(domain, Type::RAW, Some(Protocol::from(protocol))).unwrap();
    let at = |address: &str| SocketAddr::new(address.parse().unwrap(), 0);
    let (ping, ping6) = (open(Domain::IPV4, 1), open(Domain::IPV6, 58));
    let connected = open(Domain::IPV4, EXPERIMENT);
    connected.bind(&at("127.0.0.1").into()).unwrap();
    connected.connect(&at("127.0.0.2").into()).unwrap();
    let bound = open(Domain::IPV6, EXPERIMENT);
    bound.bind(&at("::1").into()).unwrap();
    let receives = open(Domain::IPV4, EXPERIMENT);
    receives.send_to(&[0; 9], &at("127.0.0.3").into()).unwrap();
    vec![ping, ping6, connected, bound, receives]
}

/// Waits until nothing moves any more: those that have data for a peer without room only ask now and
/// then whether it has some.
pub(crate) fn settle() {
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
