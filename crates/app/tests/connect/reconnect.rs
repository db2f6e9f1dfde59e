//! `ports connect --reconnect`: what goes on, what is lost, and why it gives up.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Ports, noise, read_exactly, read_to_end, run};
use crate::kernel::wait_until_it_queues;
use crate::kinds;
use crate::loopback::{accept, listener, refusing, reset};

#[test]
fn with_reconnect_the_input_goes_on_with_the_next_connection() {
    let (listener, endpoint) = listener();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["connect", &endpoint, "--reconnect", "--events", path]);
    let mut first = accept(&listener);
    ports.write(b"one");
    assert_eq!(read_exactly(&mut first, 3), b"one");
    first.write_all(b"1").unwrap();
    ports.stdout.until(b"1");
    drop(first);
    // It says so, then comes again.
    ports.stderr.line("note: not connected; try 1 ", 0);
    let mut second = accept(&listener);
    ports.write(b"two");
    assert_eq!(read_exactly(&mut second, 3), b"two");
    ports.end_input();
    assert!(read_to_end(&mut second).is_empty());
    second.write_all(b"2").unwrap();
    drop(second);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"12"[..]), "{}", ended.stderr);
    let kinds = kinds(path);
    for kind in ["connected", "disconnected", "reconnecting", "half-closed", "data", "stats"] {
        assert!(kinds.iter().any(|seen| seen == kind), "no {kind} in {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|kind| *kind == "connected").count(), 2);
}

#[test]
fn with_reconnect_it_waits_for_a_server_that_is_still_to_come() {
    let (socket, address) = refusing();
    let mut ports = Ports::start(&["connect", &address.to_string(), "--reconnect"]);
    ports.write(b"early input");
    ports.end_input();
    ports.stderr.line("note: not connected; try 2 ", 0);
    socket.listen(8).unwrap();
    let mut peer = accept(&socket.into());
    assert_eq!(read_to_end(&mut peer), b"early input");
    drop(peer);
    assert_eq!(ports.end().code, Some(0));
}

#[test]
fn with_reconnect_a_signal_ends_the_trying() {
    let (_socket, address) = refusing();
    let ports = Ports::start(&["connect", &address.to_string(), "--reconnect"]);
    ports.stderr.line("note: not connected; try 1 ", 0);
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

/// The first line of a type in a file of events.
fn event(path: &str, kind: &str) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {text}"))
}

#[test]
fn giving_up_says_why_after_how_many_tries_and_how_long() {
    let (_socket, address) = refusing();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let endpoint = format!("tcp://{address}");
    let quick = ["--reconnect", "--reconnect-base", "1ms", "--reconnect-max", "2ms"];
    let args = ["connect", &endpoint, "--reconnect-tries", "3", "--events", path];
    let ended = run(&[&args[..], &quick].concat());
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let said = ended.stderr.lines().last().unwrap();
    let begin = format!("error: gave up connecting to {endpoint} after 3 more tries, in ");
    assert!(said.starts_with(&begin), "{said}");
    let cause = format!(": cannot connect to {address}: refused, nothing listens there: ");
    assert!(said.contains(&cause), "{said}");
    // The reason stands behind the first try, and is not repeated.
    let tries = ended.stderr.lines().filter(|line| line.starts_with("note: not connected; try "));
    let tries: Vec<_> = tries.collect();
    assert_eq!(tries.len(), 3, "{}", ended.stderr);
    assert!(tries[0].contains(" ms: cannot connect to "), "{}", tries[0]);
    assert!(tries[2].ends_with(" ms"), "{}", tries[2]);
    let gave_up = event(path, "gave-up");
    assert_eq!((&gave_up["attempts"], &gave_up["permanent"]), (&3.into(), &false.into()));
    assert!(gave_up["lasted_ms"].is_u64(), "{gave_up}");
    let error = gave_up["error"].as_str().unwrap();
    assert!(error.contains("refused, nothing listens there"), "{error}");
}

/// The pauses are drawn below a ceiling that the options say.
#[test]
fn pauses_keep_to_their_ceilings() {
    let (_socket, address) = refusing();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let address = address.to_string();
    let args = ["connect", &address, "--reconnect", "--reconnect-tries", "8", "--events", path];
    let ended = run(&[&args[..], &["--reconnect-base", "4ms", "--reconnect-max", "6ms"]].concat());
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let tries: Vec<_> = lines.filter(|line| line["type"] == "reconnecting").collect();
    assert_eq!(tries.len(), 8);
    for (place, told) in tries.iter().enumerate() {
        assert_eq!(told["attempt"], place as u64 + 1);
        let most = if place == 0 { 4 } else { 6 };
        assert!(told["delay_ms"].as_u64().unwrap() <= most, "{told}");
    }
}

#[test]
fn what_a_reset_costs_is_told_to_the_byte_and_the_rest_is_kept() {
    let (listener, endpoint) = listener();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let args = ["connect", &endpoint, "--reconnect", "--reconnect-base", "1ms"];
    let mut ports = Ports::start(&[&args[..], &["--events", path]].concat());
    let data = noise(24 << 20);
    let (feeding, written) = ports.feed_counted(data.clone());
    let first = accept(&listener);
    wait_until_it_queues(&written, &first);
    reset(first);
    let mut second = accept(&listener);
    let received = read_to_end(&mut second);
    drop(second);
    feeding.join().unwrap().unwrap();
    let ended = ports.end();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |kind: &str, field: &str| -> u64 {
        let those = lines.iter().filter(|line| line["type"] == kind);
        those.map(|line| line[field].as_u64().unwrap()).sum()
    };
    let (sent, dropped) = (sum("disconnected", "bytes_out"), sum("dropped", "bytes"));
    assert_eq!(sent + dropped, data.len() as u64, "every byte was sent, or is told as lost");
    assert_eq!(sum("cut", "unsent"), dropped, "only of a chunk that was begun");
    assert!(sum("kept", "bytes") > 0, "{text}");
    assert!(received == data[data.len() - received.len()..], "the end comes whole, in order");
    let lost = format!("at least {dropped} bytes of input did not get to {endpoint}");
    assert_eq!(ended.stderr.contains(&lost), dropped > 0, "{}", ended.stderr);
    // The first peer's window was full, and what waited for it in the kernel is on no connection.
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let held = format!("{endpoint} has not acknowledged ");
    assert!(ended.stderr.contains(&held), "{}", ended.stderr);
}

/// The log of an earlier run goes, and this run's first error stays.
#[test]
fn a_first_try_that_fails_is_in_the_events() {
    let (_refusing, address) = refusing();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, "of an earlier run\n").unwrap();
    let tries = ["--reconnect-tries", "1", "--reconnect-base", "1ms"];
    let args = ["connect", &address.to_string(), "--reconnect", "--events", path];
    assert_eq!(run(&[&args[..], &tries].concat()).code, Some(4));
    assert_eq!(kinds(path), ["error", "reconnecting", "error", "gave-up", "error", "stats"]);
}
