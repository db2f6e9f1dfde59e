//! A reader of standard output that leaves, while the peer has nothing to say.

use std::io::Read;

use super::driver::{client, noise, read_to_end};
use super::loopback::{accept, listener, udp};
use super::unread::Unread;

const NOT_SENT: &str = "note: nobody reads standard output, and input was silent for 0.5 s: done; what \
    comes later is not sent\n";

#[test]
fn a_silent_peer_is_not_waited_for() {
    let (listener, endpoint) = listener();
    // Whether input has ended, or nobody says anything more.
    for ends in [false, true] {
        let mut ports = Unread::start(&["connect", &endpoint]);
        let mut peer = accept(&listener);
        ports.write(b"question");
        peer.read_exact(&mut [0; 8]).unwrap();
        if ends {
            ports.end_input();
        }
        ports.reader_leaves();
        assert_eq!(read_to_end(&mut peer), b"");
        assert_eq!(ports.end(0), if ends { "" } else { NOT_SENT });
    }
}

#[test]
fn input_that_comes_is_sent_to_its_end() {
    let (listener, endpoint) = listener();
    let mut ports = Unread::start(&["connect", &endpoint]);
    ports.reader_leaves();
    let mut peer = accept(&listener);
    let data = noise(3 << 20);
    let reading = std::thread::spawn(move || read_to_end(&mut peer));
    ports.write(&data);
    ports.end_input();
    assert!(reading.join().unwrap() == data);
    assert_eq!(ports.end(0), "");
}

#[test]
fn over_udp_too() {
    let peer = udp();
    let mut ports = Unread::start(&["connect", &format!("udp://{}", peer.local_addr().unwrap())]);
    ports.write(b"question");
    peer.recv(&mut [0; 16]).unwrap();
    ports.reader_leaves();
    assert_eq!(ports.end(0), NOT_SENT);
}

#[test]
fn a_pipe_ends_as_well() {
    for ends in [false, true] {
        let mut ports = Unread::start(&["listen", "tcp://127.0.0.1:0"]);
        let mut peer = client(ports.listening());
        ports.write(b"answer");
        peer.read_exact(&mut [0; 6]).unwrap();
        if ends {
            ports.end_input();
        }
        ports.reader_leaves();
        assert_eq!(read_to_end(&mut peer), b"");
        drop(peer);
        let said = ports.end(0);
        assert_eq!(said.contains(NOT_SENT), !ends, "{said}");
    }
    let mut ports = Unread::start(&["listen", "udp://127.0.0.1:0"]);
    ports.listening_udp();
    ports.reader_leaves();
    ports.end(0);
}
