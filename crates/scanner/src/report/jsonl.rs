//! JSON lines: one object a line, told apart by `"type"`. An interface, described in docs/json-lines.md.

use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::{Report, rtt_us, service_name};
use crate::event::ScanEvent;

/// Writes each event as one JSON object on a line of its own.
#[derive(Debug)]
pub struct JsonlReport<W: Write> {
    writer: BufWriter<W>,
}

impl<W: Write> JsonlReport<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer: BufWriter::new(writer) }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Scan {
        version: &'static str,
        /// Milliseconds since 1970-01-01 UTC.
        started_ms: u64,
        method: &'static str,
        transport: &'static str,
        targets: &'a [String],
        ports: &'a str,
        addresses: Option<&'a str>,
        show: Vec<&'static str>,
        hosts: u64,
        probes: u64,
        seed: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        shard: Option<String>,
    },
    Host {
        host: IpAddr,
        name: Option<&'a str>,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        rtt_us: u64,
    },
    Port {
        host: IpAddr,
        port: u16,
        transport: &'static str,
        state: &'static str,
        reason: &'static str,
        service: Option<&'static str>,
        rtt_us: Option<u64>,
        attempts: u32,
    },
    Summary {
        hosts: u64,
        hosts_up: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        not_scanned: Option<u64>,
        probes: u64,
        sent: u64,
        open: u64,
        closed: u64,
        filtered: u64,
        open_filtered: u64,
        errors: u64,
        unfinished: u64,
        kernel_drops: u64,
        elapsed_ms: u64,
        method: &'static str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
}

impl<'a> Line<'a> {
    /// The line of an event; a tick has none.
    pub(super) fn of(event: &'a ScanEvent) -> Option<Self> {
        Some(match event {
            ScanEvent::Started(info) => Self::Scan {
                version: env!("CARGO_PKG_VERSION"),
                started_ms: info
                    .started
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_millis() as u64),
                method: info.method.name(),
                transport: info.transport.name(),
                targets: &info.targets,
                ports: &info.ports,
                addresses: info.addresses.as_deref(),
                show: info.shown.iter().map(|state| state.name()).collect(),
                hosts: info.hosts,
                probes: info.probes,
                seed: info.seed,
                shard: (!info.shard.is_whole()).then(|| info.shard.to_string()),
            },
            ScanEvent::Host(host) => Self::Host {
                host: host.address,
                name: host.name.as_deref(),
                state: "up",
                reason: host.reason.map(crate::state::Reason::name),
                rtt_us: host.rtt.as_micros() as u64,
            },
            ScanEvent::Port(report) => Self::Port {
                host: report.address,
                port: report.port.number(),
                transport: report.transport.name(),
                state: report.state().name(),
                reason: report.reason.name(),
                service: service_name(report),
                rtt_us: rtt_us(report),
                attempts: report.attempts,
            },
            ScanEvent::Finished(summary) => Self::Summary {
                hosts: summary.hosts,
                hosts_up: summary.hosts_up,
                not_scanned: summary.not_scanned,
                probes: summary.tally.probes,
                sent: summary.tally.sent,
                open: summary.tally.open,
                closed: summary.tally.closed,
                filtered: summary.tally.filtered,
                open_filtered: summary.tally.open_filtered,
                errors: summary.tally.errors,
                unfinished: summary.unfinished,
                kernel_drops: summary.kernel_drops,
                elapsed_ms: summary.elapsed.as_millis() as u64,
                method: summary.method.name(),
                resumed: summary.resumed,
            },
            ScanEvent::Tick => return None,
        })
    }
}

impl<W: Write> Report for JsonlReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        let Some(line) = Line::of(event) else { return self.tick() };
        serde_json::to_writer(&mut self.writer, &line)?;
        self.writer.write_all(b"\n")?;
        match event {
            ScanEvent::Host(_) | ScanEvent::Port(_) => Ok(()),
            _ => self.writer.flush(),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        if self.writer.buffer().is_empty() { Ok(()) } else { self.writer.flush() }
    }
}
