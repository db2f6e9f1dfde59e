//! Columns for people, as wide as what stands in them.

use std::io::{self, Write};

use super::Cells;

/// Rows held to see how wide the columns are. Past that rows are written as they come, and a wider
/// cell moves those on its right.
const MAX_HELD: usize = 10_000;
/// Between two columns.
const GAP: &str = "  ";

/// Writes rows under a header; without rows, nothing, unless the header is wanted always.
pub(super) struct Table<W> {
    writer: W,
    headings: Vec<&'static str>,
    held: Vec<Cells>,
    /// Known once the header is written.
    widths: Option<Vec<usize>>,
    is_always_headed: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(writer: W, headings: &[&'static str]) -> Self {
        Self {
            writer,
            headings: headings.to_vec(),
            held: Vec::new(),
            widths: None,
            is_always_headed: false,
        }
    }

    pub(super) const fn always_headed(&mut self) {
        self.is_always_headed = true;
    }

    pub(super) fn row(&mut self, cells: Cells) -> io::Result<()> {
        if let Some(widths) = &self.widths {
            return line(&mut self.writer, widths, cells.iter());
        }
        self.held.push(cells);
        if self.held.len() < MAX_HELD { Ok(()) } else { self.write_held() }
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !self.held.is_empty() || (self.is_always_headed && self.widths.is_none()) {
            self.write_held()?;
        }
        self.writer.flush()
    }

    fn write_held(&mut self) -> io::Result<()> {
        let mut widths: Vec<usize> = self.headings.iter().map(|text| width(text)).collect();
        for row in &self.held {
            for (widest, text) in widths.iter_mut().zip(row.iter()) {
                *widest = width(text).max(*widest);
            }
        }
        line(&mut self.writer, &widths, self.headings.iter().copied())?;
        for row in std::mem::take(&mut self.held) {
            line(&mut self.writer, &widths, row.iter())?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// One line without spaces at its end. What comes from elsewhere, such as the name of a process, may
/// hold characters that steer a terminal; they are shown as U+FFFD.
fn line<'a>(
    writer: &mut impl Write,
    widths: &[usize],
    cells: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        let end = text.chars().count() + width;
        text.extend(
            cell.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }),
        );
        text.extend(std::iter::repeat_n(' ', end.saturating_sub(text.chars().count())));
        text.push_str(GAP);
    }
    writeln!(writer, "{}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: [&str; 2]) -> Cells {
        let mut cells = Cells::default();
        for text in texts {
            cells.push(text);
        }
        cells
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, &["A", "B"]);
        table.row(cells(["\x1b[2Jé", "x"])).unwrap();
        table.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A      B\n\u{fffd}[2Jé  x\n");
    }

    #[test]
    fn without_rows_there_is_a_header_where_it_is_wanted() {
        let written = |headed: bool| {
            let mut out = Vec::new();
            let mut table = Table::new(&mut out, &["A", "B"]);
            if headed {
                table.always_headed();
            }
            table.finish().unwrap();
            table.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!((written(false).as_str(), written(true).as_str()), ("", "A  B\n"));
    }

    #[test]
    fn many_rows_are_not_held() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, &["A", "B"]);
        for _ in 0..=MAX_HELD {
            table.row(cells(["1", "2"])).unwrap();
        }
        assert!(table.held.is_empty());
        table.row(cells(["wide", "2"])).unwrap();
        table.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1 + MAX_HELD + 2);
        assert_eq!((text.lines().nth(1), text.lines().last()), (Some("1  2"), Some("wide  2")));
    }
}
