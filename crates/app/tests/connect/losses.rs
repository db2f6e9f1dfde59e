//! What is lost is counted once, and told alike by the message, the events and the statistics.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Ports, noise, read_to_end};
use crate::kernel::{wait_until_it_has_read_all, wait_until_it_queues, wait_until_the_kernel_has};
use crate::loopback::{accept, listener, read_to_reset, reset, wait_for_reset};
use crate::stalled;
use crate::unread::Unread;

/// The number before `words`.
fn number_before(text: &str, words: &str) -> u64 {
    let before = &text[..text.find(words).unwrap_or_else(|| panic!("no {words:?} in {text}"))];
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

fn lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_message_the_events_and_the_statistics_tell_one_number() {
    let (listener, endpoint) = listener();
    for more in [&[][..], &["--reconnect", "--reconnect-tries", "1"]] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let mut ports =
            Ports::start(&[&["connect", &endpoint, "--events", path][..], more].concat());
        let (_feeding, written) = ports.feed_counted(noise(24 << 20));
        let peer = accept(&listener);
        wait_until_it_queues(&written, &peer);
        if more.is_empty() {
            reset(peer);
        } else {
            // With another connection to come, the end of the grace is what loses it.
            ports.signal(Signal::INT);
        }
        let ended = ports.end();
        let said = number_before(&ended.stderr, " bytes of input did not get to");
        let lines = lines(path);
        let events = lines.iter().filter(|line| line["type"] == "dropped");
        let events: u64 = events.map(|line| line["bytes"].as_u64().unwrap()).sum();
        let counted = &lines.last().unwrap()["groups"][0]["counters"]["dropped_bytes"];
        assert_eq!((said, counted), (events, &events.into()), "{}", ended.stderr);
        // The queue was full, and a chunk waited for its place.
        assert!(said > 512 * 1024, "{}", ended.stderr);
    }
}

#[test]
fn the_second_signal_resets_what_is_not_sent() {
    let (listener, endpoint) = listener();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut ports = Ports::start(&["connect", &endpoint]);
        let (_feeding, written) = ports.feed_counted(noise(24 << 20));
        let mut peer = accept(&listener);
        wait_until_it_queues(&written, &peer);
        while ports.child.try_wait().unwrap().is_none() {
            ports.signal(signal);
            std::thread::yield_now();
        }
        let error = peer.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let ended = ports.end();
        assert_eq!(ended.code, Some(code));
        assert!(number_before(&ended.stderr, " bytes of input did not get to") > 512 * 1024);
    }
}

/// The kernel has taken all of it, and the peer next to nothing.
#[test]
fn the_second_signal_tells_what_is_not_acknowledged() {
    let listener = stalled::listener();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    for ends_input in [false, true] {
        let mut ports = Ports::start(&["connect", &endpoint]);
        let mut peer = accept(&listener);
        ports.write(&noise(60_000));
        wait_until_the_kernel_has(60_000, &peer);
        if ends_input {
            ports.end_input();
        }
        while ports.child.try_wait().unwrap().is_none() {
            ports.signal(Signal::INT);
            std::thread::yield_now();
        }
        let ended = ports.end();
        assert_eq!(ended.code, Some(130));
        let said = "bytes that were sent: whether it gets them is not known";
        assert_eq!(ended.stderr.matches(said).count(), 1, "{}", ended.stderr);
        assert!(!ended.stderr.contains("did not get to"), "{}", ended.stderr);
        if !ends_input {
            read_to_reset(&mut peer);
        }
    }
}

/// A command that has read all its peer sent, and cannot write it; and the peer. The end of its own
/// stream is out: only what is not written can ask for a reset.
fn stuck_on_its_output() -> (Unread, TcpStream) {
    let (listener, endpoint) = listener();
    let mut ports = Unread::start(&["connect", &endpoint]);
    let mut peer = accept(&listener);
    ports.end_input();
    assert!(read_to_end(&mut peer).is_empty());
    peer.write_all(&noise(Unread::MORE_THAN_A_PIPE)).unwrap();
    wait_until_it_has_read_all(&peer);
    (ports, peer)
}

#[test]
fn the_second_signal_resets_a_peer_whose_bytes_are_not_written() {
    let (ports, peer) = stuck_on_its_output();
    let said = ports.signal_until_it_ends(Signal::INT, 130);
    wait_for_reset(&peer);
    assert!(said.contains("not written to standard output"), "{said}");
}

#[test]
fn an_output_that_takes_nothing_is_named_at_the_end_of_the_grace() {
    let (ports, peer) = stuck_on_its_output();
    ports.signal(Signal::INT);
    let said = ports.end(130);
    wait_for_reset(&peer);
    assert!(said.contains("not written to standard output"), "{said}");
    assert!(!said.contains("has not acknowledged"), "{said}");
}

/// What came cannot be written: whoever sent it is not to think that it is there.
#[test]
fn a_peer_whose_data_cannot_be_written_sees_a_reset() {
    let (listener, endpoint) = listener();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["connect", &endpoint])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peer = accept(&listener);
    peer.write_all(b"hello").unwrap();
    let error = peer.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(child.wait().unwrap().code(), Some(4));
}
