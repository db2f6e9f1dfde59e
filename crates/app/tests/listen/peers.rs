//! Who uses the UDP services of `ports listen`, and answers that cannot be sent.

use rustix::process::Signal;
use serde_json::Value;

use crate::datagrams::receive;
use crate::driver::Ports;
use crate::loopback::udp;

#[test]
fn with_v_it_is_said_who_is_new() {
    for service in ["echo", "discard", "pipe"] {
        let ports = Ports::start(&["-v", "listen", "udp://127.0.0.1:0", "--service", service]);
        let address = ports.listening(0);
        let clients = [udp(), udp()];
        for (number, client) in clients.iter().enumerate() {
            for _ in 0..3 {
                client.send_to(b"?", address).unwrap();
            }
            let said = ports.stderr.line("note: udp peer ", number);
            assert_eq!(said, format!("{} is new", client.local_addr().unwrap()));
        }
        ports.signal(Signal::INT);
        let ended = ports.end();
        assert_eq!(ended.stderr.matches("udp peer").count(), 2, "{service}: {}", ended.stderr);
    }
}

#[test]
fn a_relay_forgets_who_sends_nothing_and_tells_of_its_clients_in_order() {
    let args = ["-v", "listen", "udp://127.0.0.1:0", "--service", "relay", "--events", "-"];
    let ports = Ports::start(&[&args[..], &["--idle-timeout", "100ms"]].concat());
    let address = ports.listening(0);
    let (one, two) = (udp(), udp());
    one.send_to(b"first", address).unwrap();
    ports.stderr.line("note: client 1 is gone: ", 0);
    // Nobody is there to hear it.
    two.send_to(b"second", address).unwrap();
    ports.stderr.line("note: client 2 is gone: ", 0);
    ports.signal(Signal::INT);
    let ended = ports.end();
    let text = String::from_utf8(ended.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<_> = lines.filter(|line| line["client"].is_u64()).collect();
    for (number, (socket, len)) in [(&one, 5), (&two, 6)].into_iter().enumerate() {
        let of_it: Vec<_> = lines.iter().filter(|line| line["client"] == number + 1).collect();
        let kinds: Vec<_> = of_it.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["connected", "data", "disconnected"], "{lines:?}");
        let peer = socket.local_addr().unwrap().to_string();
        assert!(of_it.iter().all(|line| line["peer"] == peer), "{of_it:?}");
        let counted = (&of_it[2]["reason"], &of_it[2]["bytes_in"], &of_it[2]["bytes_out"]);
        assert_eq!(counted, (&"idle-timeout".into(), &len.into(), &0.into()));
    }
}

#[test]
fn who_makes_room_among_the_clients_of_a_relay_is_told() {
    let args = ["listen", "udp://127.0.0.1:0", "--service", "relay", "--events", "-"];
    let ports = Ports::start(&args);
    let address = ports.listening(0);
    // One more than are remembered.
    let clients: Vec<_> = (0..257).map(|_| udp()).collect();
    clients[0].send_to(b"?", address).unwrap();
    ports.stdout.event("connected");
    for client in &clients[1..256] {
        client.send_to(b"?", address).unwrap();
        // One at a time: the kernel drops what it has no room for.
        assert_eq!(receive(&clients[0]), b"?");
    }
    clients[256].send_to(b"?", address).unwrap();
    let gone = ports.stdout.event("disconnected");
    assert_eq!((&gone["client"], &gone["reason"]), (&1.into(), &"evicted".into()));
    assert_eq!(gone["peer"], clients[0].local_addr().unwrap().to_string());
    // It got what the others had said before.
    assert_eq!((&gone["bytes_in"], &gone["bytes_out"]), (&1.into(), &255.into()));
}

#[test]
fn with_v_it_is_said_who_is_forgotten() {
    let ports = Ports::start(&["-v", "listen", "udp://127.0.0.1:0", "--service", "echo"]);
    let address = ports.listening(0);
    // One more than are remembered.
    let clients: Vec<_> = (0..257).map(|_| udp()).collect();
    for client in &clients {
        client.send_to(b"?", address).unwrap();
        assert_eq!(receive(client), b"?");
    }
    let first = clients[0].local_addr().unwrap();
    let said = ports.stderr.line(&format!("note: udp peer {first} is forgotten"), 0);
    assert_eq!(said, ": others were heard since");
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.stderr.matches("is forgotten").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("is new").count(), 257, "{}", ended.stderr);
}

#[test]
fn an_answer_that_the_prefix_makes_too_long_is_dropped_and_told_with_the_limit() {
    let prefix = ["--prefix", "0123456789"];
    let args = ["-v", "listen", "udp://127.0.0.1:0", "--service", "echo", "--events", "-"];
    let ports = Ports::start(&[&args[..], &prefix].concat());
    let address = ports.listening(0);
    let client = udp();
    client.send_to(&vec![b'x'; 65_500], address).unwrap();
    let own = client.local_addr().unwrap();
    let why = format!("cannot send 65510 bytes to udp {own}: a datagram holds at most 65507");
    let error = ports.stdout.event("error");
    assert_eq!((&error["operation"], &error["error"]), (&"send".into(), &why.clone().into()));
    let dropped = ports.stdout.event("dropped");
    assert_eq!((&dropped["messages"], &dropped["bytes"]), (&1.into(), &65_510.into()));
    // It goes on.
    client.send_to(b"short", address).unwrap();
    assert_eq!(receive(&client), b"0123456789short");
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert!(ended.stderr.contains(&format!("note: {why}")), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 datagram could not be sent"), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let counted = &last["groups"][0]["counters"];
    assert_eq!((&counted["dropped_messages"], &counted["messages_sent"]), (&1.into(), &1.into()));
}
