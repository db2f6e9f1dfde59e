//! `--keepalive`, as the kernel has it.

use crate::driver::{Ports, read_exactly};
use crate::kernel::{Row, row};
use crate::loopback::{accept, listener};

/// The client's socket, once nothing is under way.
fn at_rest(more: &[&str]) -> Row {
    let (listener, endpoint) = listener();
    let mut ports = Ports::start(&[&["connect", &endpoint][..], more].concat());
    let mut peer = accept(&listener);
    // Sent behind the setting of the options.
    ports.write(b"x");
    read_exactly(&mut peer, 1);
    loop {
        let row = row(peer.peer_addr().unwrap(), peer.local_addr().unwrap());
        // Until the acknowledgement is there.
        if row.timer != 1 {
            return row;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_silent_peer_is_asked_after_the_time_that_was_given() {
    let asked = at_rest(&["--keepalive", "77s"]);
    assert_eq!(asked.timer, 2);
    assert!((1..=77).contains(&asked.fires_in), "{asked:?}");
    let not_asked = at_rest(&[]);
    assert_eq!(not_asked.timer, 0, "unless it was told to: {not_asked:?}");
}
