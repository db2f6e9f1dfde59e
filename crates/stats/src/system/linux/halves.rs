//! A dump of many TCP sockets in two halves, which two threads ask for at the same time: most of
//! what a dump takes is the kernel's work, and it does that on the asking thread.

use std::fs;
use std::panic::resume_unwind;
use std::thread;

use super::bytecode::Half;
use super::diag::{DiagError, Diagnosis};
use super::{Dump, bytecode};
use crate::system::{Protocol, Query, Snapshot, State};

/// From here on the second walk through the kernel's table costs less than it saves.
const WORTH_IT: usize = 8192;

/// About how many sockets `dump` will tell of, where it is better asked for in halves.
pub(super) fn worth_it(dump: Dump, query: &Query) -> Option<usize> {
    let is_large = dump.protocol() == Protocol::Tcp
        && query.wants_states().contains(State::Established)
        && bytecode::compile(query, None).is_none()
        && thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    is_large.then(open_connections).filter(|connections| *connections >= WORTH_IT)
}

/// Adds the sockets of one dump, about so many, to `snapshot`: all, or none where either half failed.
pub(super) fn dump(
    [first, second]: [&mut Diagnosis; 2],
    (dump, expected): (Dump, usize),
    query: &Query,
    snapshot: &mut Snapshot,
) -> Result<(), DiagError> {
    let before = snapshot.mark();
    let mut others = Snapshot::new();
    // With room for the other half, too, so that neither is moved; and some come meanwhile.
    snapshot.rows.reserve(expected + expected / 8);
    others.rows.reserve(expected / 2 + expected / 8);
    let mut upper = || second.dump(dump, query, Some(Half::Upper), &mut others);
    let (lower, upper) = thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, &mut upper);
        let lower = first.dump(dump, query, Some(Half::Lower), snapshot);
        let upper =
            other.ok().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        (lower, upper)
    });
    // Where there is no second thread to be had, this one asks for both.
    let upper = upper.unwrap_or_else(|| second.dump(dump, query, Some(Half::Upper), &mut others));
    let result = lower.and(upper);
    match &result {
        Ok(()) => snapshot.append(others),
        Err(_) => snapshot.back_to(before),
    }
    result
}

/// How many TCP sockets this network namespace has, as far as the kernel counts them: none where
/// it does not say.
fn open_connections() -> usize {
    ["sockstat", "sockstat6"]
        .map(|file| {
            let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"));
            text.map_or(0, |text| connections_in(&text))
        })
        .iter()
        .sum()
}

/// Sockets in use and in TIME-WAIT in a line such as `TCP: inuse 5 orphan 0 tw 2 alloc 7 mem 0`.
fn connections_in(sockstat: &str) -> usize {
    let lines = sockstat.lines();
    let line =
        lines.filter_map(|line| line.strip_prefix("TCP").and_then(|rest| rest.split_once(": ")));
    line.flat_map(|(_, fields)| {
        let words: Vec<&str> = fields.split_ascii_whitespace().collect();
        let count = |pair: &[&str]| match pair {
            ["inuse" | "tw", number] => number.parse().unwrap_or(0),
            _ => 0,
        };
        words.chunks(2).map(count).collect::<Vec<usize>>()
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_in_use_and_in_time_wait_are_counted() {
        let v4 = "sockets: used 9\nTCP: inuse 5 orphan 1 tw 20 alloc 7 mem 0\nUDP: inuse 3 mem 0\n";
        assert_eq!(connections_in(v4), 25);
        assert_eq!(connections_in("TCP6: inuse 2\nUDP6: inuse 1\n"), 2);
        assert_eq!(connections_in("TCP: inuse\nTCP inuse 3\n\n"), 0);
    }

    #[test]
    fn both_halves_together_are_the_whole() {
        let listener = crate::system::lone_listener::lone_listener();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _server = listener.accept().unwrap();
        let ours = [client.local_addr().unwrap(), listener.local_addr().unwrap()];
        let [mut first, mut second] = [(); 2].map(|()| Diagnosis::open().unwrap());
        let tcp = Dump::Inet { protocol: Protocol::Tcp, family: super::super::Family::Both };
        let mut snapshot = Snapshot::new();
        let query = Query::tcp().details(true);
        dump([&mut first, &mut second], (tcp, 3), &query, &mut snapshot).unwrap();
        let mut ends: Vec<_> = snapshot
            .iter()
            .map(|row| (row.local_addr().unwrap(), row.peer_addr(), row.details().is_some()))
            // The kernel may give the client's port to others, too, with other peers.
            .filter(|(local, peer, _)| {
                [Some(*local), *peer].iter().flatten().all(|end| ours.contains(end))
            })
            .collect();
        ends.sort_unstable();
        let [client, listener] = ours;
        let mut expected = vec![
            (client, Some(listener), true),
            (listener, None, true),
            (listener, Some(client), true),
        ];
        expected.sort_unstable();
        assert_eq!(ends, expected);
    }
}
