//! Sockets that the test opens and closes, seen by a watch that looks at its ports only.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use ports_core::{Port, PortSet};

use super::*;
use crate::system::StateSet;

/// The sockets of some ports, at this address: elsewhere the kernel may give their numbers to others.
fn at(listeners: &[TcpListener]) -> Query {
    let ports: PortSet = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .map(|address| Port::new(address.port()))
        .collect();
    Query::tcp().local_ports(ports).address(Ipv4Addr::LOCALHOST.into())
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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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
    let listeners: Vec<TcpListener> =
        (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let query = at(&listeners).states(StateSet::LISTENING);
    let mut watch = SocketWatch::new(query).capacity(2);
    watch.poll().unwrap();
    drop(listeners);
    let events = watch.poll().unwrap();
    assert_eq!((events.events.len(), events.dropped), (2, 1));
}
