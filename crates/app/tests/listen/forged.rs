//! Datagrams that name a sender that cannot be answered, as anybody on a network may send them.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use rustix::process::Signal;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::datagrams::receive;
use crate::driver::Ports;
use crate::loopback::udp;
use crate::own_network::in_own_network;

/// A datagram to a port of 127.0.0.1, over IPv4 (RFC 791) and without a checksum (RFC 768).
fn forge(from: SocketAddrV4, to: u16, data: &[u8]) {
    const UDP: u8 = 17;
    const TTL: u8 = 64;
    // 20 bytes of header, whose length, identification and checksum the kernel fills in (raw(7)).
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, TTL, UDP, 0, 0];
    packet.extend(from.ip().octets());
    packet.extend(Ipv4Addr::LOCALHOST.octets());
    let len = u16::try_from(8 + data.len()).unwrap();
    for field in [from.port(), to, len, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(data);
    // IPPROTO_RAW: the header is included.
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).unwrap();
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    assert_eq!(socket.send_to(&packet, &target.into()).unwrap(), packet.len());
}

#[test]
#[ignore = "needs root: a network namespace, a raw socket"]
fn a_udp_pipe_outlives_senders_that_cannot_be_answered() {
    in_own_network(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let events = file.path().to_str().unwrap();
        let mut ports = Ports::start(&["listen", "udp://127.0.0.1:0", "--events", events]);
        let address = ports.listening(0);
        let client = udp();
        client.send_to(b"one\n", address).unwrap();
        ports.stdout.until(b"one\n");
        // Without a port: what comes next is for whoever was there before.
        forge(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), address.port(), b"two\n");
        ports.stdout.until(b"two\n");
        ports.write(b"answer");
        assert_eq!(receive(&client), b"answer");
        // Nothing leads there.
        let nowhere = SocketAddrV4::new(Ipv4Addr::new(10, 9, 9, 9), 7);
        forge(nowhere, address.port(), b"three\n");
        ports.stdout.until(b"three\n");
        ports.write(b"lost");
        let said = ports.stderr.line("note: cannot send to udp 10.9.9.9:7: ", 0);
        assert!(said.ends_with("; what was for it is lost"), "{said}");
        client.send_to(b"four\n", address).unwrap();
        ports.stdout.until(b"four\n");
        ports.write(b"late");
        assert_eq!(receive(&client), b"late");
        ports.signal(Signal::INT);
        let ended = ports.end();
        assert_eq!((ended.code, &ended.stdout[..]), (Some(130), &b"one\ntwo\nthree\nfour\n"[..]));
        assert!(ended.stderr.contains("1 datagram could not be sent"), "{}", ended.stderr);
        let lines = std::fs::read_to_string(file.path()).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let dropped: Vec<_> = lines.filter(|line| line["type"] == "dropped").collect();
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        assert_eq!((&dropped[0]["messages"], &dropped[0]["bytes"]), (&1.into(), &4.into()));
    });
}

#[test]
#[ignore = "needs root: a network namespace, a raw socket"]
fn a_udp_relay_sends_nothing_to_port_0() {
    in_own_network(|| {
        let args = ["-v", "listen", "udp://127.0.0.1:0", "--service", "relay", "--events", "-"];
        let ports = Ports::start(&args);
        let address = ports.listening(0);
        let client = udp();
        client.send_to(b"here", address).unwrap();
        ports.stdout.event("connected");
        for _ in 0..2 {
            forge(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), address.port(), b"heard");
            assert_eq!(receive(&client), b"heard");
        }
        client.send_to(b"to all", address).unwrap();
        ports.signal(Signal::INT);
        let ended = ports.end();
        let lines = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(lines.matches(r#""type":"connected""#).count(), 1, "{lines}");
        assert!(!lines.contains(r#""type":"error""#), "{lines}");
        assert!(!ended.stderr.contains("could not be sent"), "{}", ended.stderr);
        let said = "note: 127.0.0.1 sends from port 0: nothing goes back to it\n";
        assert_eq!(ended.stderr.matches(said).count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("note: 2 datagrams came from port 0"), "{}", ended.stderr);
    });
}

#[test]
#[ignore = "needs root: a network namespace, a raw socket"]
fn a_udp_forwarding_tells_whose_answers_cannot_go_back() {
    in_own_network(|| {
        let target = udp();
        let endpoint = format!("udp://{}", target.local_addr().unwrap());
        let args = ["-v", "forward", "udp://127.0.0.1:0", &endpoint, "--events", "-"];
        let ports = Ports::start(&args);
        let to = ports.forwarding(0).port();
        forge(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), to, b"question");
        let (_, from) = target.recv_from(&mut [0; 16]).unwrap();
        target.send_to(b"answer", from).unwrap();
        let told = ports.stdout.event("error");
        assert_eq!((&told["client"], &told["operation"]), (&1.into(), &"send".into()));
        let why = "cannot send to udp 127.0.0.1:0: 0 is not a port to send to";
        assert_eq!(told["error"], why);
        // The others are only counted.
        for _ in 0..3 {
            target.send_to(b"answer", from).unwrap();
        }
        ports.signal(Signal::INT);
        let ended = ports.end();
        let lines = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(lines.matches(r#""type":"error""#).count(), 1, "{lines}");
        assert_eq!(ended.stderr.matches(why).count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("note: client 1: {why}")), "{}", ended.stderr);
        let dropped = r#"{"type":"dropped","client":1,"messages":4,"bytes":24}"#;
        assert!(lines.contains(dropped), "{lines}");
    });
}

#[test]
#[ignore = "needs root: a network namespace, a raw socket"]
fn a_udp_echo_counts_what_comes_from_port_0() {
    in_own_network(|| {
        let args = ["-v", "listen", "udp://127.0.0.1:0", "--service", "echo", "--events", "-"];
        let ports = Ports::start(&args);
        let address = ports.listening(0);
        for _ in 0..3 {
            forge(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), address.port(), b"heard");
        }
        let client = udp();
        client.send_to(b"echo", address).unwrap();
        assert_eq!(receive(&client), b"echo");
        ports.signal(Signal::INT);
        let ended = ports.end();
        let lines = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(lines.matches(r#""type":"data""#).count(), 4, "{lines}");
        for noise in ["error", "dropped", "lagged"] {
            assert!(!lines.contains(&format!(r#""type":"{noise}""#)), "{lines}");
        }
        assert!(ended.stderr.contains("note: 3 datagrams came from port 0"), "{}", ended.stderr);
    });
}
