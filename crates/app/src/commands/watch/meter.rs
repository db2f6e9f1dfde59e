//! How much the TCP sockets have moved since the look before.

use stats::system::{SocketRow, Traffic};

use crate::commands::ls::Filter;

/// How much the sockets that the filter keeps have moved since the look before; those that were not there
/// have moved all that they have. What one moved between then and its end is not seen.
pub(super) struct Meter<'a> {
    filter: &'a Filter,
    moved: Traffic,
}

impl<'a> Meter<'a> {
    pub(super) fn new(filter: &'a Filter) -> Self {
        Self { filter, moved: Traffic::default() }
    }

    /// Takes in a socket, and how it was.
    pub(super) fn read(&mut self, socket: SocketRow<'_>, before: Option<SocketRow<'_>>) {
        // One that was kept of late only counts from there: it was there before.
        let Some(traffic) = socket.traffic() else { return };
        let before = before.and_then(|before| before.traffic()).unwrap_or_default();
        if traffic != before && self.filter.keeps(&socket) {
            self.moved.received += traffic.received.saturating_sub(before.received);
            self.moved.acknowledged += traffic.acknowledged.saturating_sub(before.acknowledged);
        }
    }

    pub(super) const fn moved(self) -> Traffic {
        self.moved
    }
}

#[cfg(test)]
mod tests {
    use stats::system::{Protocol, Snapshot, UserNames};

    use super::*;
    use crate::args::SocketFilterArgs;

    /// A connection as the kernel tells of it (`struct inet_diag_msg`, `struct tcp_info`): its cookie,
    /// its user, and what it has moved.
    fn message(cookie: u8, uid: u32, moved: Traffic) -> Vec<u8> {
        let mut body = vec![0; 72 + 4 + 136];
        // IPv4, established.
        (body[0], body[1]) = (2, 1);
        body[44] = cookie;
        body[64..68].copy_from_slice(&uid.to_ne_bytes());
        body[72..74].copy_from_slice(&140_u16.to_ne_bytes());
        body[74..76].copy_from_slice(&2_u16.to_ne_bytes());
        let info = &mut body[76..];
        info[120..128].copy_from_slice(&moved.acknowledged.to_ne_bytes());
        info[128..136].copy_from_slice(&moved.received.to_ne_bytes());
        let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
        message.extend([20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(body);
        message
    }

    fn look(connections: &[(u8, u32, Traffic)]) -> Snapshot {
        let messages =
            connections.iter().map(|(cookie, uid, moved)| message(*cookie, *uid, *moved));
        let snapshot =
            Snapshot::from_netlink(Protocol::Tcp, &messages.collect::<Vec<_>>().concat());
        assert_eq!((snapshot.len(), snapshot.coverage().malformed), (connections.len(), 0));
        snapshot
    }

    fn filter(user: &[&str]) -> Filter {
        let user = user.iter().map(|user| (*user).to_owned()).collect();
        Filter::new(
            &SocketFilterArgs { user, ..SocketFilterArgs::default() },
            &UserNames::parse(b""),
        )
        .unwrap()
    }

    fn moved(now: &Snapshot, earlier: &Snapshot, filter: &Filter) -> Traffic {
        let mut meter = Meter::new(filter);
        now.beside(earlier).for_each(|(socket, before)| meter.read(socket, before));
        meter.moved()
    }

    const fn at(received: u64, acknowledged: u64) -> Traffic {
        Traffic { received, acknowledged }
    }

    #[test]
    fn only_what_moved_since_counts() {
        let first = look(&[(1, 0, at(100, 10))]);
        let second = look(&[(1, 0, at(150, 10)), (2, 0, at(7, 8))]);
        let third = look(&[(2, 0, at(7, 9))]);
        let all = filter(&[]);
        assert_eq!(moved(&second, &first, &all), at(57, 8));
        assert_eq!(moved(&third, &second, &all), at(0, 1));
        assert_eq!(moved(&look(&[]), &third, &all), at(0, 0));
    }

    #[test]
    fn only_what_the_filter_keeps_counts() {
        let before = look(&[(1, 0, at(1_000, 0)), (2, 33, at(2_000, 5))]);
        let now = look(&[(2, 33, at(2_500, 5)), (1, 0, at(1_500, 9)), (3, 0, at(9, 9))]);
        assert_eq!(moved(&now, &before, &filter(&["33"])), at(500, 0));
    }

    #[test]
    fn one_that_the_filter_did_not_keep_before_counts_from_there() {
        let before = look(&[(1, 0, at(2_000, 0))]);
        let now = look(&[(1, 33, at(2_500, 0))]);
        assert_eq!(moved(&now, &before, &filter(&["33"])), at(500, 0));
    }
}
