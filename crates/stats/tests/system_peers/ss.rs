//! What `ss` prints, and our rows as it prints them.

use std::net::SocketAddr;
use std::process::Command;

use stats::system::{Protocol, Snapshot, SocketRow, State};

/// The lines of `ss`, each with single blanks, sorted.
pub(crate) fn ss(arguments: &str) -> Vec<String> {
    let output = Command::new("ss").arg(arguments).output().expect("needs ss, of iproute2");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(words).collect();
    lines.sort();
    lines
}

/// An end as `ss -n` prints it: a wildcard of both families is a star.
fn printed(end: SocketAddr, is_wildcard_of_both: bool) -> String {
    let port = if end.port() == 0 { "*".to_owned() } else { end.port().to_string() };
    match end {
        SocketAddr::V6(_) if is_wildcard_of_both => format!("*:{port}"),
        SocketAddr::V6(end) => format!("[{}]:{port}", end.ip()),
        SocketAddr::V4(end) => format!("{}:{port}", end.ip()),
    }
}

pub(crate) fn inet_line(row: SocketRow<'_>) -> String {
    let local = row.local_addr().unwrap();
    let zero =
        SocketAddr::new(if local.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() }, 0);
    // Of raw sockets, which `ss` reads from `/proc` where the kernel has no netlink for them, nothing
    // is known.
    let takes_ipv4 = match row.only_ipv6() {
        None => row.protocol() == Protocol::Raw,
        Some(only_ipv6) => !only_ipv6,
    };
    let is_both = |end: SocketAddr| end.ip().is_unspecified() && takes_ipv4;
    let peer = row.peer_addr().unwrap_or(zero);
    format!(
        "{} {} {} {} {}",
        row.state(),
        row.receive_queue().unwrap(),
        row.send_queue().unwrap(),
        printed(local, is_both(local)),
        printed(peer, is_both(peer)),
    )
}

pub(crate) fn unix_line(row: SocketRow<'_>) -> String {
    let kind = match row.protocol() {
        Protocol::UnixStream => "u_str",
        Protocol::UnixDgram => "u_dgr",
        _ => "u_seq",
    };
    let peer = row.peer().map(|peer| peer.to_string());
    // `ss` names a peer by its number only.
    let peer = peer.as_deref().and_then(|peer| peer.rsplit_once(' ')).map_or("0", |(_, n)| n);
    let (state, local) = (row.state(), row.local());
    format!(
        "{kind} {state} {} {} {local} * {peer}",
        row.receive_queue().unwrap(),
        row.send_queue().unwrap()
    )
}

pub(crate) fn lines(snapshot: &Snapshot, line: fn(SocketRow<'_>) -> String) -> Vec<String> {
    let rows = snapshot.iter().filter(|row| row.state() != State::Bound);
    let mut lines: Vec<String> = rows.map(line).collect();
    lines.sort();
    lines
}

/// What `/proc` and netlink both tell.
pub(crate) fn plain(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.iter().filter(|row| row.state() != State::Bound);
    let line = |row: SocketRow<'_>| {
        format!(
            "{} {} {} {:?} {:?} {:?}",
            row.protocol(),
            row.state(),
            row.local(),
            row.peer_addr(),
            row.inode(),
            row.uid().filter(|_| !row.protocol().is_unix()),
        )
    };
    let mut lines: Vec<String> = rows.map(line).collect();
    lines.sort();
    lines
}

/// Equal, or the lines that only one of the two has.
pub(crate) fn assert_equal(ours: &[String], theirs: &[String]) {
    let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
    let added: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    assert!(ours == theirs, "only there: {missing:#?}\nonly here: {added:#?}");
    assert!(!ours.is_empty());
}
