//! The real binary: `ports connect`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/ports.rs"]
mod driver;
#[path = "connect/keepalive.rs"]
mod keepalive;
#[path = "driver/kernel.rs"]
mod kernel;
#[path = "driver/loopback.rs"]
mod loopback;
#[path = "connect/losses.rs"]
mod losses;
#[path = "connect/non_blocking.rs"]
mod non_blocking;
#[path = "driver/pty.rs"]
mod pty;
#[path = "connect/reader_gone.rs"]
mod reader_gone;
#[path = "connect/reconnect.rs"]
mod reconnect;
#[path = "driver/stalled.rs"]
mod stalled;
#[path = "connect/terminal.rs"]
mod terminal;
#[path = "driver/unread.rs"]
mod unread;
#[path = "connect/wait.rs"]
mod wait;

use std::io::Write;
use std::iter;
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener};

use driver::{Ports, noise, read_exactly, read_to_end, run};
use loopback::{accept, listener, read_to_reset, refusing, reset, udp};
use rustix::process::Signal;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// The types of the events in a file.
fn kinds(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn several_megabytes_come_back_from_an_echo_byte_for_byte() {
    let server = Ports::start(&["listen", "tcp://127.0.0.1:0", "--service", "echo"]);
    let endpoint = format!("tcp://{}", server.listening(0));
    let mut ports = Ports::start(&["connect", &endpoint]);
    let data = noise(8 << 20);
    let feeding = ports.feed(data.clone());
    let ended = ports.end();
    feeding.join().unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == data);
}

#[test]
fn a_pipe_and_a_connect_move_megabytes_both_ways_at_once() {
    let mut server = Ports::start(&["listen", "tcp://127.0.0.1:0"]);
    let mut ports = Ports::start(&["connect", &format!("tcp://{}", server.listening(0))]);
    let (there, back) = (noise(6 << 20), noise(5 << 20));
    let feeding = [ports.feed(there.clone()), server.feed(back.clone())];
    let (here, served) = (ports.end(), server.end());
    for feeding in feeding {
        feeding.join().unwrap().unwrap();
    }
    assert_eq!((here.code, served.code), (Some(0), Some(0)), "{} {}", here.stderr, served.stderr);
    assert!(here.stdout == back && served.stdout == there);
}

#[test]
fn the_end_of_input_is_a_half_close() {
    let (listener, endpoint) = listener();
    let mut ports = Ports::start(&["connect", &endpoint]);
    let mut peer = accept(&listener);
    ports.write(b"question \xff");
    ports.end_input();
    assert_eq!(read_to_end(&mut peer), b"question \xff");
    peer.write_all(b"answer \xfe").unwrap();
    drop(peer);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"answer \xfe"[..]));
}

#[test]
fn the_peers_end_ends_it_though_input_stays_open() {
    let (listener, endpoint) = listener();
    let ports = Ports::start(&["connect", &endpoint]);
    let mut peer = accept(&listener);
    peer.write_all(b"the time").unwrap();
    drop(peer);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"the time"[..]), "{}", ended.stderr);
}

#[test]
fn a_peer_that_only_listens_gets_all_of_the_input() {
    let (listener, endpoint) = listener();
    let mut ports = Ports::start(&["connect", &endpoint]);
    let mut peer = accept(&listener);
    let data = noise(4 << 20);
    let feeding = ports.feed(data.clone());
    // Behind the beginning of the input: it waits only so long for one that is silent.
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(read_to_end(&mut peer) == data);
    feeding.join().unwrap().unwrap();
    assert_eq!(ports.end().code, Some(0));
}

#[test]
fn a_reset_is_no_proper_end() {
    let (listener, endpoint) = listener();
    let ports = Ports::start(&["connect", &endpoint]);
    let mut peer = accept(&listener);
    // Before it is seen here, the reset might meet a connection that is still being made.
    peer.write_all(b"begun").unwrap();
    ports.stdout.until(b"begun");
    reset(peer);
    let ended = ports.end();
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("reset") && ended.stderr.contains(&endpoint), "{}", ended.stderr);
}

#[test]
fn a_refusal_names_the_target() {
    let (_socket, address) = refusing();
    let address = address.to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ended = run(&["connect", &address, "--events", path]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    assert!(ended.stderr.contains("refused"), "{}", ended.stderr);
    assert_eq!(kinds(path), ["error", "stats"]);

    // A zone that it cannot have: resolved on this machine, no packet leaves it.
    for endpoint in ["tcp://[fd00::1%lo]:80", "udp://[fd00::1%lo]:80"] {
        let ended = run(&["connect", endpoint]);
        assert_eq!(ended.code, Some(4));
        assert!(ended.stderr.contains("cannot resolve"), "{}", ended.stderr);
        assert!(ended.stderr.contains("fd00::1%lo"), "{}", ended.stderr);
    }
}

#[test]
fn without_a_host_it_is_this_machine_by_either_loopback_address() {
    // Nobody else is given the port at the other one meanwhile.
    let held = |listener: &TcpListener| {
        let port = listener.local_addr().unwrap().port();
        let holder = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        let bound = holder.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into());
        bound.ok().map(|()| (holder, port))
    };
    let (listener, (_holder, port)) = iter::repeat_with(|| listener().0)
        .find_map(|listener| held(&listener).map(|held| (listener, held)))
        .unwrap();
    for endpoint in [format!(":{port}"), format!("tcp://*:{port}/")] {
        let ports = Ports::start(&["connect", &endpoint]);
        let mut peer = accept(&listener);
        peer.write_all(b"here").unwrap();
        drop(peer);
        let ended = ports.end();
        assert_eq!((ended.code, &*ended.stdout), (Some(0), &b"here"[..]), "{}", ended.stderr);
    }
}

#[test]
fn a_signal_ends_it_after_what_was_read_is_delivered() {
    let (listener, endpoint) = listener();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let mut ports = Ports::start(&["connect", &endpoint, "--events", path]);
        let mut peer = accept(&listener);
        let data = noise(24 << 20);
        let feeding = ports.feed(data.clone());
        let mut received = read_exactly(&mut peer, 1 << 20);
        ports.signal(signal);
        // It is not to take this for all.
        received.extend(read_to_reset(&mut peer));
        drop(peer);
        let ended = ports.end();
        assert!(feeding.join().unwrap().is_err(), "not all of the input is read");
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(!ended.stderr.contains("bytes"), "{}", ended.stderr);
        assert!(received == data[..received.len()]);
        let text = std::fs::read_to_string(path).unwrap();
        let end = text.lines().find(|line| line.contains("disconnected")).unwrap();
        let end: Value = serde_json::from_str(end).unwrap();
        assert_eq!(end["bytes_out"], received.len());
    }
}

#[test]
fn a_signal_ends_the_waiting_for_an_answer() {
    let (listener, target) = listener();
    let mut ports = Ports::start(&["connect", &target]);
    ports.write(b"question");
    ports.end_input();
    let mut peer = accept(&listener);
    assert_eq!(read_to_end(&mut peer), b"question");
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(130), ""));
}

#[test]
fn it_ends_quietly_where_nobody_reads_its_output() {
    use std::process::{Command, Stdio};
    let (listener, endpoint) = listener();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["connect", &endpoint])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut peer = accept(&listener);
    peer.write_all(b"nobody reads this\n").unwrap();
    let stderr = driver::Collected::of(child.stderr.take().unwrap(), "standard error");
    drop(peer);
    let text = String::from_utf8(stderr.whole()).unwrap();
    assert_eq!((child.wait().unwrap().code(), text.as_str()), (Some(0), ""));
}

#[test]
fn datagrams_go_out_by_the_chunk_and_replies_are_waited_for() {
    let server = Ports::start(&["listen", "udp://127.0.0.1:0", "--service", "echo"]);
    let endpoint = format!("udp://{}", server.listening(0));
    let mut ports = Ports::start(&["connect", &endpoint, "--stats"]);
    ports.write(b"one\xff");
    ports.stdout.until(b"one\xff");
    ports.write(b"two");
    ports.end_input();
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"one\xfftwo"[..]));
    assert!(ended.stderr.contains("Messages Sent: 2"), "{}", ended.stderr);
}

#[test]
fn a_datagram_of_somebody_else_is_no_reply() {
    let (server, stranger) = (udp(), udp());
    let endpoint = format!("udp://{}", server.local_addr().unwrap());
    let mut ports = Ports::start(&["connect", &endpoint]);
    ports.write(b"hello");
    let (len, client) = server.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(len, 5);
    stranger.send_to(b"stranger", client).unwrap();
    server.send_to(b"reply", client).unwrap();
    ports.stdout.until(b"reply");
    ports.end_input();
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &b"reply"[..]));
}

#[test]
fn one_failure_over_udp_is_one_event() {
    // Its own peer, it refuses all others, and nobody else gets the port.
    let refusing = udp();
    let address = refusing.local_addr().unwrap();
    refusing.connect(address).unwrap();
    let events = tempfile::NamedTempFile::new().unwrap();
    let events_at = events.path().to_str().unwrap();
    let mut ports = Ports::start(&["connect", &format!("udp://{address}"), "--events", events_at]);
    ports.write(b"hello");
    ports.end_input();
    let ended = ports.end();
    let said = format!("udp {address} is unreachable: nothing listens there");
    assert_eq!((ended.code, ended.stderr), (Some(4), format!("error: {said}\n")));
    let text = std::fs::read_to_string(events.path()).unwrap();
    let told: Vec<&str> = text.lines().filter(|line| line.contains(r#""type":"error""#)).collect();
    let expected = format!(r#"{{"type":"error","operation":"send","error":"{said}"}}"#);
    assert_eq!(told, [expected], "{text}");
}

#[test]
fn what_makes_no_sense_is_usage() {
    for (args, said) in [
        (&["connect", "tcp://127.0.0.1:1", "--events", "-"][..], "--events -"),
        (&["connect", "udp://127.0.0.1:1?iface=lo"], "`iface`"),
        (&["connect", "udp://127.0.0.1:1", "--connect-timeout", "1s"], "--connect-timeout"),
        (&["connect", "127.0.0.1:1", "--reconnect-base", "1s"], "--reconnect"),
        (&["connect", "tcp://127.0.0.1:1?ttl=1"], "`ttl`"),
        (&["connect", "udp://127.0.0.1:1?ttl=1"], "`ttl`"),
        (&["connect", "udp://127.0.0.1:1", "--reconnect"], "--reconnect"),
        (&["connect", "udp://[ff01::1]:1"], "?iface=NAME"),
        (&["connect", "tcp://127.0.0.1:1?iface=lo"], "`iface`"),
        (&["connect", "udp://239.1.2.3:1?source=239.1.1.1"], "no unicast address"),
        (&["connect", "tcp://127.0.0.1:1", "--source", "239.1.1.1"], "no unicast address"),
        (&["connect", "udp://127.0.0.1:1", "--source", "::1"], "IP version"),
        (&["connect", "udp://[ff02::1%lo]:1?iface=lo"], "its zone says the link"),
        (&["connect", "udp://239.1.2.3:1?iface=nope0"], ": there is no interface `nope0`"),
        (&["connect", "udp://[fe80::1%nope0]:1"], ": there is no interface `nope0`"),
        (&["connect", "tcp://[fe80::1%nope0]:1"], ": there is no interface `nope0`"),
        (&["connect", "tls://[fe80::1%4000000000]:1"], ": there is no interface 4000000000"),
        (&["connect", "udp://127.0.0.255:1?iface=lo"], "`iface`"),
        (&["connect", "tcp://127.0.0.1:0"], "0 is not a port"),
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    }
    let broadcast = "udp://255.255.255.255:1?iface=nope0";
    let ended = run(&["connect", broadcast]);
    let said = format!("error: {broadcast}: there is no interface `nope0`\n");
    assert_eq!((ended.code, ended.stderr), (Some(2), said));
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_ends_and_takes_nothing_more_has_not_got_everything() {
    let listener = stalled::listener();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let ports = Ports::start(&["connect", &endpoint]);
    stalled::is_not_taken_for_delivered(ports, accept(&listener));
}
