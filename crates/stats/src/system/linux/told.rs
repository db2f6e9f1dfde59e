//! The sockets that the dumps of a snapshot told of: each once.

use crate::system::number_map::NumberMap;
use crate::system::row::Row;

/// The cookies of a snapshot's sockets.
///
/// The kernel lets go of its table between two pieces of a dump, and counts its way to where it was: of
/// a socket that was added meanwhile before that place it tells the next one again, and for one that is
/// gone it leaves the next one out (`inet_diag_dump_icsk` in `net/ipv4/inet_diag.c`,
/// `unix_diag_dump`). It does not say so: `NLM_F_DUMP_INTR` is not set. A socket that moves from one
/// table to another, as when it connects, may be in both or in neither.
#[derive(Debug, Default)]
pub(super) struct Told(Cookies);

impl Told {
    /// Takes in the rows, and drops those of a socket that has a later one. Returns whether there was
    /// any. Rows without a cookie stay.
    pub(super) fn keep_one_of_each(&mut self, rows: &mut Vec<Row>) -> bool {
        self.0.clear();
        let mut any_again = false;
        for row in &*rows {
            any_again |= row.cookie != 0 && !self.0.insert(row.cookie);
        }
        if any_again {
            self.0.clear();
            rows.reverse();
            rows.retain(|row| row.cookie == 0 || self.0.insert(row.cookie));
            rows.reverse();
        }
        any_again
    }

    /// Whether a row has a cookie, and none of those taken in has it.
    pub(super) fn lacks(&self, row: &Row) -> bool {
        row.cookie != 0 && !self.0.contains(row.cookie)
    }
}

/// A set of cookies. The kernel counts them up, so many sockets have cookies that lie close together:
/// one word is for 64 of them.
#[derive(Debug, Default)]
struct Cookies(NumberMap<u64>);

impl Cookies {
    const fn place(cookie: u64) -> (u64, u64) {
        (cookie / 64, 1 << (cookie % 64))
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether it was not there.
    fn insert(&mut self, cookie: u64) -> bool {
        let (word, bit) = Self::place(cookie);
        let bits = self.0.entry(word).or_default();
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    fn contains(&self, cookie: u64) -> bool {
        let (word, bit) = Self::place(cookie);
        self.0.get(&word).is_some_and(|bits| bits & bit != 0)
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

    proptest::proptest! {
        #[test]
        fn cookies_are_told_apart(cookies in proptest::collection::vec(0_u64..200, 0..100)) {
            let mut set = Cookies::default();
            let mut model = std::collections::HashSet::new();
            for cookie in cookies {
                let cookie = if cookie > 190 { u64::MAX - cookie } else { cookie };
                proptest::prop_assert_eq!(set.contains(cookie), model.contains(&cookie));
                proptest::prop_assert_eq!(set.insert(cookie), model.insert(cookie));
            }
        }
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
