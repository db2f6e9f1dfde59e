//! Scans of real UDP sockets on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use ports_core::{Port, PortSet};

use crate::event::{Method, ScanEvent, ScanSummary};
use crate::scan::{Scan, ScanBuilder};
use crate::state::{PortReport, PortState, Reason};

/// Waits are short: loopback answers at once, or not at all.
const SHORT: Duration = Duration::from_millis(50);

/// A service on a thread of its own: calls `serve` with each datagram, until it is dropped.
struct Service {
    address: SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    fn start(
        at: SocketAddr,
        mut serve: impl FnMut(&UdpSocket, &[u8], SocketAddr) + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            loop {
                let (length, sender) = socket.recv_from(&mut buffer).unwrap();
                if &buffer[..length] == STOP {
                    return;
                }
                serve(&socket, &buffer[..length], sender);
            }
        });
        Self { address, thread: Some(thread) }
    }

    fn port(&self) -> Port {
        self.address.port().into()
    }
}

const STOP: &[u8] = b"the test is over";

impl Drop for Service {
    fn drop(&mut self) {
        let socket = UdpSocket::bind((self.address.ip(), 0)).unwrap();
        socket.send_to(STOP, self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn echo(socket: &UdpSocket, datagram: &[u8], sender: SocketAddr) {
    socket.send_to(datagram, sender).unwrap();
}

fn at(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 0)
}

fn udp(address: &str, ports: &PortSet) -> ScanBuilder {
    Scan::builder()
        .address(address.parse().unwrap())
        .ports(ports)
        .method(Method::Udp)
        .timeout(SHORT)
        .report(&PortState::ALL)
}

fn run(builder: ScanBuilder) -> (BTreeMap<Port, PortReport>, ScanSummary) {
    let mut reports = BTreeMap::new();
    let summary = builder.build().unwrap().run(|event| {
        if let ScanEvent::Port(report) = event {
            assert!(reports.insert(report.port, report).is_none(), "two verdicts");
        }
    });
    (reports, summary.unwrap())
}

/// The ports that some program of this machine holds on every address, as the kernel lists them: open,
/// perhaps, on whichever loopback address a test takes.
fn bound_to_every_address() -> PortSet {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let rows = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let mut ports = PortSet::new();
    for row in rows.iter().flat_map(|rows| rows.lines().skip(1)) {
        let (address, port) = row.split_whitespace().nth(1).unwrap().split_once(':').unwrap();
        if address.bytes().all(|digit| digit == b'0') {
            ports.insert(u16::from_str_radix(port, 16).unwrap().into());
        }
    }
    ports
}

#[test]
fn open_closed_and_silent_are_told_apart() {
    for address in ["127.78.0.1", "::1"] {
        let open = Service::start(at(address), echo);
        let silent = UdpSocket::bind(at(address)).unwrap();
        let closed = UdpSocket::bind(at(address)).unwrap();
        let port = |socket: &UdpSocket| Port::new(socket.local_addr().unwrap().port());
        let (silent_port, closed_port) = (port(&silent), port(&closed));
        drop(closed);
        let ports = PortSet::from_iter([open.port(), silent_port, closed_port]);
        let (reports, summary) = run(udp(address, &ports));
        let verdict = |port| (reports[&port].state(), reports[&port].reason);
        assert_eq!(verdict(open.port()), (PortState::Open, Reason::UdpResponse));
        assert_eq!(verdict(closed_port), (PortState::Closed, Reason::PortUnreachable));
        assert_eq!(verdict(silent_port), (PortState::OpenFiltered, Reason::NoResponse));
        assert!(reports[&open.port()].rtt.is_some() && reports[&closed_port].rtt.is_some());
        assert_eq!(reports[&open.port()].attempts, 1);
        assert!(reports[&silent_port].attempts >= 2);
        let tally = summary.tally;
        assert_eq!((tally.probes, tally.errors, tally.filtered), (3, 0, 0));
        assert_eq!((tally.open, tally.closed, tally.open_filtered), (1, 1, 1));
        assert_eq!((summary.hosts_up, summary.method), (1, Method::Udp));
        drop(silent);
    }
}

/// A service that keeps silent on all but the second question of its port.
#[test]
fn every_question_is_asked_until_one_is_answered() {
    let picky = Service::start(at("127.78.0.2"), |socket, datagram, sender| {
        if !datagram.is_empty() {
            echo(socket, b"at last", sender);
        }
    });
    let (reports, _) = run(udp("127.78.0.2", &PortSet::from_iter([picky.port()])));
    let report = reports[&picky.port()];
    assert_eq!((report.reason, report.attempts), (Reason::UdpResponse, 2));
}

/// A datagram from elsewhere, of the same host too, is no answer of the port.
#[test]
fn an_answer_from_another_port_is_none() {
    let elsewhere = UdpSocket::bind("127.78.0.3:0").unwrap();
    let service = Service::start(at("127.78.0.3"), move |_, _, sender| {
        elsewhere.send_to(b"not from there", sender).unwrap();
    });
    let (reports, _) = run(udp("127.78.0.3", &PortSet::from_iter([service.port()])));
    assert_eq!(reports[&service.port()].reason, Reason::NoResponse);
}

/// The sockets of the scan are bound to ports of the very range that is scanned.
#[test]
fn own_sockets_are_no_services() {
    let ports: PortSet = "30000-65535".parse().unwrap();
    for (seed, workers) in [(1, 1), (2, 1), (3, 4)] {
        let quiet = "127.78.0.4";
        let scan = udp(quiet, &ports).seed(seed).workers(workers);
        for scan in [scan.clone(), scan.source(quiet.parse().unwrap())] {
            let others = bound_to_every_address();
            let (reports, summary) = run(scan);
            let open = reports.values().filter(|report| report.state() == PortState::Open);
            let open: Vec<Port> = open.map(|report| report.port).collect();
            assert!(open.iter().all(|port| others.contains(*port)), "{open:?}");
            assert_eq!((reports.len(), summary.tally.errors, summary.unfinished), (35_536, 0, 0));
        }
    }
}

#[test]
fn every_service_among_all_ports() {
    for address in ["127.78.0.5".parse().unwrap(), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let services: Vec<_> =
            (0..10).map(|_| Service::start(SocketAddr::new(address, 0), echo)).collect();
        let all = "0-65535".parse().unwrap();
        let (reports, summary) = run(udp(&address.to_string(), &all));
        for service in &services {
            assert_eq!(reports[&service.port()].reason, Reason::UdpResponse);
        }
        assert_eq!((summary.tally.probes, summary.tally.filtered), (65_536, 0));
        assert_eq!(reports[&Port::ANY].reason, Reason::InvalidAddress, "port 0 cannot be asked");
        assert_eq!(summary.tally.errors, 1);
    }
}

#[test]
fn a_source_address_is_kept() {
    let (told, heard) = std::sync::mpsc::channel();
    let service = Service::start(at("127.78.0.6"), move |socket, datagram, sender| {
        told.send(sender.ip()).unwrap();
        echo(socket, datagram, sender);
    });
    let source: IpAddr = "127.78.0.7".parse().unwrap();
    let scan = udp("127.78.0.6", &PortSet::from_iter([service.port()])).source(source);
    assert_eq!(run(scan).1.tally.open, 1);
    assert_eq!(heard.recv().unwrap(), source);
}

#[test]
fn many_hosts_share_the_sockets() {
    let service = Service::start(at("127.78.1.9"), echo);
    let targets: crate::TargetSpec = "127.78.1.0/24".parse().unwrap();
    let ports = PortSet::from_iter([service.port(), Port::new(1)]);
    let scan = Scan::builder()
        .targets(crate::resolve(&[targets], None).unwrap(), vec![])
        .ports(&ports)
        .method(Method::Udp)
        .build()
        .unwrap();
    let mut open = Vec::new();
    let summary = scan.run(|event| {
        if let ScanEvent::Port(report) = event {
            open.push(report.address);
        }
    });
    let tally = summary.unwrap().tally;
    assert_eq!(open, [service.address.ip()]);
    assert_eq!((tally.probes, tally.closed, tally.errors), (512, 511, 0));
}

#[test]
fn what_the_kernel_refuses_is_no_state_of_the_target() {
    // TEST-NET-3 (RFC 5737), which nothing that comes from loopback is sent to.
    let scan = udp("203.0.113.77", &PortSet::from_iter([Port::new(9)]));
    let (reports, summary) = run(scan.source("127.78.0.9".parse().unwrap()));
    assert_eq!(reports[&Port::new(9)].state(), PortState::Error);
    assert_eq!((summary.tally.errors, summary.tally.sent), (1, 0));
}

#[test]
fn few_retries_still_ask_every_question_once() {
    let silent = UdpSocket::bind("127.78.0.8:0").unwrap();
    let port = Port::new(silent.local_addr().unwrap().port());
    let (reports, summary) = run(udp("127.78.0.8", &PortSet::from_iter([port])).retries(0));
    assert_eq!((reports[&port].attempts, summary.tally.sent), (2, 2));
}
