//! Rows of `ports lookup`.

use std::io::{self, Write};

use comfy_table::{Cell, ContentArrangement, Table, presets};
use ports_core::Service;
use serde::Serialize;

use super::csv_error::io_error;

/// Takes services one by one and writes them in some format.
pub(crate) trait ServiceWriter {
    fn write(&mut self, service: &Service) -> io::Result<()>;
    fn finish(&mut self) -> io::Result<()>;
}

/// One JSON object a line.
pub(crate) struct JsonlServices<W>(pub(crate) W);

#[derive(Serialize)]
#[serde(tag = "type", rename = "service")]
struct Line<'a> {
    #[serde(flatten)]
    service: &'a Service,
}

impl<W: Write> ServiceWriter for JsonlServices<W> {
    fn write(&mut self, service: &Service) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &Line { service })?;
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Comma-separated values under a header.
pub(crate) struct CsvServices<W: Write>(csv::Writer<W>);

impl<W: Write> CsvServices<W> {
    pub(crate) fn new(writer: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        let header = ["port", "transport", "name", "description", "class", "source"];
        writer.write_record(header).map_err(io_error)?;
        Ok(Self(writer))
    }
}

impl<W: Write> ServiceWriter for CsvServices<W> {
    fn write(&mut self, service: &Service) -> io::Result<()> {
        let written = self.0.write_record([
            service.port.to_string().as_str(),
            service.transport.name(),
            service.name,
            service.description,
            service.class.name(),
            service.source.name(),
        ]);
        written.map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Columns for people.
pub(crate) struct TableServices<W> {
    writer: W,
    table: Table,
}

impl<W: Write> TableServices<W> {
    pub(crate) fn new(writer: W) -> Self {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(["PORT", "NAME", "CLASS", "SOURCE", "DESCRIPTION"]);
        Self { writer, table }
    }
}

impl<W: Write> ServiceWriter for TableServices<W> {
    fn write(&mut self, service: &Service) -> io::Result<()> {
        self.table.add_row([
            Cell::new(format!("{}/{}", service.port, service.transport)),
            Cell::new(service.name),
            Cell::new(service.class),
            Cell::new(service.source.name()),
            Cell::new(service.description),
        ]);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.table.row_count() > 0 {
            for line in self.table.to_string().lines() {
                writeln!(self.writer, "{}", line.trim())?;
            }
        }
        self.writer.flush()
    }
}
