//! `ports listen` over UDP.

use std::net::UdpSocket;

use rustix::process::Signal;

use crate::driver::Ports;
use crate::loopback::{udp, udp_of};

pub(crate) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_535];
    let len = socket.recv(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn udp_pipe_answers_the_latest_sender() {
    let mut ports = Ports::start(&["listen", "udp://127.0.0.1:0"]);
    let address = ports.listening(0);
    // Read before anybody sent, it would be lost.
    ports.write(b"early");
    let (first, second) = (udp(), udp());
    first.send_to(b"one\n", address).unwrap();
    assert_eq!(receive(&first), b"early");
    second.send_to(b"two \xff\n", address).unwrap();
    ports.stdout.until(b"two \xff\n");
    ports.write(b"late");
    assert_eq!(receive(&second), b"late");
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(130), &b"one\ntwo \xff\n"[..]));
}

#[test]
fn that_the_latest_sender_is_gone_is_said_until_it_is_heard_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let events = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["listen", "udp://127.0.0.1:0", "--events", events]);
    let address = ports.listening(0);
    let client = udp();
    let own = client.local_addr().unwrap();
    let said = format!("udp {own} is unreachable: nothing listens there");
    for round in 0..2 {
        client.connect(address).unwrap();
        client.send(b"here").unwrap();
        ports.stdout.until("here".repeat(round + 1).as_bytes());
        // Connected to itself it refuses what others send, and keeps its port.
        client.connect(own).unwrap();
        ports.write(b"anybody?");
        ports.stderr.line(&format!("note: {said}"), round);
    }
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    assert_eq!(ended.stderr.matches(&said).count(), 2, "{}", ended.stderr);
    let told = std::fs::read_to_string(events).unwrap();
    assert_eq!(told.matches(&said).count(), 2, "{told}");
}

#[test]
fn udp_relay_among_three() {
    let args = ["listen", "udp://127.0.0.1:0", "--service", "relay", "--prefix", "# "];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.listening(0);
    let (first, second, third) = (udp(), udp(), udp());
    first.send_to(b"1", address).unwrap();
    // Datagrams of two sockets keep no order.
    ports.stdout.event("connected");
    second.send_to(b"2", address).unwrap();
    assert_eq!(receive(&first), b"# 2");
    third.send_to(b"3", address).unwrap();
    assert_eq!((receive(&first), receive(&second)), (b"# 3".to_vec(), b"# 3".to_vec()));
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

const ADDRESSES: [&str; 3] = ["127.0.0.1", "127.0.0.2", "::1"];

#[test]
fn on_every_address_the_udp_services_answer_from_the_one_they_were_asked_at() {
    let echo = Ports::start(&["listen", "udp://[::]:0", "--service", "echo"]);
    let port = echo.listening(0).port();
    for address in ADDRESSES {
        let client = udp_of(address, port);
        client.send(b"?").unwrap();
        assert_eq!(receive(&client), b"?", "{address}");
    }

    let relay = Ports::start(&["listen", "udp://[::]:0", "--service", "relay", "--events", "-"]);
    let port = relay.listening(0).port();
    let clients = ADDRESSES.map(|address| udp_of(address, port));
    for (known, client) in clients.iter().enumerate() {
        // Each hears of who came after it.
        client.send(&[known as u8]).unwrap();
        relay.stdout.event("connected");
        for other in &clients[..known] {
            assert_eq!(receive(other), [known as u8]);
        }
    }

    for address in ADDRESSES {
        let mut pipe = Ports::start(&["listen", "udp://[::]:0"]);
        let client = udp_of(address, pipe.listening(0).port());
        client.send(b"?").unwrap();
        pipe.stdout.until(b"?");
        pipe.write(b"!");
        assert_eq!(receive(&client), b"!", "{address}");
    }
}

/// More than are taken in one call.
#[test]
fn udp_relay_of_a_burst_loses_nothing_and_keeps_the_order() {
    let args = ["listen", "udp://127.0.0.1:0", "--service", "relay", "--prefix", "# "];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.listening(0);
    let (listener, sender) = (udp(), udp());
    listener.send_to(b"here", address).unwrap();
    ports.stdout.event("connected");
    for number in 0..100 {
        sender.send_to(format!("{number}").as_bytes(), address).unwrap();
    }
    for number in 0..100 {
        assert_eq!(receive(&listener), format!("# {number}").as_bytes());
    }
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

#[test]
fn multicast_on_loopback() {
    let ports = Ports::start(&["listen", "udp://239.255.77.77:0?iface=lo", "--service", "echo"]);
    let said = ports.stderr.line("note: listening on ", 0);
    assert!(said.ends_with("?iface=lo"), "{said}");
    let group = ports.listening(0);
    let mut sender = Ports::start(&["connect", "-v", &format!("udp://{group}?iface=lo&ttl=0")]);
    sender.write(b"to the group");
    sender.stdout.until(b"to the group");
    sender.end_input();
    let ended = sender.end();
    assert_eq!(ended.code, Some(0));
    // Several may answer, so who did is said.
    let answered = ended.stderr.lines().filter(|line| line.starts_with("note: udp peer "));
    assert_eq!(answered.count(), 1, "{}", ended.stderr);
}

#[test]
fn of_a_group_one_sender_may_be_heard_alone() {
    let endpoint = "udp://239.255.77.78:0?iface=lo&source=127.0.0.2";
    let ports = Ports::start(&["listen", endpoint]);
    let group = format!("udp://{}?iface=lo&ttl=0", ports.listening(0));
    for (source, text) in [("127.0.0.1", &b"nobody"[..]), ("127.0.0.2", b"the one")] {
        let mut sender = Ports::start(&["connect", &group, "--source", source]);
        sender.write(text);
        sender.end_input();
        assert_eq!(sender.end().code, Some(0));
    }
    ports.stdout.until(b"the one");
    ports.signal(Signal::INT);
    assert_eq!(ports.end().stdout, b"the one");
}
