//! Sockets that the test opens and closes, seen by a watch that looks at its ports only.

mod made_up;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use ports_core::{Port, PortSet};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::system::lone_listener::{listen_at, lone_address, lone_listener};
use crate::system::row::Row;
use crate::system::starting::nobody_starts;
use crate::system::{Protocol, Source, StateSet, TcpDetails};

/// The sockets of some ports, at the address of the first of them.
fn at(listeners: &[TcpListener]) -> Query {
    let addresses = || listeners.iter().filter_map(|listener| listener.local_addr().ok());
    let ports: PortSet = addresses().map(|address| Port::new(address.port())).collect();
    Query::tcp().local_ports(ports).address(addresses().next().unwrap().ip())
}

fn kinds(events: &SocketEvents) -> Vec<(&'static str, String)> {
    let kind = |event: &SocketEvent| match event.kind {
        SocketEventKind::Opened => "opened",
        SocketEventKind::Changed { .. } => "changed",
        SocketEventKind::Closed { .. } => "closed",
    };
    let events = events.events.iter();
    events.map(|event| (kind(event), event.socket.local.clone())).collect()
}

#[test]
fn the_life_of_a_connection_is_told() {
    let _nobody_starts = nobody_starts();
    let listener = lone_listener();
    let address = listener.local_addr().unwrap().to_string();
    let mut watch = SocketWatch::new(at(std::slice::from_ref(&listener)).details(true));
    assert!(watch.poll().unwrap().events.is_empty());
    assert_eq!(watch.snapshot().unwrap().len(), 1);

    let client = TcpStream::connect(&address).unwrap();
    let (server, _) = listener.accept().unwrap();
    let events = watch.poll().unwrap();
    assert_eq!(kinds(&events), [("opened", address.clone())]);
    let opened = &events.events[0].socket;
    assert_eq!(opened.state, Some(State::Established));
    assert_eq!(opened.peer, Some(client.local_addr().unwrap().to_string()));
    assert!(watch.poll().unwrap().events.is_empty());

    // A reset: nothing is left of it, not even TIME-WAIT.
    socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    let events = watch.poll().unwrap();
    assert_eq!(kinds(&events), [("closed", address.clone())]);
    let SocketEventKind::Closed { is_whole, bytes_received, .. } = events.events[0].kind else {
        panic!("{events:?}")
    };
    assert!(is_whole);
    assert_eq!(bytes_received, Some(0));

    drop(listener);
    let events = watch.poll().unwrap();
    assert_eq!(kinds(&events), [("closed", address)]);
    assert!(matches!(events.events[0].kind, SocketEventKind::Closed { is_whole: false, .. }));
}

#[test]
fn events_beyond_the_capacity_are_counted() {
    let _nobody_starts = nobody_starts();
    let address = lone_address();
    let listeners: Vec<TcpListener> = (0..3).map(|_| listen_at(address)).collect();
    let query = at(&listeners).states(StateSet::LISTENING);
    let mut watch = SocketWatch::new(query).capacity(2);
    watch.poll().unwrap();
    drop(listeners);
    let events = watch.poll().unwrap();
    assert_eq!((events.events.len(), events.dropped), (2, 1));
}

/// A connection from this address: no other test has one from there.
fn connect_from(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    client.set_reuse_address(true).unwrap();
    client.bind(&from.into()).unwrap();
    client.connect(&to.into()).unwrap();
    client.into()
}

/// Waits until the connection is in this state: while the kernel moves it, it is in none for a
/// moment, and a look would take it for gone.
fn settle(connection: &Query, state: State) {
    loop {
        let seen = SystemSockets::new().snapshot(connection).unwrap();
        if seen.iter().any(|row| row.state() == state) {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_is_one_until_the_end_of_time_wait() {
    let _nobody_starts = nobody_starts();
    let listener = lone_listener();
    let address = listener.local_addr().unwrap();
    let mut watch = SocketWatch::new(at(std::slice::from_ref(&listener)).details(true));
    watch.hear_endings().unwrap();
    watch.poll().unwrap();
    let mut client = connect_from("127.0.77.1:0".parse().unwrap(), address);
    let from = client.local_addr().unwrap();
    let mut server = listener.accept().unwrap().0;
    client.write_all(&[1; 100]).unwrap();
    server.read_exact(&mut [0; 100]).unwrap();
    let opened = watch.poll().unwrap().events.remove(0).socket;
    let uid = opened.uid;
    assert!(uid.is_some() && opened.inode.is_some());

    // Closed here first: what the kernel keeps of it is in FIN-WAIT-2, then in TIME-WAIT.
    drop(server);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    let ours = at(std::slice::from_ref(&listener)).peer_ports([Port::new(from.port())].into());
    settle(&ours, State::FinWait2);
    let mut events = watch.poll().unwrap().events;
    drop(client);
    settle(&ours, State::TimeWait);
    // Its other end goes when that is acknowledged; until then no other can have the same ends.
    let end = Query::tcp().local_ports([Port::new(from.port())].into()).address(from.ip());
    while !SystemSockets::new().snapshot(&end).unwrap().is_empty() {
        std::thread::yield_now();
    }
    events.extend(watch.poll().unwrap().events);
    assert_eq!(events.len(), 2, "{events:#?}");
    for event in &events {
        assert!(matches!(event.kind, SocketEventKind::Changed { .. }), "{events:#?}");
        assert_eq!((event.socket.uid, event.socket.inode), (uid, None));
    }
    assert_eq!(events.last().unwrap().socket.cookie, opened.cookie);

    // Another one with the same ends takes its place: first the end of the one is told.
    let client = connect_from(from, address);
    let server = listener.accept().unwrap().0;
    let events = watch.poll().unwrap().events;
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((events[0].socket.state, events[0].socket.uid), (Some(State::TimeWait), uid));
    let SocketEventKind::Closed { is_whole, bytes_received, .. } = events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!((is_whole, bytes_received), (true, Some(100)));
    assert_eq!(events[1].kind, SocketEventKind::Opened);
    assert_eq!(events[1].socket.peer, Some(from.to_string()));
    drop((client, server));
}
