//! What the kernel dropped on a socket after the last datagram that was read from it.
//!
//! `SO_RXQ_OVFL` tells the drops before a datagram was queued, so those that nothing was queued after
//! are told by the kernel's table only.

use std::os::fd::AsRawFd;

/// The kernel's tables of UDP sockets (`udp4_format_sock` in `net/ipv4/udp.c`), of this thread's network.
const TABLES: [&str; 2] = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];

/// All that the kernel dropped on `socket` so far, modulo 2^32; `None` where the system has no such table.
pub(super) fn of(socket: &impl AsRawFd) -> Option<u32> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    TABLES.iter().find_map(|table| of_row(&std::fs::read_to_string(table).ok()?, inode))
}

/// The last field of the row with that inode.
fn of_row(table: &str, inode: &str) -> Option<u32> {
    const INODE: usize = 9;
    const DROPS: usize = 12;
    table.lines().skip(1).find_map(|row| {
        let mut fields = row.split_whitespace().skip(INODE);
        (fields.next()? == inode).then(|| fields.nth(DROPS - INODE - 1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_is_found_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1167: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 4711 2 0000000000000000 0\n\
             1181: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 471 2 0000000000000000 17\n";
        assert_eq!(of_row(table, "471"), Some(17));
        assert_eq!(of_row(table, "4711"), Some(0));
        assert_eq!(of_row(table, "47"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}") {
            of_row(&text, "1");
        }
    }
}
