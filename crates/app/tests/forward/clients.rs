//! What is told of the clients of `ports forward` over UDP.

use std::net::UdpSocket;

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::Ports;
use crate::loopback::udp;

/// Nobody listens there: the port is held by a socket that takes datagrams of itself only, so that all
/// others are answered by "port unreachable".
fn dead() -> (UdpSocket, String) {
    let holder = udp();
    let address = holder.local_addr().unwrap();
    holder.connect(address).unwrap();
    (holder, format!("udp://{address}"))
}

fn lines(stdout: Vec<u8>) -> Vec<Value> {
    let text = String::from_utf8(stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_client_is_connected_then_heard_then_gone_whoever_makes_room() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let args = ["forward", "udp://127.0.0.1:0", &endpoint, "--max-connections", "2"];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.forwarding(0);
    let clients: Vec<_> = (0..12).map(|_| udp()).collect();
    for _ in 0..2 {
        // Several at once, so that one batch has many clients.
        for client in &clients {
            client.send_to(b"one", address).unwrap();
            client.send_to(b"three", address).unwrap();
        }
        for _ in &clients {
            target.recv(&mut [0; 8]).unwrap();
            target.recv(&mut [0; 8]).unwrap();
        }
    }
    ports.signal(Signal::INT);
    let told = lines(ports.end().stdout);
    let of_clients: Vec<&Value> = told.iter().filter(|line| line["client"].is_u64()).collect();
    let most = of_clients.iter().filter_map(|line| line["client"].as_u64()).max().unwrap();
    assert_eq!(most, 24, "each comes twice, since it has to make room: {told:?}");
    // Who is evicted is gone after its last answers, and may be seen beside who took its place.
    let mut there = Vec::new();
    for line in &of_clients {
        let client = line["client"].as_u64().unwrap();
        match line["type"].as_str().unwrap() {
            "connected" => there.push(client),
            "data" => assert!(there.contains(&client), "{line}"),
            "disconnected" => {
                assert!(there.contains(&client), "{line}");
                there.retain(|other| *other != client);
                assert_eq!(line["bytes_in"], 8, "{line}");
            }
            other => panic!("{other}: {line}"),
        }
    }
    assert!(there.is_empty());
    for client in 1..=most {
        let of_one = of_clients.iter().filter(|line| line["client"] == client);
        let kinds: Vec<_> = of_one.clone().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["connected", "data", "data", "disconnected"]);
        let peers: Vec<_> = of_one.map(|line| &line["peer"]).collect();
        assert!(peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
    }
    assert!(!told.iter().any(|line| line["type"] == "data" && line["client"].is_null()));
}

#[test]
fn that_nobody_listens_at_the_target_is_told_once_for_each_client() {
    let (_holder, endpoint) = dead();
    let ports = Ports::start(&["-v", "forward", "udp://127.0.0.1:0", &endpoint, "--events", "-"]);
    let address = ports.forwarding(0);
    let clients = [udp(), udp()];
    for (number, client) in clients.iter().enumerate() {
        let said = format!("note: client {}: {endpoint} is unreachable: ", number + 1);
        let said = said.replace("udp://", "udp ");
        for _ in 0..5 {
            client.send_to(b"anybody?", address).unwrap();
            assert_eq!(ports.stderr.line(&said, 0), "nothing listens there");
        }
    }
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.stderr.matches("is unreachable").count(), 2, "{}", ended.stderr);
    let told = lines(ended.stdout);
    let errors: Vec<_> = told.iter().filter(|line| line["type"] == "error").collect();
    assert_eq!(errors.len(), 2, "{told:?}");
    let target = endpoint.replace("udp://", "udp ");
    for (number, error) in errors.iter().enumerate() {
        assert_eq!((&error["client"], &error["operation"]), (&(number + 1).into(), &"send".into()));
        assert_eq!(error["error"], format!("{target} is unreachable: nothing listens there"));
    }
    let counted = &told.last().unwrap()["groups"][0]["counters"];
    assert!(counted["errors"]["unreachable"].as_u64().unwrap() >= 2, "{counted}");
}

#[test]
fn with_v_clients_come_and_go_on_standard_error() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let args = ["-v", "forward", "udp://127.0.0.1:0", &endpoint, "--max-connections", "1"];
    let ports = Ports::start(&[&args[..], &["--idle-timeout", "30ms"]].concat());
    let address = ports.forwarding(0);
    let (first, second) = (udp(), udp());
    let (one, two) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    first.send_to(b"first", address).unwrap();
    target.recv(&mut [0; 8]).unwrap();
    second.send_to(b"second", address).unwrap();
    target.recv(&mut [0; 8]).unwrap();
    ports.stderr.line("note: client 2 is gone: ", 0);
    ports.signal(Signal::INT);
    let ended = ports.end();
    let notes: Vec<_> =
        ended.stderr.lines().filter(|line| line.starts_with("note: client ")).collect();
    // The first one may have been silent for too long before the second one came.
    let reason = if ended.stderr.contains("evicted") { "evicted" } else { "idle-timeout" };
    for (client, expected) in [
        (
            "client 1 ",
            [
                format!("note: client 1 is new: {one}"),
                format!("note: client 1 is gone: {one}, {reason}, 5 bytes in, 0 out"),
            ],
        ),
        (
            "client 2 ",
            [
                format!("note: client 2 is new: {two}"),
                format!("note: client 2 is gone: {two}, idle-timeout, 6 bytes in, 0 out"),
            ],
        ),
    ] {
        let of_it: Vec<_> = notes.iter().filter(|note| note.contains(client)).collect();
        assert_eq!(of_it, expected.iter().collect::<Vec<_>>());
    }
}
