//! Report writers: one per format, all over [`std::io::Write`].
//!
//! A scan's events go to one report or to several. A writer that fails, such as a pipe whose reader is
//! gone, does not end the scan; whoever wants that cancels it:
//!
//! ```
//! use std::net::Ipv4Addr;
//! use scanner::report::{CsvReport, JsonlReport, Report};
//! use scanner::{PortState, Scan};
//!
//! let (mut csv, mut lines) = (Vec::new(), Vec::new());
//! let scan = Scan::builder()
//!     .address(Ipv4Addr::LOCALHOST.into())
//!     .ports(&"1-8".parse()?)
//!     .show(&PortState::ALL)
//!     .build()?;
//! let handle = scan.handle();
//!
//! let mut reports: Vec<Box<dyn Report + '_>> =
//!     vec![Box::new(CsvReport::new(&mut csv)), Box::new(JsonlReport::new(&mut lines))];
//! let mut written = Ok(());
//! scan.run(|event| {
//!     if written.is_ok() {
//!         written = reports.iter_mut().try_for_each(|report| report.event(&event));
//!         if written.is_err() {
//!             handle.cancel();
//!         }
//!     }
//! })?;
//! written?;
//! reports.iter_mut().try_for_each(|report| report.end())?;
//! drop(reports);
//! assert_eq!(String::from_utf8(csv)?.lines().count(), 1 + 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

impl<R: Report + ?Sized> Report for &mut R {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        (**self).event(event)
    }

    fn tick(&mut self) -> io::Result<()> {
        (**self).tick()
    }

    fn end(&mut self) -> io::Result<()> {
        (**self).end()
    }
}

impl<R: Report + ?Sized> Report for Box<R> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        (**self).event(event)
    }

    fn tick(&mut self) -> io::Result<()> {
        (**self).tick()
    }

    fn end(&mut self) -> io::Result<()> {
        (**self).end()
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
