//! What the kernel has of a TCP socket, by /proc/net/tcp (proc(5)).

use std::net::SocketAddr;

/// A connection's queues in bytes, and its timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Not acknowledged by the other end.
    pub(crate) sending: u64,
    /// Not read by this end.
    pub(crate) receiving: u64,
    /// 0 none, 1 retransmission, 2 keepalive.
    pub(crate) timer: u8,
    /// When it fires, in seconds.
    pub(crate) fires_in: u64,
}

/// The established connection from `local` to `peer`, both IPv4.
pub(crate) fn row(local: SocketAddr, peer: SocketAddr) -> Row {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (from, to) = (format!(":{:04X}", local.port()), format!(":{:04X}", peer.port()));
    let found = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let both = fields[1].ends_with(&from) && fields[2].ends_with(&to);
        // 01 is TCP_ESTABLISHED.
        if !both || fields[3] != "01" {
            return None;
        }
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (sending, receiving) = fields[4].split_once(':').unwrap();
        let (timer, left) = fields[5].split_once(':').unwrap();
        let timer = timer.parse().unwrap();
        // In hundredths of a second.
        let fires_in = hex(left) / 100;
        Some(Row { sending: hex(sending), receiving: hex(receiving), timer, fires_in })
    });
    found.unwrap_or_else(|| panic!("no connection of {local} to {peer}"))
}
