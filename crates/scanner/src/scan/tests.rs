//! Scans of real sockets on loopback.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use ports_core::{Port, PortRange, PortSet};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::state::{PortReport, Reason};
use crate::{TargetSpec, resolve};

mod crash;
mod extremes;
mod parts;
mod sink;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SECOND: Duration = Duration::from_secs(1);
/// For the answer of this very machine, which is waited for, and not the time.
const PATIENCE: Duration = Duration::from_secs(30);

fn listeners(count: usize, address: IpAddr) -> Vec<TcpListener> {
    (0..count).map(|_| TcpListener::bind((address, 0)).unwrap()).collect()
}

fn port_of(listener: &TcpListener) -> Port {
    listener.local_addr().unwrap().port().into()
}

/// The ports on which some program of this machine listens for every address, as the kernel lists
/// them: open on whichever loopback address a test takes.
fn open_on_every_address() -> BTreeSet<Port> {
    let mut ports = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let rows = std::fs::read_to_string(table).unwrap_or_default();
        for fields in rows.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>()) {
            let (address, port) = fields[1].split_once(':').unwrap();
            let listening = fields[3] == "0A";
            if listening && address.bytes().all(|digit| digit == b'0') {
                ports.insert(u16::from_str_radix(port, 16).unwrap().into());
            }
        }
    }
    ports
}

/// The open ports of a scan, that has to have found these.
///
/// Other programs may begin or cease to listen for every address meanwhile: who did so before and after is
/// found, too, and who did so at one of the two times may be.
fn assert_finds(scan: ScanBuilder, listening: &BTreeSet<Port>) {
    let before = open_on_every_address();
    let found = ports_of(&run(scan.clone()).0);
    let after = open_on_every_address();
    let asked: BTreeSet<Port> = scan.build().unwrap().plan().ports().iter().copied().collect();
    let mut certain: BTreeSet<Port> = &(&before & &after) & &asked;
    certain.extend(listening);
    let possible = &(&before | &after) | listening;
    assert!(found.is_superset(&certain), "{certain:?} not all in {found:?}");
    assert!(found.is_subset(&possible), "{found:?} not all in {possible:?}");
}

fn ports_of(reports: &[PortReport]) -> BTreeSet<Port> {
    reports.iter().map(|report| report.port).collect()
}

fn run(builder: ScanBuilder) -> (Vec<PortReport>, ScanSummary) {
    let mut reports = Vec::new();
    let scan = builder.build().unwrap();
    let summary = scan.run(|event| {
        if let ScanEvent::Port(report) = event {
            reports.push(report);
        }
    });
    reports.sort_by_key(|report| (report.address, report.port));
    (reports, summary.unwrap())
}

#[test]
fn one_port_closed_then_open() {
    // Bound, so that nobody else gets it, and not listening yet.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port().into();
    let report = scan_port(LOCALHOST, port, PATIENCE).unwrap();
    assert_eq!((report.state(), report.reason), (PortState::Closed, Reason::Reset));
    socket.listen(1).unwrap();
    let report = scan_port(LOCALHOST, port, PATIENCE).unwrap();
    assert_eq!((report.state(), report.reason), (PortState::Open, Reason::SynAck));
    assert!(report.rtt.is_some() && report.attempts == 1);
}

/// Every port of loopback, and nothing but what listens, whichever ephemeral ports the scan itself
/// uses meanwhile. Other tests open and close ports at the same time, so only this test's own
/// listeners are asked for by name; each other one found is asked again.
#[test]
fn the_whole_range_finds_every_listener() {
    for address in [LOCALHOST, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let held = listeners(12, address);
        let expected: BTreeSet<Port> = held.iter().map(port_of).collect();
        let (open, summary) =
            run(Scan::builder().address(address).ports(&"0-65535".parse().unwrap()));
        let found = ports_of(&open);
        assert!(found.is_superset(&expected), "{expected:?} not all in {found:?}");
        assert_eq!(
            (summary.tally.probes, summary.unfinished, summary.tally.errors),
            (65_536, 0, 0)
        );
        assert_eq!(summary.tally.open, open.len() as u64);
    }
}

/// Both kinds of self-connection, forced: the ephemeral range is scanned by many workers at once, on
/// an address nobody else uses.
#[test]
fn own_sockets_are_never_open_ports() {
    let quiet: IpAddr = "127.77.0.1".parse().unwrap();
    for seed in 0..3 {
        let before = open_on_every_address();
        let (open, summary) = run(Scan::builder()
            .address(quiet)
            .source(quiet)
            .ports(&"30000-65535".parse().unwrap())
            .workers(4)
            .seed(seed));
        assert!(ports_of(&open).is_subset(&(&before | &open_on_every_address())), "{open:?}");
        assert_eq!((summary.tally.filtered, summary.tally.errors), (0, 0));
        assert_eq!(summary.tally.closed + summary.tally.open, 35_536);
    }
}

#[test]
fn a_listener_on_the_own_source_address_is_found() {
    let quiet: IpAddr = "127.77.0.2".parse().unwrap();
    let listener = TcpListener::bind((quiet, 0)).unwrap();
    let range = PortRange::new(1024, 65_535).unwrap();
    let scan = Scan::builder().address(quiet).source(quiet).ports(&PortSet::from_iter([range]));
    assert_finds(scan, &BTreeSet::from([port_of(&listener)]));
}

#[test]
fn many_hosts() {
    let listener = TcpListener::bind("127.77.1.7:0").unwrap();
    let targets: crate::TargetSpec = "127.77.1.0/24".parse().unwrap();
    let resolved = crate::resolve(&[targets], None).unwrap();
    let ports = PortSet::from_iter([port_of(&listener), Port::new(1), Port::new(2)]);
    let mut hosts = 0;
    let mut open = Vec::new();
    let scan = Scan::builder().targets(resolved, vec![]).ports(&ports).build().unwrap();
    let summary = scan
        .run(|event| match event {
            ScanEvent::Host(_) => hosts += 1,
            ScanEvent::Port(report) => {
                open.push(SocketAddr::new(report.address, report.port.into()));
            }
            _ => {}
        })
        .unwrap();
    assert_eq!(open, [listener.local_addr().unwrap()]);
    assert_eq!((hosts, summary.hosts_up, summary.hosts), (256, 256, 256));
    assert_eq!(summary.tally.probes, 768);
}

#[test]
fn excluded_addresses_and_reported_states() {
    let listener = TcpListener::bind("127.77.2.1:0").unwrap();
    let ports = PortSet::from_iter([port_of(&listener), Port::new(1)]);
    let targets: crate::TargetSpec = "127.77.2.0/30".parse().unwrap();
    let scan = Scan::builder()
        .targets(crate::resolve(&[targets], None).unwrap(), vec![])
        .exclude(&"127.77.2.2/31".parse::<crate::TargetSpec>().unwrap().addresses().unwrap())
        .ports(&ports)
        .show(&[PortState::Closed]);
    let (closed, summary) = run(scan);
    assert_eq!(closed.len(), 3);
    assert_eq!((summary.tally.open, summary.tally.closed), (1, 3));
}

#[test]
fn the_same_scan_twice_gives_the_same_answer() {
    let quiet: IpAddr = "127.77.3.1".parse().unwrap();
    let held = listeners(5, quiet);
    let listening = held.iter().map(port_of).collect();
    for seed in 0..5 {
        let all = "1-65535".parse().unwrap();
        assert_finds(Scan::builder().address(quiet).ports(&all).seed(seed), &listening);
    }
}

#[test]
fn well_known_ports_come_with_their_names() {
    // Binding one of the fifteen may be refused here; what is found must be named all the same.
    for (report, service) in scan_well_known(LOCALHOST, SECOND).unwrap() {
        assert!(ports_core::well_known().contains(&report.port));
        assert_eq!(service.map(|service| service.port), Some(report.port));
    }
}

#[test]
fn a_range_gives_its_open_ports() {
    let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
    let port = port_of(&listener);
    let open = scan_range(LOCALHOST, PortRange::single(port), SECOND).unwrap();
    assert_eq!(ports_of(&open), BTreeSet::from([port]));
}

#[test]
fn a_cancelled_scan_says_what_it_left() {
    let scan =
        Scan::builder().address(LOCALHOST).ports(&"1-65535".parse().unwrap()).rate(100).build();
    let scan = scan.unwrap();
    let handle = scan.handle();
    let summary = scan
        .run(|event| {
            if matches!(event, ScanEvent::Host(_)) {
                handle.cancel();
            }
        })
        .unwrap();
    assert!(summary.unfinished > 0);
    assert_eq!(summary.tally.probes + summary.unfinished, 65_535);
    assert_eq!(handle.done(), summary.tally.probes);
}

#[test]
fn a_source_that_is_not_ours_is_an_error() {
    // TEST-NET-3 (RFC 5737): on no machine's interface.
    let source = "203.0.113.77".parse().unwrap();
    let ports = "1".parse().unwrap();
    let error =
        Scan::builder().address(LOCALHOST).ports(&ports).source(source).build().unwrap_err();
    assert!(matches!(error, ScanError::Source { address, .. } if address == source));
}

#[test]
fn an_address_that_cannot_be_asked_is_not_closed() {
    // IPv6 multicast: connect refuses it here, whatever is out there.
    let nowhere = "ff01::1".parse().unwrap();
    let report = scan_port(nowhere, Port::new(80), Duration::from_millis(200)).unwrap();
    assert_eq!(report.state(), PortState::Error, "{report:?}");
}

#[test]
fn only_who_answers_discovery_is_scanned() {
    let listeners = listeners(3, LOCALHOST);
    let ports: PortSet = listeners.iter().map(port_of).collect();
    let scan = Scan::builder().address(LOCALHOST).ports(&ports).discover(true).build().unwrap();
    let (mut hosts, mut open) = (Vec::new(), BTreeSet::new());
    let summary = scan
        .run(|event| match event {
            ScanEvent::Host(host) => hosts.push(host),
            ScanEvent::Port(report) => assert!(open.insert(report.port)),
            _ => {}
        })
        .unwrap();
    assert_eq!(hosts.len(), 1);
    assert!(matches!(hosts[0].reason, Some(Reason::Reset | Reason::SynAck)), "{hosts:?}");
    assert_eq!(open, ports.iter().collect());
    assert_eq!((summary.hosts_up, summary.not_scanned, summary.unfinished), (1, Some(0), 0));
    assert_eq!(summary.tally.probes, 3);
}

#[test]
fn discovery_goes_with_no_shard() {
    let shard = "1/2".parse().unwrap();
    let ports = "1".parse().unwrap();
    let scan = Scan::builder().address(LOCALHOST).ports(&ports).shard(shard).discover(true);
    assert!(matches!(scan.build().unwrap_err(), ScanError::DiscoverInParts));
}

/// Two workers meet the same hosts, over several host groups.
#[test]
fn each_host_is_told_once() {
    let target: TargetSpec = "127.64.0.0/17".parse().unwrap();
    let scan = Scan::builder()
        .targets(resolve(&[target], None).unwrap(), Vec::new())
        .ports(&"1-2".parse().unwrap())
        .workers(2)
        .build()
        .unwrap();
    let mut hosts = HashSet::new();
    let summary = scan
        .run(|event| {
            if let ScanEvent::Host(host) = event {
                assert!(hosts.insert(host.address), "{} was told twice", host.address);
            }
        })
        .unwrap();
    assert_eq!((summary.hosts_up, hosts.len()), (1 << 15, 1 << 15));
}
