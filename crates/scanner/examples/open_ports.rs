//! Which ports are open: `cargo run --example open_ports -- 127.0.0.1 1-1024 [--json]`. Scan only hosts that
//! you may scan.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io;
use std::time::Duration;

use scanner::ports_core::{PortSet, service_by_port};
use scanner::report::{JsonlReport, Report as _};
use scanner::{PortState, Scan, ScanEvent, ScanSummary, TargetSpec};

fn scan(target: &str, ports: &str) -> Result<Scan, Box<dyn Error>> {
    let target: TargetSpec = target.parse()?;
    let ports: PortSet = ports.parse()?;
    let scan = Scan::builder()
        .resolve(&[target], None)?
        .ports(&ports)
        .timeout(Duration::from_secs(1))
        // The others are counted all the same.
        .show(&[PortState::Open])
        .build()?;
    Ok(scan)
}

/// A line for each open port, as it is found.
fn open_ports(scan: &Scan, mut line: impl FnMut(String)) -> Result<ScanSummary, Box<dyn Error>> {
    let summary = scan.run(|event| {
        if let ScanEvent::Port(report) = event {
            let service = service_by_port(report.port, report.transport);
            let name = service.map_or("?", |service| service.name);
            line(format!("{} {}/{} {name}", report.address, report.port, report.transport));
        }
    })?;
    Ok(summary)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().unwrap_or_else(|| "127.0.0.1".to_owned());
    let scan = scan(&target, &arguments.next().unwrap_or_else(|| "1-1024".to_owned()))?;
    if arguments.next().as_deref() == Some("--json") {
        let mut report = JsonlReport::new(io::stdout());
        let mut written = Ok(());
        scan.run(|event| {
            if written.is_ok() {
                written = report.event(&event);
            }
            if written.is_err() {
                scan.handle().cancel();
            }
        })?;
        return Ok(written?);
    }
    let summary = open_ports(&scan, |line| println!("{line}"))?;
    let tally = summary.tally;
    println!(
        "{} open, {} closed, {} filtered, {} not asked, in {:?}",
        tally.open, tally.closed, tally.filtered, tally.errors, summary.elapsed
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_listener_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut lines = Vec::new();
        let scan = scan("127.0.0.1", &port.to_string()).unwrap();
        let summary = open_ports(&scan, |line| lines.push(line)).unwrap();
        assert_eq!((summary.tally.probes, summary.tally.open), (1, 1));
        assert!(lines[0].starts_with(&format!("127.0.0.1 {port}/tcp ")), "{lines:?}");
    }
}
