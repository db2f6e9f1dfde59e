//! The table a person reads: one section per host, ports in order, and a last line that sums up.

mod columns;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::Transport;

use self::columns::{Columns, Texts};
use super::{Report, service_name};
use crate::event::{ScanEvent, ScanInfo, ScanSummary};
use crate::state::{PortReport, PortState};

/// Rows kept to be put in order. Past that they are written as they come.
const MAX_SORTED_ROWS: usize = 100_000;

/// How a state is painted: what goes before and after its name.
pub type Paint = fn(PortState) -> (&'static str, &'static str);

/// Writes a table: sorted where the scan is over within [`Self::DEFAULT_HOLD`], else from then on as
/// rows come.
#[derive(Debug)]
pub struct TableReport<W: Write> {
    writer: BufWriter<W>,
    paint: Paint,
    hold: Duration,
    /// When the scan began.
    began: Option<Instant>,
    hosts: u64,
    rows: BTreeMap<(IpAddr, Transport, u16), PortReport>,
    names: BTreeMap<IpAddr, Arc<str>>,
    streaming: bool,
    /// How long the longest state is that has rows.
    state_width: usize,
    /// What the rows written last stand under.
    heading: Option<(Heading, Columns)>,
}

/// What rows stand under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heading {
    /// One host.
    Host(IpAddr),
    /// All hosts: each row names its own.
    Hosts,
}

impl<W: Write> TableReport<W> {
    /// How long rows are held to be put in order.
    pub const DEFAULT_HOLD: Duration = Duration::from_secs(1);

    /// Writes to `writer`, without colours.
    pub fn new(writer: W) -> Self {
        Self::painted(writer, |_| ("", ""))
    }

    /// Writes to `writer`, each state between what `paint` gives for it.
    pub fn painted(writer: W, paint: Paint) -> Self {
        Self {
            writer: BufWriter::new(writer),
            paint,
            hold: Self::DEFAULT_HOLD,
            began: None,
            hosts: 0,
            rows: BTreeMap::new(),
            names: BTreeMap::new(),
            streaming: false,
            state_width: 0,
            heading: None,
        }
    }

    /// Holds rows that long to put them in order, instead of [`Self::DEFAULT_HOLD`].
    #[must_use]
    pub const fn hold(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    fn start(&mut self, info: &ScanInfo) {
        self.began = Some(Instant::now());
        self.hosts = info.hosts;
        self.streaming = false;
        let comes = |state: &PortState| {
            *state != PortState::OpenFiltered || info.transport == Transport::Udp
        };
        let states = info.shown.iter().copied().filter(comes);
        self.state_width = states.map(|state| state.name().len()).max().unwrap_or_default();
        self.heading = None;
    }

    fn port(&mut self, report: &PortReport) -> io::Result<()> {
        let key = (report.address, report.transport, report.port.number());
        self.rows.insert(key, *report);
        if self.rows.len() >= MAX_SORTED_ROWS {
            self.streaming = true;
            self.write_rows()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> io::Result<()> {
        // Many hosts at once would make a section of each row.
        let by_row = matches!(self.heading, Some((Heading::Hosts, _)))
            || self.streaming && self.hosts > 1 && self.heading.is_some();
        let rows = std::mem::take(&mut self.rows);
        for report in rows.values() {
            let heading = if by_row { Heading::Hosts } else { Heading::Host(report.address) };
            let columns = match self.heading {
                Some((written, columns)) if written == heading => columns,
                _ => self.write_heading(heading, rows.keys().map(|(address, ..)| *address))?,
            };
            let line = self.line(report, &columns);
            writeln!(self.writer, "{line}")?;
        }
        Ok(())
    }

    /// What the rows of these hosts stand under.
    fn write_heading(
        &mut self,
        heading: Heading,
        hosts: impl Iterator<Item = IpAddr>,
    ) -> io::Result<Columns> {
        if self.heading.is_some() {
            writeln!(self.writer)?;
        }
        let columns = match heading {
            Heading::Host(address) => {
                let host = self.host(address);
                writeln!(self.writer, "{host}")?;
                Columns::of_one_host(self.state_width)
            }
            Heading::Hosts => {
                let widest = hosts.map(|host| self.host(host).len()).max().unwrap_or_default();
                Columns::by_host(widest, self.state_width)
            }
        };
        self.heading = Some((heading, columns));
        writeln!(self.writer, "{}", columns.heading())?;
        Ok(columns)
    }

    fn host(&self, address: IpAddr) -> String {
        match self.names.get(&address) {
            Some(name) => format!("{name} ({address})"),
            None => address.to_string(),
        }
    }

    fn line(&self, report: &PortReport, columns: &Columns) -> String {
        columns.line(&Texts {
            host: &self.host(report.address),
            port: &format!("{}/{}", report.port, report.transport),
            state: report.state().name(),
            paint: (self.paint)(report.state()),
            service: service_name(report).unwrap_or("-"),
            class: report.port.class().name(),
            reason: report.reason.name(),
            rtt: &report.rtt.map_or_else(|| "-".to_owned(), milliseconds),
        })
    }

    fn summary(&mut self, summary: &ScanSummary) -> io::Result<()> {
        self.write_rows()?;
        if self.heading.is_some() {
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
        if let Some(hosts) = summary.not_scanned {
            write!(self.writer, ", {hosts} not scanned (no answer to discovery)")?;
        }
        if tally.errors > 0 {
            write!(self.writer, ", {} not asked (local errors)", tally.errors)?;
        }
        if summary.unfinished > 0 {
            write!(self.writer, ", {} unfinished", summary.unfinished)?;
        }
        let plural = if tally.probes == 1 { "" } else { "s" };
        writeln!(
            self.writer,
            "; {} probe{plural}, {} sent, in {:.2} s ({})",
            tally.probes,
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
            ScanEvent::Started(info) => {
                self.start(info);
                Ok(())
            }
            ScanEvent::Host(host) => {
                if let Some(name) = &host.name {
                    self.names.insert(host.address, Arc::clone(name));
                }
                Ok(())
            }
            ScanEvent::Port(report) => self.port(report),
            ScanEvent::Tick => self.tick(),
            ScanEvent::Finished(summary) => self.summary(summary),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        self.streaming |= self.began.is_some_and(|began| began.elapsed() >= self.hold);
        if self.streaming {
            self.write_rows()?;
        }
        if self.writer.buffer().is_empty() { Ok(()) } else { self.writer.flush() }
    }
}

/// No wider than its column: tenths are fine enough for a tenth of a second.
fn milliseconds(rtt: Duration) -> String {
    let time = rtt.as_secs_f64() * 1e3;
    if time < 100.0 { format!("{time:.3} ms") } else { format!("{time:.1} ms") }
}
