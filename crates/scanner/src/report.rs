//! Report writers: one per format, all over [`std::io::Write`].

mod csv;
mod jsonl;
mod table;

use std::io;

pub use self::csv::CsvReport;
pub use jsonl::JsonlReport;
use ports_core::service_by_port;
pub use table::{Paint, TableReport};

use crate::event::ScanEvent;
use crate::state::PortReport;

/// Takes the events of a scan and writes them down.
pub trait Report {
    /// Writes one event. What belongs to it is handed to the writer before the call returns, except
    /// for rows that a format puts in order, which wait for [`ScanEvent::Finished`].
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn event(&mut self, event: &ScanEvent) -> io::Result<()>;
}

fn service_name(report: &PortReport) -> Option<&'static str> {
    service_by_port(report.port, report.transport).map(|service| service.name)
}

fn rtt_us(report: &PortReport) -> Option<u64> {
    report.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
