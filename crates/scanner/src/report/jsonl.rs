//! JSON lines: one object a line, told apart by `"type"`. An interface, described in docs/json-lines.md.

mod line;

use std::io::{self, BufWriter, Write};

use super::Report;
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

impl<W: Write> Report for JsonlReport<W> {
    fn event(&mut self, event: &ScanEvent) -> io::Result<()> {
        if let ScanEvent::Tick = event {
            return self.tick();
        }
        serde_json::to_writer(&mut self.writer, event)?;
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
