//! The sockets that the dumps of a snapshot told of: each once.

use crate::system::number_map::NumberSet;
use crate::system::row::Row;

/// The cookies of a snapshot's sockets.
///
/// The kernel lets go of its table between two pieces of a dump, and counts its way to where it was: of
/// a socket that was added meanwhile before that place it tells the next one again, and for one that is
/// gone it leaves the next one out (`inet_diag_dump_icsk` in `net/ipv4/inet_diag.c`,
/// `unix_diag_dump`). It does not say so: `NLM_F_DUMP_INTR` is not set. A socket that moves from one
/// table to another, as when it connects, may be in both or in neither.
#[derive(Debug, Default)]
pub(super) struct Told(NumberSet);

impl Told {
    /// Takes in the rows, and drops those of a socket that has a later one. Returns whether there was
    /// any. Rows without a cookie stay.
    pub(super) fn keep_one_of_each(&mut self, rows: &mut Vec<Row>) -> bool {
        self.0.clear();
        self.0.reserve(rows.len());
        let mut is_again = |row: &Row| row.cookie != 0 && !self.0.insert(row.cookie);
        if rows.iter().filter(|row| is_again(row)).count() == 0 {
            return false;
        }
        self.0.clear();
        rows.reverse();
        rows.retain(|row| row.cookie == 0 || self.0.insert(row.cookie));
        rows.reverse();
        true
    }

    /// Whether a row has a cookie, and none of those taken in has it.
    pub(super) fn lacks(&self, row: &Row) -> bool {
        row.cookie != 0 && !self.0.contains(&row.cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Protocol, State};

    fn row(cookie: u64, state: State) -> Row {
        let ends = ([127, 0, 0, 1], 80).into();
        Row { cookie, ..Row::new(Protocol::Tcp, state, (ends, ends)) }
    }

    #[test]
    fn of_a_socket_that_is_told_twice_the_later_row_is_kept() {
        let mut told = Told::default();
        let mut rows = vec![
            row(1, State::Bound),
            row(0, State::Listen),
            row(2, State::Established),
            row(1, State::SynSent),
            row(0, State::Listen),
        ];
        let expected = rows[1..].to_vec();
        assert!(told.keep_one_of_each(&mut rows));
        assert_eq!(rows, expected);
        assert!(!told.keep_one_of_each(&mut rows));
        assert_eq!(rows, expected);
        assert!(told.lacks(&row(3, State::Listen)) && !told.lacks(&row(2, State::Listen)));
        assert!(!told.lacks(&row(0, State::Listen)), "it cannot be known");
    }
}
