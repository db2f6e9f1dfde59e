//! How a forwarding stops: who is waited for, what is lost, who is reset.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Ended, client, noise, read_exactly, read_to_end};
use crate::forward;
use crate::kernel::fill;
use crate::loopback::{accept, comes_and_is_reset, listener, read_to_reset};
use crate::own_port::OwnPort;

fn lines(ended: &Ended) -> Vec<Value> {
    let text = std::str::from_utf8(&ended.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The bytes of all `dropped` lines, of those for the target or of the others.
fn dropped(lines: &[Value], for_target: bool) -> u64 {
    let those = lines.iter().filter(|line| line["type"] == "dropped");
    let those = those.filter(|line| (line["to"] == "target") == for_target);
    those.map(|line| line["bytes"].as_u64().unwrap()).sum()
}

/// The number before `words`.
fn number_before(text: &str, words: &str) -> u64 {
    let before = &text[..text.find(words).unwrap_or_else(|| panic!("no {words:?} in {text}"))];
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The counters of one role in the last line.
fn counters<'a>(lines: &'a [Value], role: &str) -> &'a Value {
    let groups = lines.last().unwrap()["groups"].as_array().unwrap();
    &groups.iter().find(|group| group["role"] == role).unwrap()["counters"]
}

#[test]
fn an_idle_client_is_not_waited_for() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    // One that never said a word, and one whose question is answered.
    let mut silent = client(ports.forwarding(0));
    let mut its_target = accept(&listener);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"question").unwrap();
    assert_eq!(read_exactly(&mut there, 8), b"question");
    there.write_all(b"answer").unwrap();
    assert_eq!(read_exactly(&mut here, 6), b"answer");
    ports.signal(Signal::INT);
    for stream in [&mut silent, &mut its_target, &mut here, &mut there] {
        assert_eq!(read_to_reset(stream), b"");
    }
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    // At the end of the grace it would be said.
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
    let lines = lines(&ended);
    let gone: Vec<_> = lines.iter().filter(|line| line["type"] == "disconnected").collect();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|line| line["reason"] == "shutdown"), "{gone:?}");
    assert_eq!((dropped(&lines, true), dropped(&lines, false)), (0, 0));
}

#[test]
fn a_transfer_that_moves_is_waited_for() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"more").unwrap();
    ports.stdout.event("data");
    assert_eq!(read_exactly(&mut there, 4), b"more");
    ports.signal(Signal::INT);
    // For longer than an idle one has, and no longer: what moves it must not be kept from that for as
    // long.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(700) {
        there.write_all(b"x").unwrap();
        assert_eq!(read_exactly(&mut here, 1), b"x");
    }
    drop(there);
    assert_eq!(read_to_end(&mut here), b"");
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
}

#[test]
fn what_is_lost_on_the_way_to_the_target_is_told() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    fill(ports.child.id(), &mut here);
    ports.signal(Signal::TERM);
    let ended = ports.end();
    read_to_reset(&mut there);
    assert_eq!(ended.code, Some(143));
    let lines = lines(&ended);
    let lost = dropped(&lines, true);
    let (of_clients, of_targets) = (counters(&lines, "server"), counters(&lines, "client"));
    let came = of_clients["bytes_received"].as_u64().unwrap();
    let unsent = came - of_targets["bytes_sent"].as_u64().unwrap();
    assert_eq!(of_targets["dropped_bytes"], lost);
    assert!(unsent > 0);
    // Those that it sent, and the target's kernel had no room for.
    let unacknowledged = lost - unsent;
    assert!(unacknowledged > 0);
    let note = format!(
        "for it 0 bytes not sent, 0 not acknowledged; for {target} {unsent} bytes not sent, \
         {unacknowledged} not acknowledged"
    );
    assert!(ended.stderr.contains(&note), "{lost}: {}", ended.stderr);
}

/// The kernel took all of it, and the target's took next to nothing.
#[test]
fn a_client_is_not_idle_while_its_target_is_to_take_the_last_bytes() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--idle-timeout", "1s", "--events", "-"]);
    // More than the kernel takes for the target, and no more than it takes from the forwarding.
    let data = noise(1 << 20);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    there.shutdown(Shutdown::Write).unwrap();
    here.write_all(&data).unwrap();
    here.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut here), b"");
    // Another one's idle time is over.
    let mut idle = client(ports.forwarding(0));
    let _its_target = accept(&listener);
    assert_eq!(read_to_reset(&mut idle), b"");
    let got = read_to_end(&mut there);
    assert!(got == data, "{} of {} bytes", got.len(), data.len());
    ports.stdout.wait(|so_far, _| {
        let text = String::from_utf8_lossy(so_far);
        text.lines()
            .any(|line| line.contains(r#""client":1"#) && line.contains("disconnected"))
            .then_some(())
    });
    ports.signal(Signal::INT);
    let lines = lines(&ports.end());
    assert_eq!(dropped(&lines, true), 0);
    let ended = |line: &&Value| line["type"] == "disconnected" && line["client"] == 1;
    assert_eq!(lines.iter().find(ended).unwrap()["reason"], "peer-closed");
}

#[test]
fn what_a_target_did_not_acknowledge_is_lost() {
    let listener = crate::stalled::listener();
    let target = format!("tcp://{}", listener.local_addr().unwrap());
    let ports = forward(&target, &["--events", "-", "--stats"]);
    let mut here = client(ports.forwarding(0));
    let sent = noise(60_000);
    here.write_all(&sent).unwrap();
    ports.stdout.wait(|bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let came: u64 = lines.filter_map(|line| line["len"].as_u64()).sum();
        (came == 60_000).then_some(())
    });
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    // It never accepted the connection.
    let mut there = accept(&listener);
    let got = read_to_reset(&mut there);
    assert!(sent.starts_with(&got));
    let lines = lines(&ended);
    let lost = dropped(&lines, true);
    assert_eq!(lost, (sent.len() - got.len()) as u64, "{}", ended.stderr);
    assert!(lost > 0);
    assert_eq!(counters(&lines, "client")["dropped_bytes"], lost);
    let told = format!("for {target} 0 bytes not sent, {lost} not acknowledged");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    let note = ended.stderr.lines().find(|line| line.starts_with("Drops: ")).unwrap();
    assert!(note.contains(&format!("({lost} bytes)")), "{note}");
}

/// Both streams have ended, as far as this end is concerned; the target reads nothing.
#[test]
fn the_last_bytes_of_a_target_that_only_ended_are_told() {
    let listener = crate::stalled::listener();
    let target = format!("tcp://{}", listener.local_addr().unwrap());
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let there = accept(&listener);
    here.write_all(&noise(60_000)).unwrap();
    here.shutdown(Shutdown::Write).unwrap();
    there.shutdown(Shutdown::Write).unwrap();
    // After it stood still for as long as it may.
    let told = ports.stdout.event("dropped");
    assert_eq!(told["to"], "target");
    assert!((1..=60_000).contains(&told["bytes"].as_u64().unwrap()), "{told}");
    assert_eq!(read_to_end(&mut here), b"");
    ports.signal(Signal::INT);
    let ended = ports.end();
    let lines = lines(&ended);
    assert_eq!(counters(&lines, "client")["dropped_bytes"], told["bytes"]);
    drop(there);
}

#[test]
fn what_is_lost_on_the_way_to_the_client_is_told() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    fill(ports.child.id(), &mut there);
    ports.signal(Signal::TERM);
    let ended = ports.end();
    read_to_reset(&mut here);
    let lines = lines(&ended);
    let lost = dropped(&lines, false);
    let (of_clients, of_targets) = (counters(&lines, "server"), counters(&lines, "client"));
    let came = of_targets["bytes_received"].as_u64().unwrap();
    assert_eq!(came, of_clients["bytes_sent"].as_u64().unwrap() + lost);
    assert_eq!(of_clients["dropped_bytes"], lost);
    assert!(lost > 0);
    let note = format!("for it {lost} bytes not sent");
    assert!(ended.stderr.contains(&note), "{lost}: {}", ended.stderr);
}

#[test]
fn the_second_signal_resets_both_sides() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (listener, target) = listener();
        let mut ports = forward(&target, &["--events", "-"]);
        let mut here = client(ports.forwarding(0));
        let mut there = accept(&listener);
        // All of it is read here, and the end: without a reset both streams would look whole.
        here.write_all(&noise(1000)).unwrap();
        here.shutdown(Shutdown::Write).unwrap();
        ports.stdout.event("half-closed");
        fill(ports.child.id(), &mut there);
        while ports.child.try_wait().unwrap().is_none() {
            ports.signal(signal);
            std::thread::yield_now();
        }
        read_to_reset(&mut here);
        let ended = ports.end();
        assert_eq!(ended.code, Some(code));
        assert!(ended.stderr.contains("stopped at once: "), "{}", ended.stderr);
        assert_eq!(lines(&ended).last().unwrap()["type"], "stats");
        drop(there);
    }
}

#[test]
fn the_second_signal_resets_a_target_that_does_not_read() {
    for signal in [Signal::INT, Signal::TERM] {
        let (listener, target) = listener();
        let mut ports = forward(&target, &[]);
        let mut here = client(ports.forwarding(0));
        let mut there = accept(&listener);
        fill(ports.child.id(), &mut here);
        while ports.child.try_wait().unwrap().is_none() {
            ports.signal(signal);
            std::thread::yield_now();
        }
        read_to_reset(&mut there);
        let ended = ports.end();
        // Its kernel took nothing more long ago: what ours held then, it still held.
        let said = &ended.stderr[ended.stderr.find("stopped at once: for clients ").unwrap()..];
        let (_, for_target) = said.split_once(&format!("; for {target} ")).unwrap();
        assert!(number_before(for_target, " bytes not sent") > 0, "{said}");
        assert!(number_before(for_target, " not acknowledged") > 0, "{said}");
    }
}

#[test]
fn a_client_is_told_of_from_its_beginning_to_its_end() {
    // The target is gone before the client is: nothing of it may be told before `connected`, nor
    // after `disconnected`.
    let target = OwnPort::at(Ipv4Addr::LOCALHOST);
    let listener = target.listen();
    let ports = forward(&target.address().to_string(), &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let there = accept(&listener);
    fill(ports.child.id(), &mut here);
    crate::loopback::reset(there);
    ports.stdout.event("disconnected");
    drop(here);
    drop(listener);
    for _ in 0..8 {
        comes_and_is_reset(ports.forwarding(0));
    }
    ports.signal(Signal::INT);
    let ended = ports.end();
    let lines = lines(&ended);
    for number in 1..=9 {
        let of_it: Vec<_> = lines.iter().filter(|line| line["client"] == number).collect();
        let kinds: Vec<_> = of_it.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds.first(), Some(&"connected"), "{kinds:?}");
        assert_eq!(kinds.last(), Some(&"disconnected"), "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "error").count(), 1, "{kinds:?}");
        if number == 1 {
            assert!(kinds.contains(&"dropped"), "{kinds:?}");
        }
    }
    assert!(dropped(&lines, true) > 0);
}
