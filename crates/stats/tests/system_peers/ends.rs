//! The ends of sockets as the kernel tells them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use stats::system::{Endings, Protocol, Query, SocketEventKind, SocketWatch, SystemSockets};

use super::leave_the_others;

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
    let query = Query::tcp().local_ports(ports);
    let mut watch = SocketWatch::new(query.clone());
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
    while SystemSockets::new().snapshot(&query).unwrap().len() > 1 {
        std::thread::yield_now();
    }
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
