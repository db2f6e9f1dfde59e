//! What keeps a pipe from being idle, and what an idle one has lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Stdio};

use crate::ANY;
use crate::driver::{Collected, Ports, client, noise};
use crate::stalled;

/// Lets pass what another pipe takes for an idle time.
fn one_idle_time() {
    let clock = Ports::start(&["listen", ANY, "--idle-timeout", "50ms"]);
    let silent = client(clock.listening(0));
    assert_eq!(clock.end().code, Some(0));
    drop(silent);
}

#[test]
fn a_pipe_whose_own_output_waits_is_not_idle() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["listen", ANY, "--idle-timeout", "50ms"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = Collected::of(child.stderr.take().unwrap(), "standard error");
    let address: SocketAddr = stderr.line("note: listening on tcp://", 0).parse().unwrap();
    let mut peer = client(address);
    let data = noise(1 << 20);
    let sent = data.clone();
    let sending = std::thread::spawn(move || {
        peer.write_all(&sent).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        peer
    });
    let mut stdout = child.stdout.take().unwrap();
    let mut got = vec![0; 1];
    stdout.read_exact(&mut got).unwrap();
    // More than once, as another process may be quicker.
    for _ in 0..4 {
        one_idle_time();
    }
    stdout.read_to_end(&mut got).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(got == data, "{} of {} bytes", got.len(), data.len());
    drop(sending.join().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_peer_that_did_not_acknowledge_all_is_a_failure() {
    let mut ports = Ports::start(&["listen", ANY, "--idle-timeout", "50ms"]);
    let peer = stalled::client(ports.listening(0));
    // The kernel takes all of it, and the peer's next to nothing.
    ports.write(&noise(1 << 20));
    let ended = ports.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing moved for the idle timeout"), "{}", ended.stderr);
    assert!(ended.stderr.contains("has not acknowledged"), "{}", ended.stderr);
    drop(peer);
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_that_ends_and_takes_nothing_more_has_not_got_everything() {
    let ports = Ports::start(&["listen", "127.0.0.1:0"]);
    let peer = stalled::client(ports.listening(0));
    stalled::is_not_taken_for_delivered(ports, peer);
}
