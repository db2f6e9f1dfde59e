//! What is lost is counted once, and told alike by the message, the events and the statistics.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Ports, noise};
use crate::kernel::wait_until_it_queues;
use crate::loopback::{accept, listener, reset, udp};

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

/// It is not to say that its output takes nothing, which is not so.
#[test]
fn a_target_that_goes_on_sending_does_not_keep_it_from_its_end() {
    let server = udp();
    let endpoint = format!("udp://{}", server.local_addr().unwrap());
    let mut ports = Ports::start(&["connect", &endpoint]);
    ports.write(b"hello");
    let (_, client) = server.recv_from(&mut [0; 16]).unwrap();
    let test = Arc::new(());
    let is_running = Arc::downgrade(&test);
    let flood = std::thread::spawn(move || {
        while is_running.strong_count() > 0 {
            // Nobody is there any more after its end.
            let _ = server.send_to(b"x", client);
        }
    });
    ports.stdout.until(b"xxx");
    ports.signal(Signal::INT);
    let ended = ports.end();
    drop(test);
    flood.join().unwrap();
    assert_eq!(ended.code, Some(130));
    assert!(!ended.stderr.contains("takes nothing"), "{}", ended.stderr);
}
