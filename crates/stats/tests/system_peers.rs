//! The machine's sockets row for row as `ss` and `/proc/net` have them, in a namespace of its own
//! where nothing else moves; and the ends of sockets as the kernel tells them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: what it needs, it has")]

#[path = "system_peers/ends.rs"]
mod ends;
#[path = "system_peers/ss.rs"]
mod ss;
#[path = "system_peers/zoo.rs"]
mod zoo;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats::system::{Query, SocketRow, Source, State, SystemSockets};

use self::ss::{assert_equal, inet_line, lines, plain, ss, unix_line};

/// Puts this thread, and what it starts, into a network namespace of its own. One test at a time: a
/// child that another one is about to start holds copies of all descriptors for a moment.
fn leave_the_others() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("needs root");
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.expect("needs ip, of iproute2").success());
    turn
}

#[test]
#[ignore = "needs root, ip and ss"]
fn every_row_is_that_of_ss_and_proc() {
    let _turn = leave_the_others();
    let directory = tempfile::tempdir().unwrap();
    let _zoo = zoo::zoo(directory.path());
    zoo::settle();
    let mut sockets = SystemSockets::new();
    let by_netlink = |query: Query| query.source(Source::Netlink);

    let tcp = sockets.snapshot(&by_netlink(Query::tcp())).unwrap();
    let states: BTreeSet<State> = tcp.iter().map(|row| row.state()).collect();
    for state in [
        State::Established,
        State::SynSent,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
        State::CloseWait,
        State::LastAck,
        State::Listen,
    ] {
        assert!(states.contains(&state), "no {state} in {states:?}");
    }
    assert_equal(&lines(&tcp, inet_line), &ss("-tanH"));
    let udp = sockets.snapshot(&by_netlink(Query::udp())).unwrap();
    assert_equal(&lines(&udp, inet_line), &ss("-uanH"));
    let unix = sockets.snapshot(&by_netlink(Query::unix())).unwrap();
    assert_equal(&lines(&unix, unix_line), &ss("-xaH"));

    // By netlink where the kernel has that, which not all do (`CONFIG_INET_RAW_DIAG`).
    let raw = sockets.snapshot(&Query::none().with_raw()).unwrap();
    assert_equal(&lines(&raw, inet_line), &ss("-wanH"));

    for query in [Query::tcp(), Query::udp(), Query::unix()] {
        let netlink = sockets.snapshot(&by_netlink(query.clone())).unwrap();
        let proc = sockets.snapshot(&query.source(Source::Proc)).unwrap();
        assert_equal(&plain(&netlink), &plain(&proc));
        assert_eq!(proc.coverage().malformed, 0);
    }
}

#[test]
#[ignore = "needs root, ip and ss"]
fn every_process_is_that_of_ss() {
    let _turn = leave_the_others();
    let directory = tempfile::tempdir().unwrap();
    let _zoo = zoo::zoo(directory.path());
    zoo::settle();
    let held = |row: SocketRow<'_>| {
        let line = inet_line(row);
        let one = |holding: stats::system::Holding<'_>| {
            let process = holding.process;
            format!("(\"{}\",pid={},fd={})", process.name(), process.pid(), holding.descriptor)
        };
        let holdings: Vec<String> = row.holdings().map(one).collect();
        if holdings.is_empty() { line } else { format!("{line} users:({})", holdings.join(",")) }
    };
    let mut sockets = SystemSockets::new();
    for (query, arguments) in
        [(Query::tcp(), "-tanpH"), (Query::udp(), "-uanpH"), (Query::none().with_raw(), "-wanpH")]
    {
        let first = sockets.snapshot(&query.clone().processes(true)).unwrap();
        assert_equal(&lines(&first, held), &ss(arguments));
        let again = sockets.snapshot(&query.processes(true)).unwrap();
        assert_equal(&lines(&again, held), &lines(&first, held));
    }
}
