//! Which sockets the table shows, and in which order.

use stats::system::{Snapshot, SocketRow, UserNames};

use crate::args::Column;
use crate::commands::ls::{Filter, SocketLine, compare};

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
    pub(super) users: &'a UserNames,
    /// In lower case; empty for everything.
    pub(super) search: &'a str,
    pub(super) sort: Column,
    pub(super) reverse: bool,
}

/// The places in `snapshot` of the sockets to show, in their order.
pub(super) fn places(snapshot: &Snapshot, wish: Wish<'_>) -> Vec<usize> {
    let mut text = String::new();
    let mut rows: Vec<(usize, SocketRow<'_>)> = snapshot
        .iter()
        .enumerate()
        .filter(|(_, socket)| wish.filter.keeps(socket) && found(socket, wish, &mut text))
        .collect();
    rows.sort_by(|(_, a), (_, b)| {
        let order = compare(wish.sort, a, b, wish.users);
        if wish.reverse { order.reverse() } else { order }
    });
    rows.into_iter().map(|(place, _)| place).collect()
}

fn found(socket: &SocketRow<'_>, wish: Wish<'_>, text: &mut String) -> bool {
    if wish.search.is_empty() {
        return true;
    }
    text.clear();
    let line = SocketLine { socket: *socket, columns: COLUMNS, users: wish.users };
    for column in COLUMNS {
        line.show(*column, text);
        // What stands in two columns is not found as one word.
        text.push('\n');
    }
    text.make_ascii_lowercase();
    text.contains(wish.search)
}
