//! What a client costs that hears nothing: neither a buffer nor a channel of events.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use sockets_tcp::{Echo, TcpClient, TcpServer};

const CLIENTS: usize = 300;
/// A buffer for a read has 64 KiB, and a channel of events more: less than one of them.
const MOST_EACH: usize = 64 * 1024;

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

/// Both ends of each connection are in this process.
#[tokio::test]
async fn a_client_that_hears_nothing_holds_no_buffer() {
    let address = "127.0.0.1:0".parse().unwrap();
    let server = TcpServer::builder().bind(address).handler(Echo::new()).start().await.unwrap();
    let mut clients = Vec::with_capacity(CLIENTS);
    let mut before = 0;
    for number in 0..=CLIENTS {
        let client = TcpClient::builder(server.local_addr()).connect().await.unwrap();
        // An answer: it has read once, and waits to read again.
        client.send("x".into()).await.unwrap();
        assert_eq!(client.recv().await.unwrap().unwrap(), "x");
        clients.push(client);
        if number == 0 {
            before = resident();
        }
    }
    let each = (resident() - before) / CLIENTS;
    assert!(each < MOST_EACH, "{each} bytes for each connection");
}
