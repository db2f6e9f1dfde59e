//! Columns for people, as wide as what stands in them.

use std::io::{self, Write};

use super::Cells;
use crate::output::printable;

/// Rows held to see how wide the columns are. Past that rows are written as they come, and a wider
/// cell moves those on its right.
const MAX_HELD: usize = 10_000;
/// Between two columns.
const GAP: &str = "  ";
/// A column is not cut below this width: what is left would say nothing.
const LEAST: usize = 8;
/// At the end of what is cut.
const CUT: char = '\u{2026}';

/// Writes rows under a header; without rows, nothing, unless the header is wanted always.
pub(super) struct Table<W> {
    writer: W,
    headings: Vec<&'static str>,
    held: Vec<Cells>,
    /// Known once the header is written.
    widths: Option<Vec<usize>>,
    is_always_headed: bool,
    fit: Option<Fit>,
    /// Each row stands as lines of its own, one for each column.
    is_unfolded: bool,
}

/// The width that a table is to have, and what is done for it.
#[derive(Clone, Copy, Debug)]
enum Fit {
    /// What stands in a column is cut.
    Cut { width: usize, column: usize },
    /// Columns stand below each other.
    Unfold { width: usize },
}

impl<W: Write> Table<W> {
    pub(super) fn new(writer: W, headings: &[&'static str]) -> Self {
        Self {
            writer,
            headings: headings.to_vec(),
            held: Vec::new(),
            widths: None,
            is_always_headed: false,
            fit: None,
            is_unfolded: false,
        }
    }

    /// Cuts what stands in a column, counted from 0, as far as lines would be longer than `width`.
    pub(super) const fn fit(&mut self, width: usize, column: usize) {
        self.fit = Some(Fit::Cut { width, column });
    }

    /// Where lines would be longer than `width`, each cell stands on a line of its own, behind its
    /// heading, and each row behind an empty line.
    pub(super) const fn unfold(&mut self, width: usize) {
        self.fit = Some(Fit::Unfold { width });
    }

    pub(super) const fn always_headed(&mut self) {
        self.is_always_headed = true;
    }

    pub(super) fn row(&mut self, cells: Cells) -> io::Result<()> {
        let cut = self.cut_column();
        if self.is_unfolded {
            writeln!(self.writer)?;
            return unfolded(&mut self.writer, &self.headings, &cells);
        }
        if let Some(widths) = &self.widths {
            return line(&mut self.writer, widths, cut, cells.iter());
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
        let all: usize = widths.iter().map(|column| column + GAP.len()).sum();
        let all = all.saturating_sub(GAP.len());
        self.is_unfolded = matches!(self.fit, Some(Fit::Unfold { width }) if all > width);
        if self.is_unfolded {
            for (number, row) in std::mem::take(&mut self.held).iter().enumerate() {
                if number > 0 {
                    writeln!(self.writer)?;
                }
                unfolded(&mut self.writer, &self.headings, row)?;
            }
            self.widths = Some(widths);
            return Ok(());
        }
        if let Some(Fit::Cut { width, column }) = self.fit {
            let over = all.saturating_sub(width);
            let least = widths[column].min(LEAST);
            widths[column] = widths[column].saturating_sub(over).max(least);
        }
        let cut = self.cut_column();
        line(&mut self.writer, &widths, cut, self.headings.iter().copied())?;
        for row in std::mem::take(&mut self.held) {
            line(&mut self.writer, &widths, cut, row.iter())?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

impl<W> Table<W> {
    fn cut_column(&self) -> Option<usize> {
        match self.fit? {
            Fit::Cut { column, .. } => Some(column),
            Fit::Unfold { .. } => None,
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// One row, a line for each column.
fn unfolded(writer: &mut impl Write, headings: &[&'static str], row: &Cells) -> io::Result<()> {
    let widest = headings.iter().map(|text| width(text)).max().unwrap_or_default();
    for (heading, cell) in headings.iter().zip(row.iter()) {
        line(writer, &[widest, 0], None, [*heading, cell].into_iter())?;
    }
    Ok(())
}

/// One line without spaces at its end; a cell of the column `cut` is not wider than that. What comes from elsewhere, such as the name of a process, may
/// hold characters that steer a terminal; they are shown as U+FFFD.
fn line<'a>(
    writer: &mut impl Write,
    widths: &[usize],
    cut: Option<usize>,
    cells: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let mut text = String::new();
    for (column, (cell, width)) in cells.zip(widths).enumerate() {
        let end = text.chars().count() + width;
        let is_cut = cut == Some(column) && self::width(cell) > *width;
        let shown = if is_cut { width.saturating_sub(1) } else { usize::MAX };
        let shown = cell.chars().take(shown).chain(is_cut.then_some(CUT));
        text.extend(shown.map(printable));
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
    fn a_column_is_cut_for_a_narrow_terminal() {
        let written = |width: usize| {
            let mut out = Vec::new();
            let mut table = Table::new(&mut out, &["NAME", "B"]);
            table.fit(width, 0);
            table.row(cells(["a-name-of-21-letters-", "right"])).unwrap();
            table.row(cells(["short", "x"])).unwrap();
            table.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        let whole =
            "NAME                   B\na-name-of-21-letters-  right\nshort                  x\n";
        assert_eq!(written(28), whole);
        assert_eq!(
            written(20),
            "NAME           B\na-name-of-21\u{2026}  right\nshort          x\n"
        );
        // Not to nothing, however narrow it is.
        assert_eq!(written(1), "NAME      B\na-name-\u{2026}  right\nshort     x\n");
    }

    #[test]
    fn a_table_that_is_too_wide_is_unfolded() {
        let written = |width: usize| {
            let mut out = Vec::new();
            let mut table = Table::new(&mut out, &["NAME", "B"]);
            table.unfold(width);
            table.row(cells(["fig", "a long line"])).unwrap();
            table.row(cells(["pear", "x"])).unwrap();
            table.finish().unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(17), "NAME  B\nfig   a long line\npear  x\n");
        assert_eq!(written(16), "NAME  fig\nB     a long line\n\nNAME  pear\nB     x\n");
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
