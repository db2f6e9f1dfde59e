//! Datagrams that the kernel drops: said once, with their number, and not one by one.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::driver::Ports;

/// Much more than any buffer for receiving has room for.
const DATAGRAMS: u64 = 20_000;
const BEGIN: &str = "note: the kernel drop";

#[test]
fn they_are_counted_in_a_note() {
    let discard = ["listen", "udp://127.0.0.1:0", "--service", "discard", "--stats"];
    let ports = Ports::start(&discard);
    let address = ports.listening(0);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    let mut send = |count: u64| {
        for _ in 0..count {
            peer.send_to(&[0; 1200], address).unwrap();
        }
        sent += count;
    };
    for _ in 0..3 {
        ports.stop();
        send(DATAGRAMS);
        ports.signal(Signal::CONT);
        // The next one that is read tells of those that were dropped before.
        let is_told = |bytes: &[u8], _| Some(String::from_utf8_lossy(bytes).contains(BEGIN));
        while !ports.stderr.wait(is_told) {
            send(1);
            std::thread::yield_now();
        }
    }
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    let said: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with(BEGIN)).collect();
    assert!((1..=2).contains(&said.len()), "{}", ended.stderr);
    // The last of them has all.
    let dropped: u64 = said[said.len() - 1].split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!(dropped > 0, "{said:?}");
    let received = format!("Messages Received: {}\n", sent - dropped);
    assert!(ended.stderr.contains(&received), "{sent} sent: {}", ended.stderr);
}
