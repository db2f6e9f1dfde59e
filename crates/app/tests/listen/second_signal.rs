//! The second signal: what is not done ends in a reset, never in what looks like its proper end.

use std::io::Write;

use rustix::process::Signal;

use crate::ANY;
use crate::driver::{Ports, client, noise, read_to_end};
use crate::kernel::{
    wait_until_it_has_read_all, wait_until_it_is_stuck, wait_until_the_kernel_has,
};
use crate::loopback::{read_to_reset, wait_for_reset};
use crate::stalled;
use crate::unread::Unread;

fn signal_until_it_ends(ports: &mut Ports, signal: Signal) {
    while ports.child.try_wait().unwrap().is_none() {
        ports.signal(signal);
        std::thread::yield_now();
    }
}

#[test]
fn a_client_of_a_relay_that_did_not_get_all_is_reset() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let relay = ["listen", ANY, "--service", "relay", "--slow", "drop-oldest"];
        let mut ports = Ports::start(&[&relay[..], &["--events", "-"]].concat());
        let mut silent = client(ports.listening(0));
        ports.stdout.event("connected");
        // The relay reads all of it, so that nothing unread makes the kernel reset anybody.
        let mut talker = client(ports.listening(0));
        let chunk = noise(1 << 20);
        let lost = br#""type":"dropped","client":1"#;
        while !ports
            .stdout
            .wait(|bytes, _| Some(bytes.windows(lost.len()).any(|window| window == lost)))
        {
            talker.write_all(&chunk).unwrap();
        }
        drop(talker);
        signal_until_it_ends(&mut ports, signal);
        read_to_reset(&mut silent);
        let ended = ports.end();
        assert_eq!(ended.code, Some(code));
        let said = "stopped at once: for 1 client ";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn the_peer_of_a_pipe_that_did_not_get_all_is_reset() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut ports = Ports::start(&["listen", ANY, "--stats"]);
        let mut peer = client(ports.listening(0));
        let (_feeding, written) = ports.feed_counted(noise(24 << 20));
        wait_until_it_is_stuck(ports.child.id(), &written, &peer);
        signal_until_it_ends(&mut ports, signal);
        read_to_reset(&mut peer);
        let ended = ports.end();
        assert_eq!(ended.code, Some(code));
        assert!(ended.stderr.contains("bytes of input did not get to 127.0.0.1:"), "{ended:?}");
        assert!(ended.stderr.contains("Drops: 1 message, "), "{ended:?}");
    }
}

#[test]
fn the_peer_of_a_pipe_whose_output_did_not_get_all_is_reset() {
    let mut ports = Unread::start(&["listen", ANY]);
    let mut peer = client(ports.listening());
    // The end of the stream is out: only what was not written can ask for a reset.
    ports.end_input();
    assert!(read_to_end(&mut peer).is_empty());
    peer.write_all(&noise(Unread::MORE_THAN_A_PIPE)).unwrap();
    wait_until_it_has_read_all(&peer);
    let said = ports.signal_until_it_ends(Signal::INT, 130);
    wait_for_reset(&peer);
    assert!(said.contains("not written to standard output"), "{said}");
}

/// The kernel has taken all of it, and the peer next to nothing.
#[test]
fn what_the_peer_of_a_pipe_has_not_acknowledged_is_told() {
    for ends_input in [false, true] {
        let mut ports = Ports::start(&["listen", ANY]);
        let mut peer = stalled::client(ports.listening(0));
        ports.write(&noise(60_000));
        wait_until_the_kernel_has(60_000, &peer);
        if ends_input {
            ports.end_input();
        }
        signal_until_it_ends(&mut ports, Signal::INT);
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
