//! Comma-separated values (RFC 4180): a header, then one row per port.

use std::io::{self, Write};

use super::{Report, rtt_us, service_name};
use crate::event::ScanEvent;

const HEADER: [&str; 8] =
    ["host", "port", "transport", "state", "reason", "service", "rtt_us", "attempts"];

/// Writes one row per port event under a header.
#[derive(Debug)]
pub struct CsvReport<W: Write> {
    writer: ::csv::Writer<W>,
    headed: bool,
    /// Whether the writer may still keep rows back.
    unflushed: bool,
}

impl<W: Write> CsvReport<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer: ::csv::Writer::from_writer(writer), headed: false, unflushed: false }
    }
}

impl<W: Write> Report for CsvReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        match event {
            // A writer may be given several scans, one after the other.
            ScanEvent::Started(_) if !self.headed => {
                self.headed = true;
                self.writer.write_record(HEADER).map_err(io_error)?;
                self.writer.flush()
            }
            ScanEvent::Port(report) => {
                self.unflushed = true;
                let written = self.writer.write_record([
                    report.address.to_string().as_str(),
                    report.port.to_string().as_str(),
                    report.transport.name(),
                    report.state().name(),
                    report.reason.name(),
                    service_name(report).unwrap_or_default(),
                    rtt_us(report).map(|rtt| rtt.to_string()).unwrap_or_default().as_str(),
                    report.attempts.to_string().as_str(),
                ]);
                written.map_err(io_error)
            }
            ScanEvent::Tick | ScanEvent::Finished(_) => self.tick(),
            ScanEvent::Started(_) | ScanEvent::Host(_) => Ok(()),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unflushed) { self.writer.flush() } else { Ok(()) }
    }
}

/// What the writer said: its kind decides how the program ends.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        // Every row has as many fields as the header.
        kind => io::Error::other(format!("{kind:?}")),
    }
}
