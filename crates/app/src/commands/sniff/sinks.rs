//! Where packets go: standard output, the files of `-o`, the capture file.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use sockets_raw::{
    COOKED_HEADER, LinkType, PcapWriter, SniffedPacket, SnifferBuilder, cooked_header,
};

use crate::args::{Format, SniffArgs};
use crate::output::{
    self, CsvPackets, FileWriter, JsonlPackets, Outputs, PacketRow, PacketWriter, SniffStart,
    SniffSummary, StandardOutput, TablePackets, cannot_write,
};

type Rows = Box<dyn PacketWriter>;

/// All outputs of one command.
pub(super) struct Sinks {
    rows: Outputs<Rows>,
    capture: Option<(PathBuf, PcapWriter<FileWriter>)>,
}

impl Sinks {
    /// Creates the files, or empties them.
    pub(super) fn open(args: &SniffArgs, stdout: StandardOutput) -> anyhow::Result<Self> {
        let outputs = &args.output.output;
        let paths = outputs.iter().map(|file| &file.path).chain(&args.write);
        let (writers, mut unemptied) = output::open_all(paths)?;
        unemptied.empty()?;
        let mut writers = writers.into_iter();
        let mut files = Vec::new();
        for (file, writer) in outputs.iter().zip(&mut writers) {
            files.push((file.path.clone(), rows(file.format(args.output.format), writer)));
        }
        let snap_length = (COOKED_HEADER + SnifferBuilder::DEFAULT_SNAP_LENGTH) as u32;
        let capture = match args.write.iter().zip(writers).next() {
            None => None,
            Some((path, file)) => {
                let writer = PcapWriter::new(file, LinkType::LinuxCooked, snap_length)
                    .with_context(|| cannot_write(path))?;
                Some((path.clone(), writer))
            }
        };
        let stdout = rows(args.output.format, stdout);
        Ok(Self { rows: Outputs::new(stdout, files), capture })
    }

    pub(super) fn start(&mut self, start: &SniffStart<'_>) -> anyhow::Result<()> {
        self.flush_capture()?;
        self.each(|rows| rows.start(start))
    }

    pub(super) fn packet(
        &mut self,
        packet: &SniffedPacket<'_>,
        row: &PacketRow<'_>,
    ) -> anyhow::Result<()> {
        if let Some((path, capture)) = &mut self.capture {
            let header = cooked_header(&packet.link);
            capture
                .write(packet.timestamp, header.len() + packet.length, &[&header, packet.bytes])
                .with_context(|| cannot_write(path))?;
        }
        self.each(|rows| rows.packet(row))
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.flush_capture()?;
        self.each(|rows| rows.flush())
    }

    pub(super) fn summary(&mut self, summary: &SniffSummary) -> anyhow::Result<()> {
        self.flush_capture()?;
        self.each(|rows| rows.summary(summary))
    }

    fn flush_capture(&mut self) -> anyhow::Result<()> {
        match &mut self.capture {
            Some((path, capture)) => capture.flush().with_context(|| cannot_write(path)),
            None => Ok(()),
        }
    }

    fn each(
        &mut self,
        mut write: impl FnMut(&mut dyn PacketWriter) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        self.rows.each(self.capture.is_some(), |rows| write(rows.as_mut()))
    }
}

fn rows(format: Format, writer: impl Write + Send + 'static) -> Rows {
    match format {
        Format::Jsonl => Box::new(JsonlPackets(writer)),
        Format::Csv => Box::new(CsvPackets::new(writer)),
        Format::Table => Box::new(TablePackets(writer)),
    }
}
