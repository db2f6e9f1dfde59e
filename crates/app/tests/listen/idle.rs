//! What keeps a pipe from being idle, and what an idle one has lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::ANY;
use crate::driver::{Collected, Ports, client, noise, stop};
use crate::stalled;
use crate::unread::Unread;

/// Lets pass what another pipe takes for an idle time.
fn one_idle_time(time: &str) {
    let clock = Ports::start(&["listen", ANY, "--idle-timeout", time]);
    let silent = client(clock.listening(0));
    // Its input had not ended.
    assert_eq!(clock.end().code, Some(4));
    drop(silent);
}

#[cfg(target_os = "linux")]
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
    // All is with the kernel before the time begins: nobody has to be quick.
    let mut data = noise(4 * Unread::MORE_THAN_A_PIPE);
    stop(&child);
    let mut peer = client(address);
    peer.set_nonblocking(true).unwrap();
    data.truncate(peer.write(&data).unwrap());
    assert!(data.len() > 2 * Unread::MORE_THAN_A_PIPE, "{}", data.len());
    peer.shutdown(Shutdown::Write).unwrap();
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut got = vec![0; 1];
    stdout.read_exact(&mut got).unwrap();
    // More than once, as another process may be quicker.
    for _ in 0..4 {
        one_idle_time("50ms");
    }
    stdout.read_to_end(&mut got).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(got == data, "{} of {} bytes", got.len(), data.len());
    drop(peer);
}

/// Nobody had the processor: not the peer is to blame.
#[test]
fn a_peer_that_spoke_while_the_pipe_did_not_run_is_not_idle() {
    const TIME: &str = "1s";
    let ports = Ports::start(&["listen", ANY, "--idle-timeout", TIME]);
    let mut peer = client(ports.listening(0));
    peer.write_all(b"one, ").unwrap();
    ports.stdout.until(b"one, ");
    ports.stop();
    peer.write_all(b"two").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    one_idle_time(TIME);
    ports.signal(Signal::CONT);
    let ended = ports.end();
    assert_eq!(
        (ended.code, ended.stdout.as_slice()),
        (Some(0), &b"one, two"[..]),
        "{}",
        ended.stderr
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_peer_that_did_not_acknowledge_all_is_a_failure() {
    // Long enough for the program to read what is there.
    let mut ports = Ports::start(&["listen", ANY, "--idle-timeout", "1s"]);
    // The kernel takes all of it, and the peer's next to nothing.
    ports.write(&noise(60_000));
    let peer = stalled::client(ports.listening(0));
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
