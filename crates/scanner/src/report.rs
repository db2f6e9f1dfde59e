//! Report writers: one per format, all over [`std::io::Write`].

mod csv;
mod date;
mod grepable;
mod host_rows;
mod jsonl;
mod nmap_words;
mod nmap_xml;
mod table;
mod totals;

use std::io;

pub use self::csv::CsvReport;
pub use grepable::GrepableReport;
pub use jsonl::JsonlReport;
pub(crate) use nmap_xml::INSTRUCTION;
pub use nmap_xml::NmapXmlReport;
use ports_core::service_by_port;
pub use table::{Paint, TableReport};

use crate::event::ScanEvent;
use crate::state::PortReport;

/// Takes the events of a scan and writes them down.
pub trait Report {
    /// Takes one event; several scans may follow each other. What belongs to it is handed to the
    /// writer with the next [`ScanEvent::Tick`] or [`ScanEvent::Finished`] at the latest, except for
    /// what a format puts in order.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn event(&mut self, event: &ScanEvent) -> io::Result<()>;

    /// Hands to the writer what need not wait any more; what [`ScanEvent::Tick`] does.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// No scan follows: writes what closes the document, where the format has such a thing.
    ///
    /// # Errors
    ///
    /// What the writer says.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn service_name(report: &PortReport) -> Option<&'static str> {
    service_by_port(report.port, report.transport).map(|service| service.name)
}

fn rtt_us(report: &PortReport) -> Option<u64> {
    report.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
