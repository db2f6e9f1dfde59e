//! One call for one question: a port, a range, the well-known ports.

use std::net::IpAddr;
use std::time::Duration;

use ports_core::{Port, PortRange, PortSet, Service, service_by_port, well_known};

use super::{Scan, ScanError};
use crate::event::ScanEvent;
use crate::state::{PortReport, PortState};

/// Asks one TCP port. Blocks for at most the attempts that `timeout` allows.
///
/// ```
/// use std::net::{Ipv4Addr, TcpListener};
/// use std::time::Duration;
/// use scanner::{PortState, scan_port};
///
/// let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
/// let address = listener.local_addr()?;
/// let report = scan_port(address.ip(), address.port().into(), Duration::from_secs(1))?;
/// assert_eq!(report.state(), PortState::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ScanError`] where the scan could not be done at all. A port that could not be asked for a reason
/// of this machine is a report in state [`PortState::Error`].
pub fn scan_port(address: IpAddr, port: Port, timeout: Duration) -> Result<PortReport, ScanError> {
    let reports = scan(address, &PortSet::from_iter([port]), timeout, &PortState::ALL)?;
    // A scan that was not cancelled gives each port a verdict.
    reports.first().copied().ok_or(ScanError::OutOfResources)
}

/// Asks the TCP ports of a range, and returns the open ones in ascending order.
///
/// # Errors
///
/// [`ScanError`] where the scan could not be done; [`ScanError::NotAsked`] where this machine could not
/// ask some of the ports, so that the answer would be incomplete.
pub fn scan_range(
    address: IpAddr,
    range: PortRange,
    timeout: Duration,
) -> Result<Vec<PortReport>, ScanError> {
    scan(address, &PortSet::from_iter([range]), timeout, &[PortState::Open])
}

/// Asks the reference's fifteen well-known TCP ports ([`ports_core::well_known`]), and returns the
/// open ones in ascending order, each with its service.
///
/// # Errors
///
/// As [`scan_range`].
pub fn scan_well_known(
    address: IpAddr,
    timeout: Duration,
) -> Result<Vec<(PortReport, Option<Service>)>, ScanError> {
    let ports: PortSet = well_known().iter().copied().collect();
    let open = scan(address, &ports, timeout, &[PortState::Open])?;
    let named = |report: PortReport| (report, service_by_port(report.port, report.transport));
    Ok(open.into_iter().map(named).collect())
}

/// The reports of a scan that gave each port a verdict; sorted.
fn scan(
    address: IpAddr,
    ports: &PortSet,
    timeout: Duration,
    states: &[PortState],
) -> Result<Vec<PortReport>, ScanError> {
    let scan =
        Scan::builder().address(address).ports(ports).timeout(timeout).show(states).build()?;
    let mut reports = Vec::new();
    let summary = scan.run(|event| {
        if let ScanEvent::Port(report) = event {
            reports.push(report);
        }
    })?;
    if let Some(reason) = summary.first_error
        && !states.contains(&PortState::Error)
    {
        return Err(ScanError::NotAsked { address, ports: summary.tally.errors, reason });
    }
    reports.sort_by_key(|report| report.port);
    Ok(reports)
}
