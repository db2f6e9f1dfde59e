//! `--wait`: whether a service is up, and when.

use rustix::process::Signal;

use crate::driver::{Ports, read_to_end, run};
use crate::loopback::{accept, listener, refusing};

#[test]
fn a_service_that_is_up_is_left_at_once() {
    let (listener, endpoint) = listener();
    let ports = Ports::start(&["connect", "--wait", "0s", &endpoint]);
    let mut peer = accept(&listener);
    assert_eq!(read_to_end(&mut peer), b"", "no data is moved");
    drop(peer);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b""[..]), "{}", ended.stderr);
}

#[test]
fn a_service_that_comes_up_is_waited_for() {
    let (socket, address) = refusing();
    let ports = Ports::start(&["connect", "-v", "--wait", "1h", &address.to_string()]);
    let why = ports.stderr.line("note: not up yet: ", 0);
    assert!(why.contains("refused, nothing listens there"), "{why}");
    socket.listen(1).unwrap();
    let ended = ports.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("note: tcp://{address} is up, after ")));
    assert_eq!(ended.stderr.matches("not up yet").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_service_that_is_not_up_in_time_is_a_failure() {
    let (_socket, address) = refusing();
    let refused = format!("cannot connect to {address}: refused");
    let late = format!("tcp://{address} was not up within 50ms: {refused}");
    for (time, expected) in [("0s", &refused), ("50ms", &late)] {
        let ended = run(&["connect", "--wait", time, &address.to_string()]);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("error: {expected}")), "{}", ended.stderr);
    }
}

#[test]
fn waiting_can_be_stopped() {
    let (_socket, address) = refusing();
    let ports = Ports::start(&["connect", "-v", "--wait", "1h", &address.to_string()]);
    ports.stderr.line("note: not up yet: ", 0);
    ports.signal(Signal::TERM);
    assert_eq!(ports.end().code, Some(143));
}

#[test]
fn what_has_no_connection_is_not_waited_for() {
    let ended = run(&["connect", "--wait", "1s", "udp://127.0.0.1:9"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--wait: udp://127.0.0.1:9 has no connection"));
}
