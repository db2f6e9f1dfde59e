//! Comma-separated values (RFC 4180): a header, then one row per port.

use std::io::{self, Write};

use super::{Report, rtt_us, service_name};
use crate::event::ScanEvent;

const HEADER: [&str; 8] =
    ["host", "port", "transport", "state", "reason", "service", "rtt_us", "attempts"];

/// Writes one row per port event, at once, under a header.
#[derive(Debug)]
pub struct CsvReport<W: Write> {
    writer: ::csv::Writer<W>,
    headed: bool,
}

impl<W: Write> CsvReport<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer: ::csv::Writer::from_writer(writer), headed: false }
    }
}

impl<W: Write> Report for CsvReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        match event {
            // A writer may be given several scans, one after the other.
            ScanEvent::Started(_) if !self.headed => {
                self.headed = true;
                self.writer.write_record(HEADER)?;
            }
            ScanEvent::Port(report) => self.writer.write_record([
                report.address.to_string().as_str(),
                report.port.to_string().as_str(),
                report.transport.name(),
                report.state().name(),
                report.reason.name(),
                service_name(report).unwrap_or_default(),
                rtt_us(report).map(|rtt| rtt.to_string()).unwrap_or_default().as_str(),
                report.attempts.to_string().as_str(),
            ])?,
            ScanEvent::Started(_) | ScanEvent::Host(_) | ScanEvent::Finished(_) => return Ok(()),
        }
        self.writer.flush()
    }
}
