//! Scans of real UDP sockets on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use ports_core::{Port, PortSet};

use crate::event::{Method, ScanEvent, ScanSummary};
use crate::scan::{Scan, ScanBuilder};
use crate::state::{PortReport, PortState, Reason};

/// Waits are short where a port is to stay silent.
const SHORT: Duration = Duration::from_millis(50);
/// For an answer, which is waited for, and not the time: a service may have to wait for a processor.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many short waits for each question are as long.
const RETRIES: u16 = 300;

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

fn port_of(socket: &UdpSocket) -> Port {
    socket.local_addr().unwrap().port().into()
}

/// A socket that refuses what comes from anybody but itself, so that its port is closed and nobody else's.
fn refusing(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(at(address)).unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    socket
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
        .show(&PortState::ALL)
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
    bound(|address| address.bytes().all(|digit| digit == b'0'))
}

/// The ports of sockets whose address, as the kernel writes it, is meant.
fn bound(is_meant: impl Fn(&str) -> bool) -> PortSet {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let rows = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let mut ports = PortSet::new();
    for row in rows.iter().flat_map(|rows| rows.lines().skip(1)) {
        let (address, port) = row.split_whitespace().nth(1).unwrap().split_once(':').unwrap();
        if is_meant(address) {
            ports.insert(u16::from_str_radix(port, 16).unwrap().into());
        }
    }
    ports
}

#[test]
fn open_closed_and_silent_are_told_apart() {
    for address in ["127.78.0.1", "::1"] {
        let open = Service::start(at(address), echo);
        let (silent, closed) = (UdpSocket::bind(at(address)).unwrap(), refusing(address));
        let (silent_port, closed_port) = (port_of(&silent), port_of(&closed));
        let ports = PortSet::from_iter([open.port(), closed_port]);
        let (reports, summary) = run(udp(address, &ports).timeout(PATIENCE));
        let verdict = |report: &PortReport| (report.state(), report.reason, report.attempts);
        let (answered, refused) = (&reports[&open.port()], &reports[&closed_port]);
        assert_eq!(verdict(answered), (PortState::Open, Reason::UdpResponse, 1));
        assert_eq!(verdict(refused), (PortState::Closed, Reason::PortUnreachable, 1));
        assert!(answered.rtt.is_some() && refused.rtt.is_some());
        let tally = summary.tally;
        assert_eq!((tally.probes, tally.errors, tally.filtered), (2, 0, 0));
        assert_eq!((tally.open, tally.closed, tally.open_filtered), (1, 1, 0));
        assert_eq!((summary.hosts_up, summary.method), (1, Method::Udp));

        // By itself: the others would be waited for no longer than it.
        let (reports, summary) = run(udp(address, &PortSet::from_iter([silent_port])));
        let unheard = &reports[&silent_port];
        let no_response = (PortState::OpenFiltered, Reason::NoResponse);
        assert_eq!((unheard.state(), unheard.reason), no_response);
        assert!(unheard.attempts >= 2 && unheard.rtt.is_none());
        let tally = summary.tally;
        assert_eq!((tally.probes, tally.open_filtered, tally.errors), (1, 1, 0));
    }
}

/// A service that keeps silent on all but the second question of its port.
#[test]
fn every_question_is_asked_until_one_is_answered() {
    let (told, heard) = std::sync::mpsc::channel();
    let picky = Service::start(at("127.78.0.2"), move |socket, datagram, sender| {
        told.send(datagram.is_empty()).unwrap();
        if !datagram.is_empty() {
            echo(socket, b"at last", sender);
        }
    });
    let ports = PortSet::from_iter([picky.port()]);
    let (reports, _) = run(udp("127.78.0.2", &ports).retries(RETRIES));
    let report = reports[&picky.port()];
    // More where the answer to the second took longer than the wait for it.
    assert!(report.attempts >= 2);
    assert_eq!(report.reason, Reason::UdpResponse);
    drop(picky);
    let questions: Vec<bool> = heard.iter().collect();
    assert_ne!(questions[0], questions[1], "each once, before one is repeated");
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

/// The sockets of the scan are bound to ports of the very range that is scanned. No other test asks this
/// address.
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
            let others = others.union(&bound_to_every_address());
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
        // Another program's socket that never answers would be asked for as long as a service.
        let mut asked: PortSet = "0-65535".parse().unwrap();
        asked = asked.difference(&bound(|_| true));
        asked.extend(services.iter().map(Service::port));
        let (reports, summary) = run(udp(&address.to_string(), &asked).retries(RETRIES));
        for service in &services {
            assert_eq!(reports[&service.port()].reason, Reason::UdpResponse);
        }
        assert_eq!((summary.tally.probes, summary.tally.filtered), (asked.len() as u64, 0));
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
    assert_eq!(run(scan.timeout(PATIENCE)).1.tally.open, 1);
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
        .retries(RETRIES)
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
