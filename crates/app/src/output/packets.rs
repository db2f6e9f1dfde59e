//! Rows of `ports sniff`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::csv_error::io_error;

/// What is shown of one packet. As a JSON line it is described in docs/json-lines.md.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PacketRow<'a> {
    /// Microseconds since 1970.
    pub(crate) time_us: u64,
    pub(crate) interface: &'a str,
    pub(crate) direction: &'static str,
    pub(crate) protocol: String,
    pub(crate) source: Option<IpAddr>,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination: Option<IpAddr>,
    pub(crate) destination_port: Option<u16>,
    pub(crate) length: usize,
    pub(crate) tcp_flags: Option<String>,
    pub(crate) detail: Option<String>,
}

/// What begins: the sniffer is open.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SniffStart<'a> {
    pub(crate) started_ms: u64,
    pub(crate) interface: Option<&'a str>,
    pub(crate) filter: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SniffSummary {
    pub(crate) packets: u64,
    pub(crate) kernel_drops: u64,
    pub(crate) unreadable: u64,
    pub(crate) elapsed_ms: u64,
}

/// Takes packets one by one and writes them in some format.
pub(crate) trait PacketWriter: Send {
    fn start(&mut self, start: &SniffStart<'_>) -> io::Result<()>;
    fn packet(&mut self, packet: &PacketRow<'_>) -> io::Result<()>;
    /// Everything so far is to be seen.
    fn flush(&mut self) -> io::Result<()>;
    fn summary(&mut self, summary: &SniffSummary) -> io::Result<()>;
}

/// One JSON object a line.
pub(crate) struct JsonlPackets<W>(pub(crate) W);

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    Sniff(&'a SniffStart<'a>),
    Packet(&'a PacketRow<'a>),
    Summary(&'a SniffSummary),
}

impl<W: Write> JsonlPackets<W> {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }
}

impl<W: Write + Send> PacketWriter for JsonlPackets<W> {
    fn start(&mut self, start: &SniffStart<'_>) -> io::Result<()> {
        self.line(&Line::Sniff(start))?;
        self.0.flush()
    }

    fn packet(&mut self, packet: &PacketRow<'_>) -> io::Result<()> {
        self.line(&Line::Packet(packet))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn summary(&mut self, summary: &SniffSummary) -> io::Result<()> {
        self.line(&Line::Summary(summary))?;
        self.0.flush()
    }
}

/// Comma-separated values under a header; the packets only.
pub(crate) struct CsvPackets<W: Write>(csv::Writer<W>);

impl<W: Write> CsvPackets<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self(csv::Writer::from_writer(writer))
    }
}

impl<W: Write + Send> PacketWriter for CsvPackets<W> {
    fn start(&mut self, _start: &SniffStart<'_>) -> io::Result<()> {
        let header = [
            "time_us",
            "interface",
            "direction",
            "protocol",
            "source",
            "source_port",
            "destination",
            "destination_port",
            "length",
            "tcp_flags",
            "detail",
        ];
        self.0.write_record(header).map_err(io_error)?;
        self.0.flush()
    }

    fn packet(&mut self, packet: &PacketRow<'_>) -> io::Result<()> {
        fn text(value: Option<impl ToString>) -> String {
            value.map(|value| value.to_string()).unwrap_or_default()
        }
        let written = self.0.write_record([
            packet.time_us.to_string().as_str(),
            packet.interface,
            packet.direction,
            &packet.protocol,
            &text(packet.source),
            &text(packet.source_port),
            &text(packet.destination),
            &text(packet.destination_port),
            &packet.length.to_string(),
            packet.tcp_flags.as_deref().unwrap_or_default(),
            packet.detail.as_deref().unwrap_or_default(),
        ]);
        written.map_err(io_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn summary(&mut self, _summary: &SniffSummary) -> io::Result<()> {
        self.0.flush()
    }
}

/// One line a packet, for people.
pub(crate) struct TablePackets<W>(pub(crate) W);

impl<W: Write + Send> PacketWriter for TablePackets<W> {
    fn start(&mut self, _start: &SniffStart<'_>) -> io::Result<()> {
        Ok(())
    }

    fn packet(&mut self, packet: &PacketRow<'_>) -> io::Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(packet.time_us);
        let time = humantime::format_rfc3339_micros(time).to_string();
        // The time of day, in UTC.
        let time = time.get(11..).unwrap_or(&time);
        let end = |address: Option<IpAddr>, port: Option<u16>| match (address, port) {
            (Some(IpAddr::V6(address)), Some(port)) => format!("[{address}]:{port}"),
            (Some(address), Some(port)) => format!("{address}:{port}"),
            (Some(address), None) => address.to_string(),
            (None, _) => "-".to_owned(),
        };
        let source = end(packet.source, packet.source_port);
        let destination = end(packet.destination, packet.destination_port);
        write!(
            self.0,
            "{time} {:<8} {:<5} {:<5} {source} > {destination} {}",
            packet.interface, packet.direction, packet.protocol, packet.length
        )?;
        for text in [&packet.tcp_flags, &packet.detail].into_iter().flatten() {
            write!(self.0, " {text}")?;
        }
        writeln!(self.0)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn summary(&mut self, summary: &SniffSummary) -> io::Result<()> {
        let plural = if summary.packets == 1 { "" } else { "s" };
        let elapsed = Duration::from_millis(summary.elapsed_ms);
        writeln!(
            self.0,
            "{} packet{plural}, {} dropped by the kernel, in {}",
            summary.packets,
            summary.kernel_drops,
            humantime::format_duration(elapsed)
        )?;
        self.0.flush()
    }
}
