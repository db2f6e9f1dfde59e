//! Waiting until the kernel has a datagram: over loopback it mostly has when the call that sends returns,
//! but it may leave that to its own thread, which waits for its turn as others do (ksoftirqd).

use std::net::{Ipv4Addr, SocketAddr};

use sockets_udp::UdpSocket;

/// Of this thread's network namespace (proc(5)).
const TABLE: &str = "/proc/thread-self/net/udp";

/// Sends one datagram, and waits until the receiver's queue has it or has dropped it.
pub(crate) async fn send_to(here: &UdpSocket, data: &[u8], there: SocketAddr) {
    let before = queue(there);
    here.send_to(data, there).await.unwrap();
    while queue(there) == before {
        tokio::task::yield_now().await;
    }
}

/// The receive queue of an open socket at 127.0.0.1: how many bytes the kernel counts for what it holds,
/// and how many datagrams it has dropped.
fn queue(there: SocketAddr) -> (String, String) {
    assert_eq!(there.ip(), Ipv4Addr::LOCALHOST, "the others are in other tables");
    let local = format!("0100007F:{:04X}", there.port());
    loop {
        let table = std::fs::read_to_string(TABLE).unwrap();
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Read in pieces, between which sockets of other tests come and go, it may lack a row.
        let Some(row) = rows.find(|row| row.get(1) == Some(&&*local)) else { continue };
        let [_, _, _, _, queues, .., dropped] = row[..] else { panic!("{row:?}") };
        let (_, receives) = queues.split_once(':').unwrap();
        return (receives.to_owned(), dropped.to_owned());
    }
}
