//! The order of a relay's shutdown, which no one outside can arrange.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;
use crate::handler::Relay;

#[tokio::test]
async fn a_relay_ends_no_stream_before_all_that_arrived_is_relayed() {
    let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap());
    let server = builder.handler(Relay::new()).start().await.unwrap();
    let mut events = server.events();
    let mut peers = Vec::new();
    let mut ids = Vec::new();
    while ids.len() < 2 {
        peers.push(TcpStream::connect(server.local_addr()).unwrap());
        while ids.len() < peers.len() {
            let received = events.recv().await.unwrap();
            if let ServerEvent::Connected { client, .. } = received {
                ids.push(client);
            }
        }
    }
    // The listener is the first to be drained, and would be the first to end.
    let (mut speaker, mut listener) = (peers.pop().unwrap(), peers.pop().unwrap());
    speaker.write_all(b"last words").unwrap();
    let link = server.state.link(ids[1]).unwrap();
    // Without an `await`, so that the one thread there is cannot read it yet.
    while link.arrived() < 10 {
        std::thread::yield_now();
    }
    drop(link);
    let heard = tokio::task::spawn_blocking(move || {
        let mut heard = Vec::new();
        listener.read_to_end(&mut heard).unwrap();
        heard
    });
    drop(speaker);
    let report = server.shutdown(Duration::from_mins(1)).await;
    assert_eq!(heard.await.unwrap(), b"last words");
    assert_eq!(report.drained, 2);
}
