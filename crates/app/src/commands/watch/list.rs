//! Which sockets the table shows, and in which order.

use stats::system::{Snapshot, SocketRow};

use crate::args::Column;
use crate::commands::interfaces::Interfaces;
use crate::commands::ls::{Filter, Order, SocketLine};

/// What is searched, and can be sorted by; also what is shown where there is room.
pub(super) const COLUMNS: &[Column] = &[
    Column::Transport,
    Column::State,
    Column::ReceiveQueue,
    Column::SendQueue,
    Column::Local,
    Column::Peer,
    Column::User,
    Column::Pid,
    Column::Process,
];

/// What the user wants to see of a snapshot.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) filter: &'a Filter,
    /// In lower case; empty for everything.
    pub(super) search: &'a str,
    pub(super) order: Order<'a>,
    pub(super) interfaces: &'a Interfaces,
}

/// The places in `snapshot` of the sockets to show, in their order.
pub(super) fn places<'a>(snapshot: &'a Snapshot, wish: Wish<'a>) -> Vec<usize> {
    let mut text = String::new();
    let mut is_shown =
        |socket: &SocketRow<'_>| wish.filter.keeps(socket) && found(socket, wish, &mut text);
    let shown = snapshot.iter().enumerate().filter(|(_, socket)| is_shown(socket));
    let mut places: Vec<usize> = shown.map(|(place, _)| place).collect();
    wish.order.sort(&mut places, |place| snapshot.row(*place));
    places
}

fn found(socket: &SocketRow<'_>, wish: Wish<'_>, text: &mut String) -> bool {
    if wish.search.is_empty() {
        return true;
    }
    text.clear();
    let Wish { order: Order { users, .. }, interfaces, .. } = wish;
    let line = SocketLine { socket: *socket, columns: COLUMNS, users, interfaces };
    for column in COLUMNS {
        line.show(*column, text);
        // What stands in two columns is not found as one word.
        text.push('\n');
    }
    text.make_ascii_lowercase();
    text.contains(wish.search)
}
