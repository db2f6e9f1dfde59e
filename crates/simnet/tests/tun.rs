//! The simulation behind a real TUN device: this machine's own kernel is the one that asks.
//!
//! Each test leaves for a network namespace of its own before it makes anything; that is gone with
//! the test's thread.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use simnet::{Device, Network, Simulation, TunDevice};
use sockets_sys::{NetlinkProtocol, NetlinkReceiveError, NetlinkSocket};

/// Longer than any of it takes: an answer is waited for, not a time.
const PATIENCE: Duration = Duration::from_mins(1);

const HOSTS: &str = r#"
    router = "10.80.255.254"
    router6 = "fd80::ffff"
    [[hosts]]
    prefix = "10.80.0.0/24"
    tcp = { open = "22", prohibited = "25" }
    udp = { open = "53" }
    path = { delay_ms = 5, jitter_ms = 5 }
    [[hosts]]
    prefix = "10.80.1.0/24"
    up = 0.0
    down = "host-unreachable"
    [[hosts]]
    prefix = "fd80::/64"
    tcp = { open = "22" }
    udp = { open = "53" }
    path = { delay_ms = 5 }
"#;

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}");
}

/// `RTNLGRP_LINK` and `RTNLGRP_IPV6_ROUTE` of linux/rtnetlink.h
const LINKS: u32 = 1;
const IPV6_ROUTES: u32 = 11;

/// Waits until it is so; the kernel tells what changes of `group`.
fn wait_until(group: u32, is_so: impl Fn() -> bool) {
    let changes = NetlinkSocket::open(NetlinkProtocol::ROUTE).unwrap();
    changes.join(group).unwrap();
    let mut buffer = vec![0; 32 * 1024];
    while !is_so() {
        match changes.receive(&mut buffer, PATIENCE) {
            Ok(_) | Err(NetlinkReceiveError::Overrun) => {}
            Err(error) => panic!("it is not so: {error}"),
        }
    }
}

/// Whether packets to this address of this machine's arrive: the kernel makes the route that does it some
/// time after the address, in a worker (`addrconf_dad_work` in net/ipv6/addrconf.c).
fn is_own(address: &str) -> bool {
    let output = Command::new("ip").args(["route", "get", address]).output().unwrap();
    output.stdout.starts_with(b"local ")
}

/// A simulation in a namespace of its own: with this thread, it is the only thing there.
fn simulation() -> Simulation {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
    let device = TunDevice::open("sim0").unwrap();
    for args in [
        "link set lo up",
        "addr add 10.79.0.1/32 dev sim0",
        "addr add fd79::1/128 dev sim0 nodad",
        "link set sim0 up txqueuelen 10000",
        "route add 10.80.0.0/16 dev sim0 src 10.79.0.1",
        "route add fd80::/32 dev sim0 src fd79::1",
    ] {
        ip(args);
    }
    wait_until(IPV6_ROUTES, || is_own("fd79::1"));
    Simulation::start(Network::from_toml(HOSTS).unwrap(), device).unwrap()
}

fn connect(address: &str) -> Result<TcpStream, ErrorKind> {
    let address: SocketAddr = address.parse().unwrap();
    TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.kind())
}

#[test]
#[ignore = "needs root: makes a network namespace and a TUN device"]
fn the_kernel_sees_hosts_behind_the_device() {
    let simulation = simulation();
    for host in ["10.80.0.77", "[fd80::77]"] {
        let mut open = connect(&format!("{host}:22")).unwrap();
        open.write_all(b"hello").unwrap();
        // The end is acknowledged and answered by an end: the kernel sees a proper close.
        open.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(open.read(&mut [0; 1]).unwrap(), 0);
        assert_eq!(connect(&format!("{host}:23")).unwrap_err(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(connect("10.80.0.77:25").unwrap_err(), ErrorKind::HostUnreachable);
    assert_eq!(connect("10.80.1.77:22").unwrap_err(), ErrorKind::HostUnreachable);
    let report = simulation.stop().unwrap();
    assert_eq!((report.network.bad_checksum, report.unsent), (0, 0));
    assert_eq!(report.device_dropped, Some(0));
}

#[test]
#[ignore = "needs root: makes a network namespace and a TUN device"]
fn what_the_device_drops_is_counted() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
    let device = TunDevice::open("sim0").unwrap();
    for args in ["addr add 10.79.0.1/24 dev sim0", "link set sim0 up txqueuelen 10"] {
        ip(args);
    }
    let socket = UdpSocket::bind("10.79.0.1:0").unwrap();
    for _ in 0..200 {
        // Nobody reads them.
        socket.send_to(b"x", "10.79.0.2:9").unwrap();
    }
    let dropped = Device::dropped(&device);
    assert!(dropped.is_some_and(|dropped| (1..200).contains(&dropped)), "{dropped:?}");
}

#[test]
#[ignore = "needs root: makes a network namespace and a TUN device"]
fn datagrams_are_answered_or_refused() {
    let simulation = simulation();
    for (local, host) in [("10.79.0.1:0", "10.80.0.5"), ("[fd79::1]:0", "[fd80::5]")] {
        let socket = UdpSocket::bind(local).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(format!("{host}:53")).unwrap();
        socket.send(b"question").unwrap();
        let mut buffer = [0; 100];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 8);
        assert_eq!(&buffer[..8], b"question");
        socket.connect(format!("{host}:54")).unwrap();
        socket.send(b"question").unwrap();
        assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    drop(simulation);
    // The device goes with it, once no program that another test starts has a copy of its descriptor.
    wait_until(LINKS, || if_nametoindex("sim0").is_err());
    // What is asked now has nowhere to go.
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    let error = socket.send_to(b"question", "[fd80::5]:53").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
}
