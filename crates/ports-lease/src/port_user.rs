//! Who uses a port without leasing it.

use std::collections::HashSet;
use std::fmt;
use std::fs;

use ports_core::{Port, Transport};

use crate::process::{HolderProcess, holders_of};
use crate::user::{InWords, Passwd};

/// Who uses a port that is not leased, as far as this process may look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[non_exhaustive]
pub struct PortUser {
    /// The state of its socket as Linux writes it: `LISTEN`, `ESTABLISHED`, `TIME_WAIT` and so on;
    /// of UDP, `bound` or `ESTABLISHED`.
    pub state: &'static str,
    /// Who made the socket; nobody in `TIME_WAIT`, where it belongs to no process any more.
    pub uid: Option<u32>,
    /// That user's name in `/etc/passwd`.
    pub user: Option<String>,
    /// The processes that have it open, by number.
    pub processes: Vec<HolderProcess>,
    /// Whether there is no such process in this PID namespace, all of which was looked into: it is in
    /// another one, or the kernel itself has the port.
    pub is_elsewhere: bool,
}

/// `nginx (process 12) (LISTEN)`, `a process of alice that may not be looked into (LISTEN)`.
impl fmt::Display for PortUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.processes.first(), self.uid) {
            (Some(process), _) => write!(f, "{process}")?,
            (None, Some(uid)) => {
                let user = InWords(uid, self.user.as_deref());
                write!(f, "a process of {user} that {}", unseen(self.is_elsewhere))?;
            }
            (None, None) => f.write_str("a connection that closed lately")?,
        }
        match self.processes.len() {
            0 | 1 => {}
            more => write!(f, " and {} more", more - 1)?,
        }
        write!(f, " ({})", self.state)
    }
}

/// Why a process is not named.
pub(crate) const fn unseen(is_elsewhere: bool) -> &'static str {
    if is_elsewhere { "is not visible from this PID namespace" } else { "may not be looked into" }
}

/// Who uses the port, at whichever address; a listener, or a bound socket, before others. None where
/// it is gone, or bound without a state that the kernel lists (TCP that neither listens nor connects).
pub(crate) fn find(transport: Transport, port: Port) -> Option<PortUser> {
    let row = row_of(transport, port)?;
    let (processes, is_elsewhere) = holders_of(&HashSet::from([row.inode])).take(row.inode);
    // A socket that nobody owns is listed with inode 0 and the user of the root.
    let uid = (row.inode != 0).then_some(row.uid);
    if uid.is_some() && processes.is_empty() && row_of(transport, port)?.inode != row.inode {
        // It was closed while its process was looked for.
        return None;
    }
    let user = uid.and_then(|uid| Passwd::read().name(uid));
    let is_elsewhere = is_elsewhere && uid.is_some();
    Some(PortUser { state: state_name(transport, row.state), uid, user, processes, is_elsewhere })
}

fn row_of(transport: Transport, port: Port) -> Option<Row> {
    let tables = match transport {
        Transport::Udp => ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"],
        _ => ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"],
    };
    let rows = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    rows.flat_map(|table| table.lines().filter_map(Row::read).collect::<Vec<_>>())
        .filter(|row| row.port == port.number())
        .min_by_key(|row| (!matches!(row.state, LISTEN | CLOSE), row.inode == 0))
}

/// A line of `/proc/net/tcp` and its like (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Row {
    port: u16,
    state: u8,
    uid: u32,
    inode: u64,
}

/// States of `include/net/tcp_states.h`.
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

impl Row {
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let (_, port) = local.rsplit_once(':')?;
        Some(Self {
            port: u16::from_str_radix(port, 16).ok()?,
            state: u8::from_str_radix(fields.nth(1)?, 16).ok()?,
            uid: fields.nth(3)?.parse().ok()?,
            inode: fields.nth(1)?.parse().ok()?,
        })
    }
}

const fn state_name(transport: Transport, state: u8) -> &'static str {
    match (transport, state) {
        (Transport::Udp, CLOSE) => "bound",
        (_, 1) => "ESTABLISHED",
        (_, 2) => "SYN_SENT",
        (_, 3) => "SYN_RECV",
        (_, 4) => "FIN_WAIT1",
        (_, 5) => "FIN_WAIT2",
        (_, 6) => "TIME_WAIT",
        (_, CLOSE) => "CLOSE",
        (_, 8) => "CLOSE_WAIT",
        (_, 9) => "LAST_ACK",
        (_, LISTEN) => "LISTEN",
        (_, 11) => "CLOSING",
        (_, 12) => "NEW_SYN_RECV",
        _ => "an unknown state",
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn who_is_not_seen_is_told_as_far_as_he_is_known() {
        let user = |user: Option<&str>, is_elsewhere| {
            let user = user.map(str::to_owned);
            let state = "LISTEN";
            PortUser { state, uid: Some(65534), user, processes: Vec::new(), is_elsewhere }
                .to_string()
        };
        assert_eq!(
            user(Some("nobody"), false),
            "a process of nobody that may not be looked into (LISTEN)"
        );
        assert_eq!(
            user(None, true),
            "a process of user 65534 that is not visible from this PID namespace (LISTEN)"
        );
    }

    #[test]
    fn a_line_of_the_table() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0";
        let row = Row { port: 8080, state: LISTEN, uid: 1000, inode: 12345 };
        assert_eq!(Row::read(line), Some(row));
        assert_eq!(Row::read("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn our_own_sockets_are_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (transport, port, state) in [
            (Transport::Tcp, listener.local_addr().unwrap().port(), "LISTEN"),
            (Transport::Udp, socket.local_addr().unwrap().port(), "bound"),
        ] {
            let user = find(transport, port.into()).unwrap();
            assert_eq!(user.state, state);
            assert!(user.processes.iter().any(|process| process.pid == std::process::id()));
            assert!(user.to_string().ends_with(&format!(" ({state})")), "{user}");
        }
    }
}
