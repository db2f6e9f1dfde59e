//! Who uses the UDP services of `ports listen`, and answers that cannot be sent.

use rustix::process::Signal;
use serde_json::Value;

use crate::datagrams::receive;
use crate::driver::Ports;
use crate::loopback::udp;

#[test]
fn with_v_it_is_said_who_is_new() {
    for service in ["echo", "discard", "relay", "pipe"] {
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
    assert!(ended.stderr.contains("1 datagrams could not be sent"), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let counted = &last["groups"][0]["counters"];
    assert_eq!((&counted["dropped_messages"], &counted["messages_sent"]), (&1.into(), &1.into()));
}
