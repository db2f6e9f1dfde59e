//! The real binary: `ports listen`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "listen/broken.rs"]
mod broken;
#[path = "listen/datagrams.rs"]
mod datagrams;
#[path = "driver/ports.rs"]
mod driver;
#[path = "listen/errors.rs"]
mod errors;
#[path = "listen/events.rs"]
mod events;
#[cfg(target_os = "linux")]
#[path = "listen/forged.rs"]
mod forged;
#[path = "listen/idle.rs"]
mod idle;
#[path = "driver/kernel.rs"]
mod kernel;
#[path = "listen/kernel_drops.rs"]
mod kernel_drops;
#[path = "listen/limits.rs"]
mod limits;
#[path = "driver/loopback.rs"]
mod loopback;
#[path = "listen/many_cut_off.rs"]
mod many_cut_off;
#[path = "driver/own_network.rs"]
mod own_network;
#[path = "driver/own_port.rs"]
mod own_port;
#[path = "listen/peers.rs"]
mod peers;
#[path = "listen/reasons.rs"]
mod reasons;
#[path = "listen/second_signal.rs"]
mod second_signal;
#[path = "listen/shortage.rs"]
mod shortage;
#[path = "driver/stalled.rs"]
mod stalled;
#[path = "driver/unread.rs"]
mod unread;

use std::io::{Read, Write};
use std::net::Shutdown;

use datagrams::receive;
use driver::{Ports, client, noise, read_exactly, read_to_end};
use kernel::fill;
use loopback::{read_to_reset, udp};
use rustix::process::Signal;
use serde_json::Value;

const ANY: &str = "tcp://127.0.0.1:0";

#[test]
fn pipe_carries_both_ways_and_ends_with_its_peer() {
    let mut ports = Ports::start(&["listen", ANY]);
    let mut peer = client(ports.listening(0));
    peer.write_all(b"to \xff\xfe standard output\n").unwrap();
    ports.stdout.until(b"to \xff\xfe standard output\n");
    ports.write(b"to the \x80 peer");
    assert_eq!(read_exactly(&mut peer, 13), b"to the \x80 peer");
    peer.write_all(b"last").unwrap();
    drop(peer);
    let ended = ports.end();
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), b"to \xff\xfe standard output\nlast".to_vec())
    );
}

#[test]
fn pipe_half_closes_at_the_end_of_input_and_goes_on_reading() {
    let mut ports = Ports::start(&["listen", ANY]);
    let mut peer = client(ports.listening(0));
    ports.write(b"question");
    ports.end_input();
    assert_eq!(read_to_end(&mut peer), b"question");
    peer.write_all(b"answer").unwrap();
    drop(peer);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"answer"[..]), "{}", ended.stderr);
}

#[test]
fn pipe_goes_on_sending_to_a_peer_that_only_listens() {
    let mut ports = Ports::start(&["listen", ANY]);
    let mut peer = client(ports.listening(0));
    let data = noise(4 << 20);
    let feeding = ports.feed(data.clone());
    // Behind the beginning of the input: it waits only so long for one that is silent.
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(read_to_end(&mut peer) == data);
    feeding.join().unwrap().unwrap();
    assert_eq!(ports.end().code, Some(0));
}

#[test]
fn pipe_takes_one_client_and_closes_its_listener() {
    let mut ports = Ports::start(&["listen", ANY]);
    let address = ports.listening(0);
    let mut peer = client(address);
    ports.write(b"x");
    read_exactly(&mut peer, 1);
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    drop(peer);
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
}

#[test]
fn pipe_ends_quietly_where_nobody_reads_its_output() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["listen", ANY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let stderr = driver::Collected::of(child.stderr.take().unwrap(), "standard error");
    let address = stderr.line("note: listening on tcp://", 0).parse().unwrap();
    let mut peer = client(address);
    // A program that another test is just starting has a copy of the pipe until it is that program:
    // the first lines may still have a reader.
    while child.try_wait().unwrap().is_none() {
        // It may have ended meanwhile.
        let _ = peer.write(b"nobody reads this\n");
        std::thread::yield_now();
    }
    let text = String::from_utf8(stderr.whole()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!text.contains("error"), "{text}");
}

#[test]
fn pipe_interrupted_while_it_waits() {
    let ports = Ports::start(&["listen", ANY]);
    ports.listening(0);
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

#[test]
fn pipe_interrupted_while_it_talks_delivers_what_it_had_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["listen", ANY, "--events", path]);
    let mut peer = client(ports.listening(0));
    let data = noise(24 << 20);
    let feeding = ports.feed(data.clone());
    // More than the peer has read is on its way, or waits in the pipe for its turn.
    let mut received = read_exactly(&mut peer, 1 << 20);
    ports.signal(Signal::TERM);
    // It is not to take this for all.
    received.extend(read_to_reset(&mut peer));
    drop(peer);
    let ended = ports.end();
    // It did not read all of its input, and says nothing was lost of what it read.
    assert!(feeding.join().unwrap().is_err());
    assert_eq!(ended.code, Some(143));
    assert!(!ended.stderr.contains("bytes"), "{}", ended.stderr);
    assert!(received == data[..received.len()]);
    let text = std::fs::read_to_string(path).unwrap();
    let end = text.lines().find(|line| line.contains("disconnected")).unwrap();
    let end: Value = serde_json::from_str(end).unwrap();
    assert_eq!(end["bytes_out"], received.len());
}

#[test]
fn pipe_idle_timeout() {
    // The end of input is to be there before the time is over.
    for (time, ends_input) in [("50ms", false), ("1s", true)] {
        let mut ports = Ports::start(&["listen", ANY, "--idle-timeout", time]);
        if ends_input {
            ports.end_input();
        }
        let mut peer = client(ports.listening(0));
        if ends_input {
            assert!(read_to_end(&mut peer).is_empty());
        } else {
            // More of it might have come: that is a failure.
            assert!(read_to_reset(&mut peer).is_empty());
        }
        let ended = ports.end();
        assert_eq!(ended.code, Some(if ends_input { 0 } else { 4 }));
        assert!(ended.stderr.contains("idle timeout"), "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("the input had not ended"), !ends_input);
    }
}

#[test]
fn echo_of_several_endpoints_with_a_prefix_however_cut() {
    let echo = ["--service", "echo", "--prefix", "> "];
    let args = [&["listen", ANY, ANY, "udp://127.0.0.1:0"], &echo[..]].concat();
    let ports = Ports::start(&args);
    for number in 0..2 {
        let mut peer = client(ports.listening(number));
        peer.write_all(b"on").unwrap();
        assert_eq!(read_exactly(&mut peer, 4), b"> on");
        peer.write_all(b"e\n\xfftwo\n").unwrap();
        assert_eq!(read_exactly(&mut peer, 9), b"e\n> \xfftwo\n");
        peer.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_end(&mut peer).is_empty());
    }
    let peer = udp();
    peer.send_to(b"a\nb", ports.listening(2)).unwrap();
    assert_eq!(receive(&peer), b"> a\nb");
    ports.signal(Signal::TERM);
    let ended = ports.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(143), 0));
}

#[test]
fn relay_among_three() {
    for (prefix, seen) in [("", &b"hello\n"[..]), ("# ", b"# hello\n")] {
        let ports = Ports::start(&[
            "listen",
            ANY,
            "--service",
            "relay",
            "--prefix",
            prefix,
            "--events",
            "-",
        ]);
        let address = ports.listening(0);
        let mut peers = [client(address), client(address), client(address)];
        ports.stdout.wait(|bytes, _| {
            let text = String::from_utf8_lossy(bytes);
            (text.matches(r#""type":"connected""#).count() == 3).then_some(())
        });
        let [first, others @ ..] = &mut peers;
        first.write_all(b"hello\n").unwrap();
        for other in others {
            assert_eq!(read_exactly(other, seen.len()), seen);
        }
        first.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_end(first).is_empty(), "nothing comes back");
        ports.signal(Signal::INT);
        assert_eq!(ports.end().code, Some(130));
    }
}

#[test]
fn a_second_client_waits_where_one_is_the_most() {
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--max-connections", "1"]);
    let address = ports.listening(0);
    let mut first = client(address);
    first.write_all(b"1").unwrap();
    read_exactly(&mut first, 1);
    let mut second = client(address);
    second.write_all(b"2").unwrap();
    second.set_nonblocking(true).unwrap();
    first.write_all(b"3").unwrap();
    assert_eq!(read_exactly(&mut first, 1), b"3");
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    assert_eq!(read_exactly(&mut second, 1), b"2");
}

#[test]
fn idle_connections_of_a_service_are_closed() {
    let ports = Ports::start(&[
        "listen",
        ANY,
        "--service",
        "discard",
        "--idle-timeout",
        "50ms",
        "--events",
        "-",
    ]);
    let mut peer = client(ports.listening(0));
    assert!(read_to_end(&mut peer).is_empty());
    assert_eq!(ports.stdout.event("disconnected")["reason"], "idle-timeout");
}

#[test]
fn a_service_that_is_stopped_drains_what_it_was_sent() {
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", "-"]);
    let mut peer = client(ports.listening(0));
    let data = noise(1 << 20);
    let mut reader = peer.try_clone().unwrap();
    let reading = std::thread::spawn(move || read_to_end(&mut reader));
    peer.write_all(&data).unwrap();
    // Once the service has read it all, all of it is to come back.
    ports.stdout.wait(|bytes, _| {
        let lines =
            bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let values = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let read: u64 = values.filter_map(|value| value["len"].as_u64()).sum();
        (read == 1 << 20).then_some(())
    });
    ports.signal(Signal::INT);
    assert!(reading.join().unwrap() == data);
    drop(peer);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
}

#[test]
fn what_a_stop_cuts_off_is_said() {
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", "-"]);
    let mut peer = client(ports.listening(0));
    // Never read, so that the echo has something that cannot go out.
    fill(ports.child.id(), &mut peer);
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    assert!(
        ended.stderr.contains("client 1") && ended.stderr.contains("cut off"),
        "{}",
        ended.stderr
    );
}

#[test]
fn quiet_says_nothing() {
    let mut ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", "-", "--quiet"]);
    let endpoint = ports.stdout.event("listening")["endpoint"].as_str().unwrap().to_owned();
    let mut peer = client(endpoint.strip_prefix("tcp://").unwrap().parse().unwrap());
    peer.write_all(b"x").unwrap();
    read_exactly(&mut peer, 1);
    drop(peer);
    ports.end_input();
    ports.signal(Signal::INT);
    assert_eq!(ports.end().stderr, "");
}

#[test]
fn a_name_is_every_address_it_has() {
    let ports = Ports::start(&["listen", "localhost:0", "--service", "echo"]);
    let mut peer = client(ports.listening(0));
    peer.write_all(b"x").unwrap();
    assert_eq!(read_exactly(&mut peer, 1), b"x");
}
