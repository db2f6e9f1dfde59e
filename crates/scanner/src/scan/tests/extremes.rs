//! The least and the greatest that can be asked for.

use std::net::TcpListener;

use ports_core::{Port, PortSet};

use super::super::*;
use super::{LOCALHOST, port_of, run};

fn scan(ports: &PortSet) -> ScanBuilder {
    let target: crate::TargetSpec = LOCALHOST.to_string().parse().unwrap();
    Scan::builder()
        .targets(crate::resolve(&[target], None).unwrap(), vec![LOCALHOST.to_string()])
        .ports(ports)
        .show(&PortState::ALL)
}

#[test]
fn any_numbers_end_with_a_verdict_on_each_port() {
    let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
    let ports: PortSet = [port_of(&listener), Port::ANY].into_iter().collect();
    let times = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    for timeout in times {
        for number in [0, 1, u16::MAX] {
            let large = usize::from(number).wrapping_sub(1);
            let builder = scan(&ports).timeout(timeout).retries(number).rate(u32::MAX);
            let builder = builder.max_in_flight(large).workers(large).seed(u64::MAX);
            let (reports, summary) = run(builder);
            assert_eq!((summary.tally.probes, summary.unfinished), (2, 0), "{timeout:?} {number}");
            assert_eq!(reports.len(), 2, "{timeout:?} {number}");
        }
    }
}

#[test]
fn a_pace_of_none_is_one_a_second() {
    let port: PortSet = [Port::ANY].into_iter().collect();
    let (_, summary) = run(scan(&port).rate(0).max_in_flight(0).workers(0));
    assert_eq!(summary.tally.probes, 1);
}

#[test]
fn nothing_to_scan_is_an_error() {
    assert!(Scan::builder().build().is_err());
    assert!(scan(&PortSet::new()).build().is_err());
}
