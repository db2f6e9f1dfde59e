//! The table of sockets: only the rows that there is room for are made.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use ratatui::widgets::{Cell, Row, Table};
use stats::system::{SocketRow, State};

use super::super::model::Model;
use super::{bold, colour};
use crate::args::Column;
use crate::commands::ls::SocketLine;
use crate::output::printable;

/// Between two columns.
const SPACING: u16 = 1;
/// In the place of what there is no room for.
const CUT: char = '\u{2026}';

/// What is shown at least, and then what is added from which width on.
const ALWAYS: u16 = 0;
const SHOWN: &[(Column, u16, Constraint)] = &[
    (Column::Transport, 50, Constraint::Length(5)),
    (Column::State, ALWAYS, Constraint::Length(10)),
    (Column::ReceiveQueue, 110, Constraint::Length(7)),
    (Column::SendQueue, 110, Constraint::Length(7)),
    (Column::Local, ALWAYS, Constraint::Fill(3)),
    (Column::Peer, 60, Constraint::Fill(3)),
    (Column::User, 90, Constraint::Length(10)),
    (Column::Pid, 80, Constraint::Length(8)),
    (Column::Process, 70, Constraint::Fill(2)),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &mut Model) {
    let rows = usize::from(area.height.saturating_sub(1));
    model.set_page(rows);
    // The selected row is in the middle, but for the ends of the list.
    let most_skipped = model.rows.len().saturating_sub(rows);
    let first = model.selected.saturating_sub(rows / 2).min(most_skipped);
    let shown: Vec<_> = SHOWN.iter().filter(|(_, from, _)| area.width >= *from).collect();
    let header = shown.iter().map(|(column, ..)| {
        let mark = match (*column == model.sort, model.reverse) {
            (true, false) => "^",
            (true, true) => "v",
            (false, _) => "",
        };
        Cell::new(format!("{}{mark}", column.heading()))
    });
    let transport = transport_width(model);
    let widths = shown.iter().map(|(column, _, width)| match column {
        Column::Transport => Constraint::Length(transport),
        _ => *width,
    });
    let places = Layout::horizontal(widths).spacing(SPACING).split(area);
    let widths: Vec<u16> = places.iter().map(|place| place.width).collect();
    let sockets = model.rows_from(first, rows);
    let lines = sockets.iter().enumerate().map(|(index, socket)| {
        let cells = shown.iter().zip(&widths).map(|((column, ..), width)| {
            let text = text(socket, *column, model);
            // The port is at the end of an address.
            let keeps_end = matches!(column, Column::Local | Column::Peer);
            Cell::new(fitted(text, usize::from(*width), keeps_end))
        });
        let style = if first + index == model.selected {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            of_state(model, socket.state())
        };
        Row::new(cells).style(style)
    });
    let table = Table::new(lines, widths.iter().map(|width| Constraint::Length(*width)))
        .column_spacing(SPACING)
        .header(Row::new(header).style(bold()));
    frame.render_widget(table, area);
}

/// The width of the names of all transports that there are: those of UNIX sockets are told apart at the end.
fn transport_width(model: &Model) -> u16 {
    // No shorter than its heading, with the mark of what is sorted by.
    let mark = usize::from(model.sort == Column::Transport);
    model.longest_transport.max(Column::Transport.heading().len() + mark) as u16
}

/// The text, or as much of it as there is room for and a mark: a number that is cut is another number.
fn fitted(mut text: String, width: usize, keeps_end: bool) -> String {
    if Span::raw(&text).width() <= width {
        return text;
    }
    while !text.is_empty() && Span::raw(&text).width() >= width {
        if keeps_end {
            text.remove(0);
        } else {
            text.pop();
        }
    }
    if keeps_end { format!("{CUT}{text}") } else { format!("{text}{CUT}") }
}

fn text(socket: &SocketRow<'_>, column: Column, model: &Model) -> String {
    let mut text = String::new();
    let Model { users, interfaces, .. } = model;
    SocketLine { socket: *socket, columns: &[], users, interfaces }.show(column, &mut text);
    for_screen(&text)
}

/// Fit for a screen of cells: what controls a terminal is replaced, and what would stand in the cell before
/// and stay there when the rows change: a mark without a letter.
fn for_screen(text: &str) -> String {
    let mut letters = text.chars().map(printable);
    let first = letters.next().map(|first| match Span::raw(first.to_string()).width() {
        0 => char::REPLACEMENT_CHARACTER,
        _ => first,
    });
    first.into_iter().chain(letters).collect()
}

fn of_state(model: &Model, state: State) -> Style {
    match state {
        State::Listen => colour(model, Color::Green),
        State::TimeWait | State::Closing | State::LastAck | State::FinWait1 | State::FinWait2 => {
            colour(model, Color::DarkGray)
        }
        State::SynSent | State::SynReceived | State::CloseWait => colour(model, Color::Yellow),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{fitted, for_screen};

    #[test]
    fn no_name_reaches_beyond_its_cell() {
        assert_eq!(for_screen("\x1b[31mred"), "\u{fffd}[31mred");
        assert_eq!(for_screen("\u{202e}rtl"), "\u{fffd}rtl");
        assert_eq!(for_screen("\u{301}acute"), "\u{fffd}acute");
        assert_eq!(for_screen("e\u{301}"), "e\u{301}");
        assert_eq!(for_screen(""), "");
    }

    #[test]
    fn what_is_cut_is_marked() {
        let fit = |text: &str, width, keeps_end| fitted(text.to_owned(), width, keeps_end);
        assert_eq!(fit("31610", 5, false), "31610");
        assert_eq!(fit("31610,31705", 8, false), "31610,3\u{2026}");
        assert_eq!(fit("[2001:db8::1]:443", 8, true), "\u{2026}:1]:443");
        assert_eq!(fit("any", 1, false), "\u{2026}");
        // Two columns wide each.
        assert_eq!(fit("\u{6f22}\u{5b57}", 3, false), "\u{6f22}\u{2026}");
    }
}
