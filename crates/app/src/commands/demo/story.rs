//! The tour as it is told, step by step.

use std::fmt;
use std::io::{self, Write};

use anstyle::Style;
use ports_core::{Port, PortRange, Transport, service_by_port};
use scanner::PortReport;
use serde::Serialize;

use crate::network_app::{ADDRESS, Started};
use crate::output::StandardOutput;

const TITLE: Style = Style::new().bold();

/// Tells the tour on standard output, or keeps silent.
pub(super) struct Story {
    stdout: StandardOutput,
    aloud: bool,
}

impl Story {
    pub(super) const fn new(stdout: StandardOutput, aloud: bool) -> Self {
        Self { stdout, aloud }
    }

    pub(super) fn title(&mut self, title: &str) -> io::Result<()> {
        self.line(format_args!("\n{TITLE}=== {title} ==={TITLE:#}"))
    }

    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) -> io::Result<()> {
        if self.aloud {
            let written = writeln!(self.stdout, "{line}").and_then(|()| self.stdout.flush());
            written.map_err(|error| unwritable(&error))
        } else {
            Ok(())
        }
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.line(format_args!(""))
    }

    /// Text of whole lines.
    pub(super) fn lines(&mut self, text: &impl fmt::Display) -> io::Result<()> {
        let text = text.to_string();
        self.line(format_args!("{}", text.trim_end()))
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let written = self.stdout.write_all(&line).and_then(|()| self.stdout.flush());
        written.map_err(|error| unwritable(&error))
    }

    /// What a port is by its number.
    pub(super) fn port(&mut self, port: Port) -> io::Result<()> {
        let class = port.class();
        let range = class.range();
        match service_by_port(port, Transport::Tcp) {
            Some(service) => self.line(format_args!(
                "port {port} is a {class} port ({range}); its service is {}",
                service.name
            )),
            None => self.line(format_args!("port {port} is a {class} port ({range})")),
        }
    }

    pub(super) fn started(&mut self, transport: &str, started: &Started) -> io::Result<()> {
        if let Some(reason) = &started.refused {
            let port = started.requested;
            self.line(format_args!(
                "port {port} cannot be had, so another one is taken: {reason}"
            ))?;
        }
        self.line(format_args!("listening on {transport}://{}", started.address))
    }

    pub(super) fn scanned(&mut self, range: PortRange, open: &[PortReport]) -> io::Result<()> {
        self.line(format_args!("scanned {ADDRESS} ports {range}: {} open", open.len()))?;
        for report in open {
            let service = service_by_port(report.port, report.transport);
            let name = service.map_or("no registered service", |service| service.name);
            self.line(format_args!("  {}/{} open ({name})", report.port, report.transport))?;
        }
        Ok(())
    }
}

/// The same kind of error, with what failed in its text.
fn unwritable(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}
