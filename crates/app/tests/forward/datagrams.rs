//! `ports forward` over UDP.

use rustix::process::Signal;
use serde_json::Value;

use crate::driver::{Ports, run};
use crate::loopback::{udp, udp_of};

#[test]
fn each_udp_client_gets_its_own_answers() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let ports = Ports::start(&["forward", "udp://127.0.0.1:0", &endpoint]);
    let address = ports.forwarding(0);
    let clients = [udp(), udp()];
    let mut buffer = [0; 100];
    for (client, text) in clients.iter().zip(["one", "two"]) {
        client.send_to(text.as_bytes(), address).unwrap();
        let (len, from) = target.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], text.as_bytes());
        target.send_to(text.to_uppercase().as_bytes(), from).unwrap();
    }
    for (client, text) in clients.iter().zip(["ONE", "TWO"]) {
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (text.as_bytes(), address));
    }
}

#[test]
fn on_every_address_each_udp_client_is_answered_from_the_one_it_asked() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    for (listen, addresses) in [
        ("udp://[::]:0", &["127.0.0.1", "127.0.0.2", "::1"][..]),
        ("udp://0.0.0.0:0", &["127.0.0.2", "127.0.0.1"]),
    ] {
        let ports = Ports::start(&["forward", listen, &endpoint]);
        let port = ports.forwarding(0).port();
        let mut buffer = [0; 100];
        let clients: Vec<_> = addresses
            .iter()
            .map(|address| {
                let client = udp_of(address, port);
                client.send(address.as_bytes()).unwrap();
                let (len, from) = target.recv_from(&mut buffer).unwrap();
                assert_eq!(&buffer[..len], address.as_bytes());
                (client, from)
            })
            .collect();
        for (_, from) in &clients {
            for _ in 0..2 {
                target.send_to(b"answer", from).unwrap();
            }
        }
        for (client, _) in &clients {
            for _ in 0..2 {
                assert_eq!(client.recv(&mut buffer).unwrap(), 6);
            }
        }
    }
}

#[test]
fn one_udp_client_at_two_addresses_is_two() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let ports = Ports::start(&["forward", "udp://0.0.0.0:0", &endpoint, "--events", "-"]);
    let port = ports.forwarding(0).port();
    let client = udp();
    let mut buffer = [0; 100];
    for asked in ["127.0.0.1", "127.0.0.2"] {
        client.send_to(b"?", (asked, port)).unwrap();
        let (_, from) = target.recv_from(&mut buffer).unwrap();
        target.send_to(b"!", from).unwrap();
        let (_, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(from, format!("{asked}:{port}").parse().unwrap());
    }
    ports.signal(Signal::INT);
    let ended = String::from_utf8(ports.end().stdout).unwrap();
    let gone: Vec<Value> = ended
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["type"] == "disconnected")
        .collect();
    assert_eq!(gone.len(), 2, "{ended}");
    for line in gone {
        let counted = (&line["reason"], &line["bytes_in"], &line["bytes_out"]);
        assert_eq!(counted, (&"shutdown".into(), &1.into(), &1.into()));
    }
}

/// What came together goes on together: in its order, whole, whoever else sends.
#[test]
fn udp_datagrams_of_many_clients_go_on_whole_and_in_order() {
    /// All of them fit into the default receive buffer.
    const EACH: u8 = 25;
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    // The target echoes: what comes back has been there.
    let echo = target.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1000];
        while let Ok((len, from)) = echo.recv_from(&mut buffer) {
            let _ = echo.send_to(&buffer[..len], from);
        }
    });
    let ports = Ports::start(&["forward", "udp://127.0.0.1:0", &endpoint]);
    let address = ports.forwarding(0);
    let clients: Vec<_> = (0..5).map(|_| udp()).collect();
    for number in 0..EACH {
        for client in &clients {
            client.send_to(&vec![number; usize::from(number) * 5], address).unwrap();
        }
    }
    let mut buffer = [0; 1000];
    for client in &clients {
        for number in 0..EACH {
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(
                (&buffer[..len], from),
                (&vec![number; usize::from(number) * 5][..], address)
            );
        }
    }
}

#[test]
fn udp_clients_beyond_the_most_take_the_place_of_the_most_silent() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let args = ["forward", "udp://127.0.0.1:0", &endpoint, "--max-connections", "1"];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.forwarding(0);
    for client in [udp(), udp()] {
        client.send_to(b"hello", address).unwrap();
        target.recv_from(&mut [0; 8]).unwrap();
    }
    let gone = ports.stdout.event("disconnected");
    assert_eq!((&gone["client"], &gone["reason"]), (&1.into(), &"evicted".into()));
}

#[test]
fn a_source_that_is_not_here_ends_a_udp_forwarding_at_once() {
    let ended =
        run(&["forward", "udp://127.0.0.1:0", "udp://127.0.0.1:9", "--source", "192.0.2.77"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("from 192.0.2.77"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("forwarding"), "{}", ended.stderr);
}

/// 127.255.255.255 is the broadcast address of 127.0.0.0/8, which no name and no digit of it says for sure.
#[test]
fn what_has_no_one_way_back_is_no_target_over_udp() {
    for target in ["127.255.255.255", "255.255.255.255", "239.1.2.3", "[ff02::1%lo]"] {
        let endpoint = format!("udp://{target}:9");
        let ended = run(&["forward", "udp://127.0.0.1:0", &endpoint]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let why = format!("{endpoint}: a group or a broadcast has no one way back to forward");
        assert_eq!(ended.stderr, format!("error: {why}\n"), "it never listened");
    }
}

#[test]
fn silent_udp_clients_are_forgotten() {
    let target = udp();
    let endpoint = format!("udp://{}", target.local_addr().unwrap());
    let args = ["forward", "udp://127.0.0.1:0", &endpoint, "--idle-timeout", "20ms"];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    udp().send_to(b"hello", ports.forwarding(0)).unwrap();
    let gone = ports.stdout.event("disconnected");
    assert_eq!((&gone["reason"], &gone["bytes_in"]), (&"idle-timeout".into(), &5.into()));
}
