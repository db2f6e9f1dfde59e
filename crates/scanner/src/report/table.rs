//! The table a person reads: one section per host, ports in order, and a last line that sums up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ports_core::PortClass;

use super::{Report, service_name};
use crate::event::{ScanEvent, ScanSummary};
use crate::state::{PortReport, PortState};

/// Rows kept to be put in order. Past that they are written as they come.
const MAX_SORTED_ROWS: usize = 100_000;

/// How a state is painted: what goes before and after its name.
pub type Paint = fn(PortState) -> (&'static str, &'static str);

/// Writes a table at the end of the scan, sorted by host and port.
#[derive(Debug)]
pub struct TableReport<W> {
    writer: W,
    paint: Paint,
    rows: BTreeMap<(IpAddr, u16), PortReport>,
    names: BTreeMap<IpAddr, Arc<str>>,
    streaming: bool,
}

impl<W: Write> TableReport<W> {
    /// Writes to `writer`, without colours.
    pub fn new(writer: W) -> Self {
        Self::painted(writer, |_| ("", ""))
    }

    /// Writes to `writer`, each state between what `paint` gives for it.
    pub const fn painted(writer: W, paint: Paint) -> Self {
        Self { writer, paint, rows: BTreeMap::new(), names: BTreeMap::new(), streaming: false }
    }

    fn port(&mut self, report: &PortReport) -> io::Result<()> {
        if self.streaming {
            let row = self.row(report);
            return writeln!(self.writer, "{} {row}", report.address);
        }
        self.rows.insert((report.address, report.port.number()), *report);
        if self.rows.len() >= MAX_SORTED_ROWS {
            self.write_rows()?;
            self.streaming = true;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let mut host = None;
        for report in rows.values() {
            if host != Some(report.address) {
                if host.is_some() {
                    writeln!(self.writer)?;
                }
                host = Some(report.address);
                match self.names.get(&report.address) {
                    Some(name) => writeln!(self.writer, "{name} ({})", report.address)?,
                    None => writeln!(self.writer, "{}", report.address)?,
                }
                let header = ["PORT", "STATE", "SERVICE", "CLASS", "REASON", "RTT"];
                let [port, state, service, class, reason, rtt] = header;
                writeln!(
                    self.writer,
                    "  {port:<10} {state:<9} {service:<18} {class:<8} {reason:<20} {rtt:>9}"
                )?;
            }
            let row = self.row(report);
            writeln!(self.writer, "  {row}")?;
        }
        Ok(())
    }

    fn row(&self, report: &PortReport) -> String {
        let (before, after) = (self.paint)(report.state());
        let port = format!("{}/{}", report.port, report.transport);
        let class: PortClass = report.port.class();
        let mut row = String::new();
        // Writing to a String does not fail.
        let _ = write!(
            row,
            "{port:<10} {before}{:<9}{after} {:<18} {class:<8} {:<20} {:>9}",
            report.state().name(),
            service_name(report).unwrap_or("-"),
            report.reason.name(),
            report.rtt.map_or_else(|| "-".to_owned(), milliseconds),
        );
        row
    }

    fn summary(&mut self, summary: &ScanSummary) -> io::Result<()> {
        let any = !self.rows.is_empty();
        self.write_rows()?;
        if any {
            writeln!(self.writer)?;
        }
        let tally = summary.tally;
        let hosts = if summary.hosts == 1 { "host" } else { "hosts" };
        write!(
            self.writer,
            "{} {hosts}, {} up: {} open, {} closed, {} filtered",
            summary.hosts, summary.hosts_up, tally.open, tally.closed, tally.filtered
        )?;
        if tally.open_filtered > 0 {
            write!(self.writer, ", {} open|filtered", tally.open_filtered)?;
        }
        if tally.errors > 0 {
            write!(self.writer, ", {} not asked (local errors)", tally.errors)?;
        }
        if summary.unfinished > 0 {
            write!(self.writer, ", {} unfinished", summary.unfinished)?;
        }
        let plural = if tally.sent == 1 { "" } else { "s" };
        writeln!(
            self.writer,
            "; {} probe{plural} in {:.2} s ({})",
            tally.sent,
            summary.elapsed.as_secs_f64(),
            summary.method.name()
        )?;
        self.writer.flush()
    }
}

impl<W: Write> Report for TableReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        match event {
            ScanEvent::Started(_) => Ok(()),
            ScanEvent::Host(host) => {
                if let Some(name) = &host.name {
                    self.names.insert(host.address, Arc::clone(name));
                }
                Ok(())
            }
            ScanEvent::Port(report) => self.port(report),
            ScanEvent::Finished(summary) => self.summary(summary),
        }
    }
}

fn milliseconds(rtt: Duration) -> String {
    format!("{:.3} ms", rtt.as_secs_f64() * 1e3)
}
