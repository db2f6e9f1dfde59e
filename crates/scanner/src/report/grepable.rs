//! nmap's grepable lines: one line says what was found on one host.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::date::asctime;
use super::host_rows::HeldHosts;
use super::totals::Totals;
use super::{Report, nmap_words, service_name};
use crate::event::{ScanEvent, ScanInfo, ScanSummary};
use crate::state::PortState;

/// Writes nmap's grepable lines.
///
/// What is known is written [`Self::DEFAULT_HOLD`] later, so a host whose ports answer one after the
/// other has several lines. The ports without a row are counted on its last one, when the scan is
/// over, or earlier where more than 100,000 hosts are held.
#[derive(Debug)]
pub struct GrepableReport<W: Write> {
    writer: BufWriter<W>,
    args: String,
    shown: Vec<PortState>,
    /// What no line was written of yet.
    fresh: HeldHosts,
    /// Since when the oldest of that waits.
    waiting: Option<Instant>,
    hold: Duration,
    /// The ports that only the last line of a host counts.
    rest: HeldHosts,
    names: BTreeMap<IpAddr, Arc<str>>,
    started: Option<SystemTime>,
    totals: Totals,
}

impl<W: Write> GrepableReport<W> {
    /// How long rows wait for others of their host.
    pub const DEFAULT_HOLD: Duration = Duration::from_millis(25);

    /// Writes to `writer`. `args` is the command line, as it is shown in the first line.
    pub fn new(writer: W, args: &str) -> Self {
        Self {
            writer: BufWriter::new(writer),
            args: args.replace(char::is_control, " "),
            shown: PortState::ALL.to_vec(),
            fresh: HeldHosts::default(),
            waiting: None,
            hold: Self::DEFAULT_HOLD,
            rest: HeldHosts::default(),
            names: BTreeMap::new(),
            started: None,
            totals: Totals::default(),
        }
    }

    /// Which verdicts are listed; by default all. The others are counted as ignored, so the scan has
    /// to report them, too.
    #[must_use]
    pub fn show(mut self, states: &[PortState]) -> Self {
        self.shown = states.to_vec();
        self
    }

    /// Has rows wait that long, instead of [`Self::DEFAULT_HOLD`].
    #[must_use]
    pub const fn hold(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    fn start(&mut self, info: &ScanInfo) -> io::Result<()> {
        if self.started.is_none() {
            self.started = Some(info.started);
            let (version, time) = (env!("CARGO_PKG_VERSION"), asctime(info.started));
            writeln!(self.writer, "# ports {version} scan initiated {time} as: {}", self.args)?;
        }
        self.writer.flush()
    }

    fn write_fresh(&mut self) -> io::Result<()> {
        self.waiting = None;
        for (address, host) in self.fresh.take() {
            if host.rows.is_empty() {
                continue;
            }
            let mut line = String::from("Ports: ");
            for (number, row) in host.rows.iter().enumerate() {
                // Writing to a String does not fail.
                let _ = write!(
                    line,
                    "{}{}/{}/{}//{}///",
                    if number == 0 { "" } else { ", " },
                    row.port,
                    nmap_words::state(row.state()),
                    row.transport,
                    service_name(row).unwrap_or_default()
                );
            }
            let host = self.label(address);
            writeln!(self.writer, "{host}\t{line}")?;
        }
        Ok(())
    }

    fn write_rest(&mut self) -> io::Result<()> {
        for (address, host) in self.rest.take() {
            let rest = host.rest();
            let Some(most) = rest.iter().max_by_key(|rest| rest.count) else { continue };
            if !self.rest.is_worth_telling(&host) {
                continue;
            }
            let host = self.label(address);
            let state = nmap_words::state(most.state);
            write!(self.writer, "{host}\tIgnored State: {state} ({})", most.count)?;
            // nmap ignores one state only; ours are all there.
            for other in rest.iter().filter(|other| other.state != most.state) {
                write!(self.writer, ", {} ({})", nmap_words::state(other.state), other.count)?;
            }
            writeln!(self.writer)?;
        }
        Ok(())
    }

    fn label(&self, address: IpAddr) -> String {
        format!("Host: {address} ({})", self.names.get(&address).map_or("", AsRef::as_ref))
    }

    fn finish(&mut self, summary: &ScanSummary) -> io::Result<()> {
        self.write_fresh()?;
        self.write_rest()?;
        self.rest.scan_is_over();
        self.totals.add(summary);
        self.writer.flush()
    }
}

impl<W: Write> Report for GrepableReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        // When a host was met is no part of these lines.
        let at = SystemTime::UNIX_EPOCH;
        match event {
            ScanEvent::Started(info) => self.start(info),
            ScanEvent::Host(host) => {
                self.rest.up(host, at);
                let name = host.name.as_deref().unwrap_or_default();
                writeln!(self.writer, "Host: {} ({name})\tStatus: Up", host.address)?;
                if let Some(name) = &host.name {
                    self.names.insert(host.address, Arc::clone(name));
                }
                Ok(())
            }
            ScanEvent::Port(report) => {
                let shown = self.shown.contains(&report.state());
                if shown {
                    self.waiting.get_or_insert_with(Instant::now);
                }
                let held = if shown { &mut self.fresh } else { &mut self.rest };
                held.port(report, shown, at);
                if self.rest.are_many() {
                    self.write_rest()?;
                }
                if self.fresh.are_many() { self.write_fresh() } else { Ok(()) }
            }
            ScanEvent::Tick => self.tick(),
            ScanEvent::Finished(summary) => self.finish(summary),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        if self.waiting.is_some_and(|since| since.elapsed() >= self.hold) {
            self.write_fresh()?;
        }
        if self.writer.buffer().is_empty() { Ok(()) } else { self.writer.flush() }
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(started) = self.started.take() else { return Ok(()) };
        let Totals { hosts, hosts_up, elapsed, unfinished } = self.totals;
        let time = asctime(started + elapsed);
        let addresses = if hosts == 1 { "address" } else { "addresses" };
        let up = if hosts_up == 1 { "host" } else { "hosts" };
        let how = if unfinished == 0 { "done" } else { "interrupted" };
        writeln!(
            self.writer,
            "# ports {how} at {time} -- {hosts} IP {addresses} ({hosts_up} {up} up) scanned in {:.2} seconds",
            elapsed.as_secs_f64()
        )?;
        self.writer.flush()
    }
}
