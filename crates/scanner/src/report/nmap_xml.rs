//! nmap's XML, for the programs that read it.

mod host;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ports_core::PortSet;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesPI, BytesStart, BytesText, Event};

use super::date::{asctime, unix_seconds};
use super::host_rows::HeldHosts;
use super::totals::Totals;
use super::{Report, nmap_words};
use crate::event::{Method, ScanEvent, ScanInfo, ScanSummary};
use crate::state::PortState;

/// The version of nmap's format that this is.
const FORMAT_VERSION: &str = "1.05";
/// The target of the processing instructions with our own lines.
pub(crate) const INSTRUCTION: &str = "ports";

/// Writes one document in nmap's XML. It is well-formed however the scan ends, as long as the report
/// is dropped.
///
/// Hosts are held and written when their scan is over; past 100,000 rows and hosts, those held are
/// written, and a host that is met again later has a second `host` element. Of several scans only the
/// first has a `scaninfo`. What nmap's format cannot say (which addresses were scanned, by which scan,
/// what is unfinished) stands in processing instructions `ports`,
/// as the JSON lines `scan` and `summary`.
pub struct NmapXmlReport<W: Write> {
    writer: Writer<BufWriter<W>>,
    args: String,
    shown: Vec<PortState>,
    hosts: HeldHosts,
    document: Option<Document>,
}

/// A document that has begun.
#[derive(Debug)]
struct Document {
    began: Instant,
    started: SystemTime,
    method: Method,
    totals: Totals,
    /// Scans without a summary.
    running: u64,
    ended: bool,
}

impl<W: Write> NmapXmlReport<W> {
    /// Writes to `writer`. `args` is the command line, as it is shown in the document.
    pub fn new(writer: W, args: &str) -> Self {
        Self {
            writer: Writer::new(BufWriter::new(writer)),
            args: legal(args),
            shown: PortState::ALL.to_vec(),
            hosts: HeldHosts::default(),
            document: None,
        }
    }

    /// Which verdicts have an element of their own; by default all. The others are counted in
    /// `extraports`, so the scan has to report them, too.
    #[must_use]
    pub fn show(mut self, states: &[PortState]) -> Self {
        self.shown = states.to_vec();
        self
    }

    fn start(&mut self, info: &ScanInfo) -> io::Result<()> {
        if let Some(document) = &mut self.document {
            // The format has room for what is scanned only before the first host; the instruction
            // tells it of this one.
            document.method = info.method;
            document.running += 1;
            return Ok(());
        }
        self.begin(info)?;
        let services = info.ports.as_str();
        // Of a shard, too: it asks each host for another share of them.
        let count = PortSet::parse(services, info.transport).map_or(0, |ports| ports.len());
        let count = count.to_string();
        self.writer
            .create_element("scaninfo")
            .with_attributes([
                ("type", nmap_words::scan_type(info.method, info.transport)),
                ("protocol", info.transport.name()),
                ("numservices", &count),
                ("services", services),
            ])
            .write_empty()?;
        self.line_end()?;
        for element in ["verbose", "debugging"] {
            self.writer.create_element(element).with_attribute(("level", "0")).write_empty()?;
            self.line_end()?;
        }
        Ok(())
    }

    fn begin(&mut self, info: &ScanInfo) -> io::Result<()> {
        let started = info.started;
        self.document = Some(Document {
            began: Instant::now(),
            started,
            method: info.method,
            totals: Totals::default(),
            running: 1,
            ended: false,
        });
        self.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        self.line_end()?;
        self.writer.write_event(Event::DocType(BytesText::from_escaped("nmaprun")))?;
        self.line_end()?;
        let root = BytesStart::new("nmaprun").with_attributes([
            ("scanner", "ports"),
            ("args", &self.args),
            ("start", &unix_seconds(started).to_string()),
            ("startstr", &asctime(started)),
            ("version", env!("CARGO_PKG_VERSION")),
            ("xmloutputversion", FORMAT_VERSION),
        ]);
        self.writer.write_event(Event::Start(root))?;
        self.line_end()
    }

    /// One of our own lines.
    fn instruction(&mut self, event: &ScanEvent) -> io::Result<()> {
        if let ScanEvent::Tick = event {
            return Ok(());
        }
        // `?>` would end the instruction; in JSON it can only be inside a string.
        let json = serde_json::to_string(event)?.replace('>', "\\u003e");
        self.writer.write_event(Event::PI(BytesPI::new(format!("{INSTRUCTION} {json}"))))?;
        self.line_end()
    }

    fn write_hosts(&mut self) -> io::Result<()> {
        let Some(document) = &self.document else { return Ok(()) };
        let method = document.method;
        for (address, host) in self.hosts.take() {
            // Of a silent host without a row there is nothing to tell; it is counted as down.
            if self.hosts.is_worth_telling(&host) {
                host::write(&mut self.writer, address, &host, method)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, summary: &ScanSummary) -> io::Result<()> {
        self.write_hosts()?;
        self.hosts.scan_is_over();
        if let Some(document) = &mut self.document {
            document.totals.add(summary);
            document.running = document.running.saturating_sub(1);
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.write_hosts()?;
        let Some(document) = self.document.as_mut().filter(|document| !document.ended) else {
            return Ok(());
        };
        // Also where a write fails: half a document is not ended twice.
        document.ended = true;
        let totals = document.totals;
        let time = document.started + totals.elapsed;
        let whole = document.running == 0 && totals.unfinished == 0;
        let (timestr, elapsed) = (asctime(time), format!("{:.2}", totals.elapsed.as_secs_f64()));
        let summary = format!(
            "ports done at {timestr}; {} ({} up) scanned in {elapsed} seconds",
            plural(totals.hosts, "IP address", "IP addresses"),
            plural(totals.hosts_up, "host", "hosts")
        );
        self.writer.create_element("runstats").write_inner_content(|writer| {
            writer
                .create_element("finished")
                .with_attributes([
                    ("time", unix_seconds(time).to_string().as_str()),
                    ("timestr", &timestr),
                    ("summary", &summary),
                    ("elapsed", &elapsed),
                    ("exit", if whole { "success" } else { "interrupted" }),
                ])
                .write_empty()?;
            let down = totals.hosts.saturating_sub(totals.hosts_up);
            writer
                .create_element("hosts")
                .with_attributes([
                    ("up", totals.hosts_up.to_string().as_str()),
                    ("down", &down.to_string()),
                    ("total", &totals.hosts.to_string()),
                ])
                .write_empty()?;
            Ok(())
        })?;
        self.line_end()?;
        self.writer.write_event(Event::End(BytesEnd::new("nmaprun")))?;
        self.line_end()?;
        self.writer.get_mut().flush()
    }

    fn line_end(&mut self) -> io::Result<()> {
        self.writer.get_mut().write_all(b"\n")
    }

    fn now(&self) -> SystemTime {
        let elapsed = |document: &Document| document.started + document.began.elapsed();
        self.document.as_ref().map_or(UNIX_EPOCH, elapsed)
    }
}

impl<W: Write> Report for NmapXmlReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        match event {
            ScanEvent::Started(info) => {
                self.start(info)?;
                self.instruction(event)?;
                self.writer.get_mut().flush()
            }
            ScanEvent::Host(host) => {
                self.hosts.up(host, self.now());
                Ok(())
            }
            ScanEvent::Port(report) => {
                self.hosts.port(report, self.shown.contains(&report.state()), self.now());
                if self.hosts.are_many() { self.write_hosts() } else { Ok(()) }
            }
            ScanEvent::Tick => self.tick(),
            ScanEvent::Finished(summary) => {
                self.finish(summary)?;
                self.instruction(event)?;
                self.writer.get_mut().flush()
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.close()
    }
}

impl<W: Write> fmt::Debug for NmapXmlReport<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NmapXmlReport").field("document", &self.document).finish_non_exhaustive()
    }
}

impl<W: Write> Drop for NmapXmlReport<W> {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; `end` is for those who want to.
        let _ = self.close();
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Without the control characters that XML has no form for (XML 1.0 section 2.2).
fn legal(text: &str) -> String {
    let is_legal = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_legal(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
