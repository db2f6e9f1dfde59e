//! Leases within one process: what is given, and what is said where nothing is.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicBool, Ordering};

use ports_core::{Port, PortRange, Transport};
use ports_lease::{
    Family, KernelPorts, Lease, LeaseError, PassedOverReason, Request, bind, lease, leases,
    squatters,
};

/// Each test looks in a range of its own, so that none takes what another expects to be free.
fn range(text: &str) -> PortRange {
    text.parse().unwrap()
}

fn all_of(request: &Request) -> (Vec<Lease>, LeaseError) {
    let mut held = Vec::new();
    loop {
        match lease(request) {
            Ok(lease) => held.push(lease),
            Err(error) => return (held, error),
        }
    }
}

#[test]
fn no_port_is_given_twice_until_it_is_let_go() {
    let request = Request::tcp().within(range("2000-2019"));
    let (held, error) = all_of(&request);
    let mut ports: Vec<u16> = held.iter().map(Lease::number).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), held.len());
    assert!(held.len() > 10 && ports.iter().all(|port| (2000..2020).contains(port)), "{ports:?}");
    let LeaseError::Exhausted { leased, in_use, .. } = error else { panic!("{error}") };
    assert_eq!((leased as usize, leased + in_use), (held.len(), 20));

    // TCP and UDP are two spaces.
    let udp = lease(&Request::udp().exact(ports[0])).unwrap();
    assert_eq!(udp.number(), ports[0]);
    drop(held);
    assert_eq!(lease(&request.exact(ports[0])).unwrap().number(), ports[0]);
}

#[test]
fn a_leased_port_can_be_bound_by_whoever_was_told() {
    let held = lease(&Request::tcp_and_udp().within(range("2020-2039"))).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", held.number())).unwrap();
    let udp = UdpSocket::bind(("127.0.0.1", held.number())).unwrap();
    // Now it is in use as well, and still leased: that is what is said.
    let error = lease(&Request::udp().exact(held.port())).unwrap_err();
    assert!(matches!(error, LeaseError::Refused { .. }), "{error}");
    drop((tcp, udp));
}

#[test]
fn a_name_gets_its_port_again() {
    let request = Request::tcp().within(range("2040-2079")).name("web");
    let first = lease(&request).unwrap().number();
    let again = lease(&request).unwrap();
    assert_eq!((again.number(), again.name()), (first, Some("web")));
    assert_eq!(again.to_string(), format!("tcp port {first} (web)"));
    // While it is held, the same name gets another, and says what it passed.
    let other = lease(&request).unwrap();
    assert_ne!(other.number(), first);
    assert_eq!(other.passed_over()[0].port.number(), first);
    assert_eq!(other.passed_over()[0].reason, PassedOverReason::Locked);
    assert_eq!(other.passed_over_count() as usize, other.passed_over().len());

    let elsewhere = |project: &str| lease(&request.clone().project(project)).unwrap().number();
    assert_eq!(elsewhere("/src/shop"), elsewhere("/src/shop"));
    let projects: std::collections::HashSet<u16> =
        (0..20).map(|n| elsewhere(&format!("/src/{n}"))).collect();
    assert!(projects.len() > 5, "{projects:?}");
}

#[test]
fn a_run_is_whole_or_not_at_all() {
    let request = Request::tcp().within(range("2080-2099"));
    let run = lease(&request.clone().count(5)).unwrap();
    let ports: Vec<u16> = run.ports().map(Port::number).collect();
    assert_eq!(ports, (ports[0]..ports[0] + 5).collect::<Vec<_>>());
    let error = lease(&request.clone().exact(ports[0] - 1).count(2)).unwrap_err();
    assert!(error.to_string().starts_with("tcp port "), "{error}");
    // The port before it was not kept.
    let before = lease(&Request::tcp().exact(ports[0] - 1));
    assert!(before.is_ok() || matches!(before, Err(LeaseError::InUse { .. })), "{before:?}");
    drop(before);
    let error = lease(&request.clone().count(16)).unwrap_err();
    assert!(matches!(error, LeaseError::Exhausted { count: 16, .. }), "{error}");
    assert!(matches!(lease(&request.count(0)), Err(LeaseError::NoPorts)));
    assert!(matches!(
        lease(&Request::tcp().exact(65535).count(2)),
        Err(LeaseError::Refused { .. })
    ));
    assert!(matches!(lease(&Request::tcp().exact(0)), Err(LeaseError::Refused { .. })));
}

#[test]
fn what_is_bound_is_passed_over_and_named() {
    // Who has it without leasing. Not a port of the kernel's choice: another test leases one of those.
    let mut own = range("2100-2119").iter().map(|port| (Ipv4Addr::LOCALHOST, port.number()));
    let taken = own.find_map(|address| TcpListener::bind(address).ok()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = lease(&Request::tcp().exact(port)).unwrap_err();
    let text = error.to_string();
    let LeaseError::InUse { user: Some(user), source, .. } = error else { panic!("{error}") };
    assert_eq!(user.state, "LISTEN");
    assert!(user.processes.iter().any(|process| process.pid == std::process::id()), "{user}");
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
    assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
    // Elsewhere it is free.
    let other = Request::tcp().exact(port).address(Ipv4Addr::new(127, 0, 0, 99));
    assert_eq!(lease(&other).unwrap().number(), port);

    let error = lease(&Request::tcp().within(range(&port.to_string()))).unwrap_err();
    assert!(matches!(error, LeaseError::Exhausted { in_use: 1, leased: 0, .. }), "{error}");
}

#[test]
fn the_ephemeral_range_is_left_alone() {
    let kernel = KernelPorts::read().unwrap();
    for _ in 0..50 {
        let held = lease(&Request::tcp()).unwrap();
        let safe = !kernel.is_ephemeral(held.port());
        assert_eq!(held.is_ephemeral(), !safe);
    }
    // Unless it is asked for.
    let inside = kernel.ephemeral;
    let exact = lease(&Request::tcp().within(inside)).unwrap();
    assert_eq!(exact.is_ephemeral(), kernel.is_ephemeral(exact.port()));
}

#[test]
fn bound_leases_have_their_sockets() {
    let request = Request::tcp_and_udp().within(range("2120-2139")).loopback().count(2);
    let bound = bind(&request.clone().family(Family::Ipv4)).unwrap();
    assert_eq!((bound.listeners().len(), bound.udp_sockets().len()), (2, 2));
    for (index, port) in bound.lease().ports().enumerate() {
        let address = (Ipv4Addr::LOCALHOST, port.number()).into();
        assert_eq!(bound.listeners()[index].local_addr().unwrap(), address);
        assert_eq!(bound.udp_sockets()[index].local_addr().unwrap(), address);
        TcpStream::connect(address).unwrap();
    }
    let (listeners, udp_sockets, lease) = bound.into_parts();
    drop((listeners, udp_sockets, lease));
    let both = bind(&request).unwrap();
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    assert_eq!(both.listeners().len(), if has_ipv6 { 4 } else { 2 });
}

#[test]
fn a_listener_everywhere_serves_both_families() {
    let bound = bind(&Request::tcp().within(range("2140-2159"))).unwrap();
    assert_eq!(bound.listeners().len(), 1);
    let port = bound.lease().number();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
}

#[test]
fn an_address_that_is_not_here_is_an_error_not_a_taken_port() {
    // TEST-NET-1 (RFC 5737).
    let request = Request::tcp().address(Ipv4Addr::new(192, 0, 2, 1));
    let error = lease(&request).unwrap_err();
    assert!(matches!(error, LeaseError::Bind { .. }), "{error}");
}

#[test]
fn a_squatted_name_is_passed_over_and_told_from_a_lease() {
    let request = Request::tcp().within(range("2160-2169"));
    let port = 2164;
    let name = format!("ports-lease/tcp/{port}");
    let squatter =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let error = lease(&request.clone().exact(port)).unwrap_err();
    let text = error.to_string();
    let LeaseError::Squatted { holder, .. } = error else { panic!("{error}") };
    assert!(holder.processes.iter().any(|process| process.pid == std::process::id()));
    assert!(text.contains(&format!("`@{name}` is held by ")), "{text}");
    assert!(text.contains("which is no lease"), "{text}");

    let (held, error) = all_of(&request);
    assert!(held.iter().all(|lease| lease.number() != port), "{held:?}");
    let passed = held.iter().flat_map(Lease::passed_over).filter(|over| over.port.number() == port);
    assert!(passed.clone().all(|over| over.reason == PassedOverReason::Locked));
    let LeaseError::Exhausted { leased, squatted, .. } = error else { panic!("{error}") };
    assert_eq!((leased as usize, squatted), (held.len(), 1));
    let listed = leases().unwrap();
    let record = listed.iter().find(|record| record.port.number() == port).unwrap();
    assert_eq!((record.transport, &record.lease), (Transport::Tcp, &None));

    drop(squatter);
    drop(held);
    assert_eq!(lease(&request.exact(port)).unwrap().number(), port);
}

#[test]
fn leases_are_listed_with_their_holder() {
    let request = Request::tcp_and_udp().within(range("2170-2189")).count(2).name("list\nme");
    let held = lease(&request).unwrap();
    let own: Vec<_> = leases()
        .unwrap()
        .into_iter()
        .filter(|record| held.ports().any(|port| port == record.port))
        .collect();
    assert_eq!(own.len(), 4);
    for record in own {
        let label = record.lease.unwrap();
        assert_eq!((label.name.as_deref(), label.taken_by), (Some("list?me"), std::process::id()));
        assert!(label.since.elapsed().is_ok());
        assert_eq!(record.uid, Some(rustix::process::getuid().as_raw()));
        assert!(record.processes.iter().any(|process| process.pid == std::process::id()));
    }
    let ports: Vec<Port> = held.ports().collect();
    held.release();
    assert!(leases().unwrap().iter().all(|record| !ports.contains(&record.port)));
}

#[test]
fn long_names_are_listed_whole() {
    let request = |name: &str| Request::tcp().within(range("2480-2499")).name(name);
    let listed = |port: u16| {
        let record = leases().unwrap().into_iter().find(|record| record.port.number() == port);
        record.unwrap().lease.unwrap().name.unwrap()
    };
    let name = format!("{} end", "über die Straße/".repeat(12));
    let held = lease(&request(&name)).unwrap();
    assert_eq!(listed(held.number()), name);
    let longer = lease(&request(&"x".repeat(300))).unwrap();
    assert_eq!(listed(longer.number()), format!("{}…", "x".repeat(252)));
}

#[test]
fn helpers_for_tests_take_one_line() {
    let port = ports_lease::test_port();
    let (listener, tcp) = ports_lease::free_tcp_listener();
    let (socket, udp) = ports_lease::free_udp_socket();
    assert_eq!(listener.local_addr().unwrap().port(), tcp.number());
    assert_eq!(socket.local_addr().unwrap().port(), udp.number());
    assert_ne!(port.number(), tcp.number());
}

#[test]
fn what_is_leased_meanwhile_is_never_listed_as_no_lease() {
    let (done, other) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for within in ["2600-2604", "2605-2609"] {
            let request = Request::tcp_and_udp().within(range(within)).count(2);
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    drop(lease(&request));
                }
            });
        }
        let own = range("2600-2609");
        for _ in 0..200 {
            let listed = squatters().unwrap();
            if listed.iter().any(|record| own.contains(record.port)) {
                other.store(true, Ordering::Relaxed);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(!other.into_inner());
}

#[test]
fn where_all_is_squatted_it_is_said_by_whom() {
    let names = (2190..2194).map(|port| {
        let address = SocketAddr::from_abstract_name(format!("ports-lease/tcp/{port}")).unwrap();
        UnixListener::bind_addr(&address).unwrap()
    });
    let _squatters: Vec<_> = names.collect();
    let error = lease(&Request::tcp().within(range("2190-2193"))).unwrap_err();
    let text = error.to_string();
    let LeaseError::Exhausted { leased: 0, squatted: 4, squatter: Some(_), .. } = error else {
        panic!("{error:?}")
    };
    assert!(text.contains("4 with a lock that is held by a program that is no lease"), "{text}");
    assert!(text.contains("(`@ports-lease/tcp/2190` by "), "{text}");
}
