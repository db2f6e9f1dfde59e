//! `ports ls --watch`: what happens to sockets, as it happens.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use super::driver::{Ports, client, read_to_end};
use super::first_line::first_line;

/// The first line of a kind about a socket at this address.
fn about(ports: &Ports, kind: &str, local: &str) -> Value {
    ports.stdout.wait(|bytes, _| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines
            .filter(|line| line.ends_with(b"\n"))
            .map(|line| serde_json::from_slice::<Value>(line).unwrap())
            .find(|line| line["type"] == kind && line["local"] == local)
    })
}

#[test]
fn sockets_are_opened_and_closed() {
    // Of an address that nobody else has: a client of others may be at the same port.
    let at = ["--tcp", "--address", "127.0.78.9"];
    let watched = ["ls", "--watch", "--process", "--interval", "50ms"];
    let ports = Ports::start(&[&watched[..], &at].concat());
    let watching = ports.stdout.event("watching");
    assert!(watching["sockets"].is_u64() && watching["endings"].is_boolean(), "{watching}");
    assert!(watching["interrupted"].is_boolean(), "{watching}");
    let listener = TcpListener::bind("127.0.78.9:0").unwrap();
    let address = listener.local_addr().unwrap();
    let opened = about(&ports, "opened", &address.to_string());
    assert_eq!(opened["state"], "LISTEN");
    assert!(opened["time_ms"].as_u64().unwrap() > 1_700_000_000_000);
    // Another test's program may have a copy until it is started, and so be the one that is seen.
    assert!(opened["processes"][0]["pid"].is_u64(), "{opened}");

    let client = TcpStream::connect(address).unwrap();
    let at_client = client.local_addr().unwrap().to_string();
    assert_eq!(about(&ports, "opened", &at_client)["peer"], address.to_string());
    // The server's end is closed first: the client's goes to CLOSE-WAIT, and then away.
    drop(listener.accept().unwrap());
    let changed = about(&ports, "changed", &at_client);
    assert_eq!((&changed["from"], &changed["state"]), (&"ESTAB".into(), &"CLOSE-WAIT".into()));
    drop(client);
    let closed = about(&ports, "closed", &at_client);
    assert_eq!(closed["whole"], true);
    drop(listener);
    about(&ports, "closed", &address.to_string());

    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

#[test]
fn a_connection_goes_on_in_time_wait_as_that_of_its_process() {
    // Seldom enough that no look falls into the moment in which the kernel moves it to TIME-WAIT.
    let watched = ["ls", "--tcp", "--watch", "--process", "--interval", "200ms"];
    // Of an address that nobody else has: a client of others may be at the same port.
    let ports = Ports::start(&[&watched[..], &["--address", "127.0.78.10"]].concat());
    assert_eq!(ports.stdout.event("watching")["endings"], true);
    let listener = TcpListener::bind("127.0.78.10:0").unwrap();
    let client = client(listener.local_addr().unwrap());
    let (mut server, peer) = listener.accept().unwrap();
    let lines = |bytes: &[u8]| -> Vec<Value> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let whole = lines.filter(|line| line.ends_with(b"\n"));
        let lines = whole.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        lines.filter(|line| line["local"] == peer.to_string()).collect()
    };
    ports.stdout.wait(|bytes, _| (!lines(bytes).is_empty()).then_some(()));
    // Who closes first waits.
    drop(client);
    read_to_end(&mut server);
    drop(server);
    let told = ports.stdout.wait(|bytes, _| {
        let told = lines(bytes);
        (told.last()?["state"] == "TIME-WAIT").then_some(told)
    });
    assert_eq!(told[0]["type"], "opened");
    for line in &told[1..] {
        assert_eq!((&line["type"], &line["uid"]), (&"changed".into(), &told[0]["uid"]));
        // Another test's program may have had a copy, and so be the one that was seen.
        assert!(line["processes"][0]["pid"].is_u64(), "{line}");
    }
    assert_eq!(told.last().unwrap()["inode"], Value::Null);
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

#[test]
fn only_those_that_were_asked_for() {
    // At an address that nobody else has: an ended connection may still be at that port elsewhere.
    let listener = TcpListener::bind("127.0.78.5:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let at = ["--port", &port, "--address", "127.0.78.5"];
    let ports = Ports::start(&[&["ls", "--watch"], &at[..], &["--interval", "50ms"]].concat());
    assert_eq!(ports.stdout.event("watching")["sockets"], 1);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(other.local_addr().unwrap()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    about(&ports, "opened", &client.local_addr().unwrap().to_string());
    drop(other);
    ports.signal(Signal::TERM);
    let ended = ports.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    for line in String::from_utf8(ended.stdout).unwrap().lines().skip(1) {
        assert!(line.contains(&format!(":{port}\"")), "{line}");
    }
}

#[test]
fn metrics_count_sockets_and_what_the_kernel_dropped() {
    // At an address that nobody else has: others may listen at that port elsewhere.
    let listener = TcpListener::bind("127.0.78.8:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let at = ["--port", &port, "--address", "127.0.78.8"];
    let metrics = ["--metrics", "127.0.0.1:0"];
    let ports = Ports::start(&[&["ls", "--watch"], &at[..], &metrics].concat());
    ports.stdout.event("watching");
    let url = ports.stderr.line("note: metrics at http://", 0);
    let address = url.trim_end().strip_suffix("/metrics").unwrap().parse().unwrap();
    let mut client = client(address);
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let answer = String::from_utf8(read_to_end(&mut client)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for line in [
        "ports_machine_sockets Sockets of this machine (tcp, udp) that the filters let through.\n",
        "ports_machine_sockets{transport=\"tcp\",state=\"LISTEN\"} 1\n",
        "# TYPE ports_machine_tcp_segments_retransmitted counter\n",
        "\nports_machine_tcp_listen_overflows_total ",
        "\nports_machine_udp_receive_buffer_drops_total{family=\"ipv4\"} ",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
}

#[test]
fn a_reader_that_leaves_ends_it_before_the_next_look() {
    let (first, ended) = first_line(&["ls", "--watch", "--interval", "1h"]);
    assert!(first.contains("watching"), "{first}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn what_a_filter_on_holders_cannot_tell_is_said() {
    let pid = std::process::id().to_string();
    for (filter, is_said) in [(["--pid", &pid], true), (["--port", "1"], false)] {
        let ports = Ports::start(&[&["ls", "--watch"][..], &filter].concat());
        assert_eq!(ports.stdout.event("watching")["endings"], true);
        ports.signal(Signal::INT);
        let said = ports.end().stderr.contains("between two looks are nobody's any more");
        assert_eq!(said, is_said, "{filter:?}");
    }
}
