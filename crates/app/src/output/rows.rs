//! Rows of one kind, in each format: to standard output and to the files of `-o`.

mod cells;
mod table;

use std::io::{self, BufWriter, Write};

use serde::Serialize;

pub(crate) use self::cells::Cells;
use self::table::Table;
use super::csv_error::io_error;
use super::terminal::terminal_width;
use super::{Outputs, StandardOutput, Unemptied, file};
use crate::args::{Format, OutputArgs, OutputFile};

/// One kind of row. Its JSON line is what serde makes of it, with its `"type"`.
pub(crate) trait Row: Serialize {
    /// The header of comma-separated values, in snake case.
    const FIELDS: &'static [&'static str];
    /// The header of the table, in capitals.
    const HEADINGS: &'static [&'static str];

    /// As many as [`Self::FIELDS`], for programs.
    fn fields(&self, fields: &mut Cells);
    /// As many as [`Self::HEADINGS`], for people.
    fn cells(&self, cells: &mut Cells);
}

/// All outputs of one command that reports rows of one kind.
pub(crate) struct RowOutputs {
    outputs: Outputs<Sink>,
    /// Emptied by the first row, or by the end where there is none: a command that fails before leaves
    /// the files of an earlier run.
    unemptied: Unemptied,
}

impl RowOutputs {
    /// For rows of the kind `R`. Creates the files, or opens them.
    pub(crate) fn open<R: Row>(args: &OutputArgs, stdout: StandardOutput) -> anyhow::Result<Self> {
        Self::with_columns(args, stdout, R::FIELDS, R::HEADINGS)
    }

    /// For rows whose columns are chosen: each row gives as many fields and cells.
    pub(crate) fn with_columns(
        args: &OutputArgs,
        stdout: StandardOutput,
        fields: &[&'static str],
        headings: &[&'static str],
    ) -> anyhow::Result<Self> {
        let (writers, unemptied) = file::open_all(args.output.iter().map(|file| &file.path))?;
        let sink = |(file, writer): (&OutputFile, _)| {
            let sink = Sink::new(file.format(args.format), writer, fields, headings);
            (file.path.clone(), sink)
        };
        let files = args.output.iter().zip(writers).map(sink).collect();
        let stdout = Sink::new(args.format, stdout, fields, headings);
        Ok(Self { outputs: Outputs::new(stdout, files), unemptied })
    }

    /// A table has its header without rows, too: that nothing matches is an answer.
    #[must_use]
    pub(crate) fn always_headed(mut self) -> Self {
        for sink in self.outputs.iter_mut() {
            if let Sink::Table(table) = sink {
                table.always_headed();
            }
        }
        self
    }

    /// A table on a terminal is not wider than that: what stands in this column, counted from 0, is cut.
    #[must_use]
    pub(crate) fn fitting(mut self, column: usize) -> Self {
        if let (Some(Sink::Table(table)), Some(width)) =
            (self.outputs.stdout_mut(), terminal_width())
        {
            table.fit(width, column);
        }
        self
    }

    /// A table that is wider than the terminal it is written to has a line for each cell.
    #[must_use]
    pub(crate) fn unfolding(mut self) -> Self {
        if let (Some(Sink::Table(table)), Some(width)) =
            (self.outputs.stdout_mut(), terminal_width())
        {
            table.unfold(width);
        }
        self
    }

    /// Writes one row everywhere; a table holds it, to see how wide its columns are.
    pub(crate) fn write(&mut self, row: &impl Row) -> anyhow::Result<()> {
        self.each(|sink| sink.row(row))
    }

    /// Hands on what was written so far, where no more is to come for a while.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.each(Sink::flush)
    }

    /// No row follows.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.each(Sink::finish)
    }

    /// Where one fails, the others are written to their end: nothing follows.
    fn each(&mut self, write: impl FnMut(&mut Sink) -> io::Result<()>) -> anyhow::Result<()> {
        self.unemptied.empty()?;
        let result = self.outputs.each(false, write);
        if result.is_err() {
            // The first failure is the one to tell.
            let _ = self.outputs.each(false, Sink::finish);
        }
        result
    }
}

type Writer = Box<dyn Write + Send>;

/// One format over one writer.
enum Sink {
    Table(Table<Writer>),
    Jsonl(BufWriter<Writer>),
    Csv(Box<CsvRows>),
}

struct CsvRows {
    writer: csv::Writer<Writer>,
    /// Not written before there is something to tell, if only that there is nothing.
    header: Option<Cells>,
    /// Those of the row before, for their room.
    cells: Cells,
}

impl Sink {
    fn new(
        format: Format,
        writer: impl Write + Send + 'static,
        fields: &[&'static str],
        headings: &[&'static str],
    ) -> Self {
        let writer: Writer = Box::new(writer);
        match format {
            Format::Table => Self::Table(Table::new(writer, headings)),
            Format::Jsonl => Self::Jsonl(BufWriter::new(writer)),
            Format::Csv => {
                let mut header = Cells::default();
                for name in fields {
                    header.push(name);
                }
                let writer = csv::Writer::from_writer(writer);
                Self::Csv(Box::new(CsvRows {
                    writer,
                    header: Some(header),
                    cells: Cells::default(),
                }))
            }
        }
    }

    fn row(&mut self, row: &impl Row) -> io::Result<()> {
        match self {
            Self::Table(table) => {
                let mut cells = Cells::default();
                row.cells(&mut cells);
                table.row(cells)
            }
            Self::Jsonl(writer) => {
                serde_json::to_writer(&mut *writer, row)?;
                writer.write_all(b"\n")
            }
            Self::Csv(rows) => {
                rows.head()?;
                let CsvRows { writer, cells, .. } = &mut **rows;
                cells.clear();
                row.fields(cells);
                writer.write_record(cells.iter()).map_err(io_error)
            }
        }
    }

    /// A table goes on holding its rows.
    fn flush(&mut self) -> io::Result<()> {
        if matches!(self, Self::Table(_)) { Ok(()) } else { self.finish() }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Table(table) => table.finish(),
            Self::Jsonl(writer) => writer.flush(),
            Self::Csv(rows) => {
                rows.head()?;
                rows.writer.flush()
            }
        }
    }
}

impl CsvRows {
    fn head(&mut self) -> io::Result<()> {
        let Some(header) = self.header.take() else { return Ok(()) };
        self.writer.write_record(header.iter()).map_err(io_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(tag = "type", rename = "fruit")]
    struct Fruit {
        name: &'static str,
        weight: Option<u32>,
    }

    impl Row for Fruit {
        const FIELDS: &'static [&'static str] = &["name", "weight"];
        const HEADINGS: &'static [&'static str] = &["NAME", "WEIGHT"];

        fn fields(&self, fields: &mut Cells) {
            fields.push(self.name);
            fields.push(self.weight.map(|weight| weight.to_string()).unwrap_or_default());
        }

        fn cells(&self, cells: &mut Cells) {
            cells.push(self.name);
            cells.push(self.weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string()));
        }
    }

    /// Everything that was written, once it is flushed.
    fn written(format: Format, rows: &[Fruit]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut sink = Sink::new(format, file.reopen().unwrap(), Fruit::FIELDS, Fruit::HEADINGS);
        for row in rows {
            sink.row(row).unwrap();
        }
        sink.finish().unwrap();
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn a_row_in_each_format() {
        let rows = [
            Fruit { name: "fig", weight: Some(50) },
            Fruit { name: "pear, \"green\"", weight: None },
        ];
        assert_eq!(
            written(Format::Jsonl, &rows),
            "{\"type\":\"fruit\",\"name\":\"fig\",\"weight\":50}\n\
             {\"type\":\"fruit\",\"name\":\"pear, \\\"green\\\"\",\"weight\":null}\n"
        );
        assert_eq!(written(Format::Csv, &rows), "name,weight\nfig,50\n\"pear, \"\"green\"\"\",\n");
        assert_eq!(
            written(Format::Table, &rows),
            "NAME           WEIGHT\nfig            50\npear, \"green\"  -\n"
        );
    }

    #[test]
    fn without_rows_only_the_header_that_programs_need() {
        assert_eq!(written(Format::Table, &[]), "");
        assert_eq!(written(Format::Jsonl, &[]), "");
        assert_eq!(written(Format::Csv, &[]), "name,weight\n");
    }
}
