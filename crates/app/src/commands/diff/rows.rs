//! The rows of a comparison, in each format.

use std::io::{self, Write};
use std::net::IpAddr;

use ports_core::service_by_port;
use scanner::{ChangeKind, Comparison, PortChange, ScanChange};
use serde::Serialize;

use crate::output::{io_error, printed};

/// What there is to write.
pub(super) struct Outcome<'a> {
    pub(super) files: [String; 2],
    /// Why each of them is unfinished.
    pub(super) unfinished: [Option<String>; 2],
    pub(super) comparison: &'a Comparison,
}

/// Takes changes in order of their hosts, then the outcome.
pub(super) trait RowWriter {
    fn change(&mut self, row: &Row<'_>) -> io::Result<()>;
    fn finish(self, outcome: &Outcome<'_>) -> io::Result<()>;
}

pub(super) fn write(mut writer: impl RowWriter, outcome: &Outcome<'_>) -> io::Result<()> {
    for change in &outcome.comparison.changes {
        writer.change(&Row::of(change))?;
    }
    writer.finish(outcome)
}

/// One change, in the words of every format.
#[derive(Serialize)]
#[serde(tag = "type", rename = "change")]
pub(super) struct Row<'a> {
    change: &'static str,
    host: IpAddr,
    name: Option<&'a str>,
    #[serde(flatten)]
    port: Option<RowPort>,
    before: String,
    after: String,
    certain: bool,
    #[serde(skip)]
    kind: ChangeKind,
}

#[derive(Serialize)]
struct RowPort {
    port: u16,
    transport: &'static str,
    service: Option<&'static str>,
}

impl<'a> Row<'a> {
    fn of(change: &'a ScanChange) -> Self {
        let kind = change.kind();
        let (host, name, port, before, after, certain) = match change {
            ScanChange::Port(change) => {
                let PortChange { address, name, transport, port, before, after, certain } = change;
                let service = service_by_port(*port, *transport).map(|service| service.name);
                let row = RowPort { port: port.number(), transport: transport.name(), service };
                (*address, name, Some(row), before.to_string(), after.to_string(), *certain)
            }
            ScanChange::Host(change) => {
                let state = |up| if up { "up" } else { "down" }.to_owned();
                let (before, after) = (state(!change.up), state(change.up));
                (change.address, &change.name, None, before, after, change.certain)
            }
        };
        Self {
            change: kind.name(),
            host,
            name: name.as_deref(),
            port,
            before,
            after,
            certain,
            kind,
        }
    }
}

/// One JSON object a line.
pub(super) struct JsonlRows<W>(pub(super) W);

#[derive(Serialize)]
#[serde(tag = "type", rename = "comparison")]
struct Summary<'a> {
    before: &'a str,
    after: &'a str,
    before_unfinished: Option<&'a str>,
    after_unfinished: Option<&'a str>,
    same: bool,
    opened: u64,
    closed: u64,
    changed: u64,
    hosts_up: u64,
    hosts_down: u64,
    not_compared: u64,
}

impl<W: Write> RowWriter for JsonlRows<W> {
    fn change(&mut self, row: &Row<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }

    fn finish(mut self, outcome: &Outcome<'_>) -> io::Result<()> {
        let counts = outcome.comparison.counts;
        serde_json::to_writer(
            &mut self.0,
            &Summary {
                before: &outcome.files[0],
                after: &outcome.files[1],
                before_unfinished: outcome.unfinished[0].as_deref(),
                after_unfinished: outcome.unfinished[1].as_deref(),
                same: outcome.comparison.is_same(),
                opened: counts.opened,
                closed: counts.closed,
                changed: counts.changed,
                hosts_up: counts.hosts_up,
                hosts_down: counts.hosts_down,
                not_compared: counts.not_compared,
            },
        )?;
        self.0.write_all(b"\n")?;
        self.0.flush()
    }
}

/// Comma-separated values under a header.
pub(super) struct CsvRows<W: Write>(csv::Writer<W>);

impl<W: Write> CsvRows<W> {
    pub(super) fn new(writer: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer
            .write_record([
                "change",
                "host",
                "name",
                "port",
                "transport",
                "service",
                "before",
                "after",
                "certain",
            ])
            .map_err(io_error)?;
        Ok(Self(writer))
    }
}

impl<W: Write> RowWriter for CsvRows<W> {
    fn change(&mut self, row: &Row<'_>) -> io::Result<()> {
        let port = row.port.as_ref();
        self.0
            .write_record([
                row.change,
                &row.host.to_string(),
                row.name.unwrap_or_default(),
                &port.map(|port| port.port.to_string()).unwrap_or_default(),
                port.map_or("", |port| port.transport),
                port.and_then(|port| port.service).unwrap_or_default(),
                &row.before,
                &row.after,
                if row.certain { "true" } else { "false" },
            ])
            .map_err(io_error)
    }

    fn finish(mut self, _: &Outcome<'_>) -> io::Result<()> {
        self.0.flush()
    }
}

/// For people: one section per host, and a last line that sums up.
pub(super) struct TableRows<W> {
    writer: W,
    host: Option<IpAddr>,
}

impl<W: Write> TableRows<W> {
    pub(super) const fn new(writer: W) -> Self {
        Self { writer, host: None }
    }
}

impl<W: Write> RowWriter for TableRows<W> {
    fn change(&mut self, row: &Row<'_>) -> io::Result<()> {
        if self.host != Some(row.host) {
            if self.host.is_some() {
                writeln!(self.writer)?;
            }
            self.host = Some(row.host);
            match row.name {
                Some(name) => writeln!(self.writer, "{} ({})", printed(name), row.host)?,
                None => writeln!(self.writer, "{}", row.host)?,
            }
        }
        let sign = match row.kind {
            ChangeKind::Opened | ChangeKind::HostUp => '+',
            ChangeKind::Closed | ChangeKind::HostDown => '-',
            ChangeKind::Changed => '~',
        };
        let (port, service) = match &row.port {
            Some(port) => {
                (format!("{}/{}", port.port, port.transport), port.service.unwrap_or("-"))
            }
            None => ("host".to_owned(), ""),
        };
        let change = format!("{} -> {}", row.before, row.after);
        let doubt = if row.certain { "" } else { " ?" };
        let service = printed(service);
        let line = format!("  {sign} {port:<10} {change:<24} {service}{doubt}");
        writeln!(self.writer, "{}", line.trim_end())
    }

    fn finish(mut self, outcome: &Outcome<'_>) -> io::Result<()> {
        if self.host.is_some() {
            writeln!(self.writer)?;
        }
        let counts = outcome.comparison.counts;
        write!(
            self.writer,
            "{} opened, {} closed, {} changed; {} up, {} down",
            plural(counts.opened, "port"),
            counts.closed,
            counts.changed,
            plural(counts.hosts_up, "host"),
            counts.hosts_down
        )?;
        if counts.not_compared > 0 {
            write!(self.writer, "; {} not in both scans", counts.not_compared)?;
        }
        writeln!(self.writer)?;
        self.writer.flush()
    }
}

fn plural(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
