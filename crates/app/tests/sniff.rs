//! The real binary: `ports sniff` over loopback, in a network that each test makes for itself, and
//! what bad input gets.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod driver {
    pub(crate) mod first_line;
    pub(crate) mod own_network;
    pub(crate) mod ports;
}

use std::fs::File;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use driver::first_line::first_line;
use driver::own_network::in_own_network;
use driver::ports::{Ports, run};
use rustix::process::Signal;
use serde_json::Value;
use sockets_raw::wire::{self, Payload};
use sockets_raw::{LinkType, PcapReader};

fn lines(stdout: &[u8]) -> Vec<Value> {
    let text = str::from_utf8(stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "needs root: a network namespace"]
fn packets_are_shown_and_written() {
    in_own_network(|| {
        let directory = tempfile::tempdir().unwrap();
        let capture = directory.path().join("seen.pcap");
        let csv = directory.path().join("seen.csv");
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (here_port, there_port) =
            (here.local_addr().unwrap().port(), there.local_addr().unwrap().port());
        let sniff = Ports::start(&[
            "sniff",
            "udp",
            "dst",
            "port",
            &there_port.to_string(),
            "src host 127.0.0.1",
            "--interface",
            "lo",
            "--count",
            "2",
            "--format",
            "jsonl",
            "--write",
            capture.to_str().unwrap(),
            "-o",
            csv.to_str().unwrap(),
        ]);
        let start = sniff.stdout.event("sniff");
        assert_eq!(start["interface"], "lo");
        assert_eq!(start["filter"], format!("udp dst port {there_port} src host 127.0.0.1"));
        here.send_to(b"one", there.local_addr().unwrap()).unwrap();
        there.send_to(b"not this", here.local_addr().unwrap()).unwrap();
        here.send_to(b"three", there.local_addr().unwrap()).unwrap();
        here.send_to(b"too late", there.local_addr().unwrap()).unwrap();

        let ended = sniff.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let lines = lines(&ended.stdout);
        assert_eq!(lines.len(), 4, "{lines:?}");
        for (line, length) in lines[1..3].iter().zip([31, 33]) {
            assert_eq!(line["type"], "packet");
            assert_eq!(line["direction"], "in");
            assert_eq!((&line["protocol"], &line["length"]), (&"udp".into(), &length.into()));
            assert_eq!(
                (&line["source"], &line["source_port"]),
                (&"127.0.0.1".into(), &here_port.into())
            );
            assert_eq!(line["destination_port"], there_port);
            assert!(
                line["time_us"].as_u64().unwrap() >= start["started_ms"].as_u64().unwrap() * 1000
            );
        }
        assert_eq!((&lines[3]["type"], &lines[3]["packets"]), (&"summary".into(), &2.into()));
        assert_eq!(lines[3]["kernel_drops"], 0);
        assert_eq!(std::fs::read_to_string(csv).unwrap().lines().count(), 3);

        let mut reader = PcapReader::new(BufReader::new(File::open(capture).unwrap())).unwrap();
        assert_eq!(reader.link_type(), LinkType::LinuxCooked);
        for text in [&b"one"[..], b"three"] {
            let packet = reader.next_packet().unwrap().unwrap();
            let read = wire::parse(&packet.bytes[20..]).unwrap();
            let Payload::Udp(datagram) = read.payload else { panic!("{read:?}") };
            assert_eq!(datagram.payload, text);
        }
        assert!(reader.next_packet().unwrap().is_none());
    });
}

#[test]
#[ignore = "needs root: a network namespace"]
fn an_interrupt_ends_it_with_a_summary() {
    in_own_network(|| {
        let directory = tempfile::tempdir().unwrap();
        let capture = directory.path().join("seen.pcap");
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let sniff = Ports::start(&[
                "sniff",
                "tcp",
                "dst",
                "port",
                &address.port().to_string(),
                "--write",
                capture.to_str().unwrap(),
                "-o",
                "jsonl:/dev/stderr",
            ]);
            sniff.stderr.event("sniff");
            let stream = TcpStream::connect(address).unwrap();
            // The SYN, and the ACK that ends the handshake.
            let to = format!("> {address} ");
            sniff.stdout.until(to.as_bytes());
            sniff.stdout.until(b" syn\n");
            sniff.stdout.until(b" ack\n");
            sniff.signal(signal);
            let ended = sniff.end();
            drop(stream);
            assert_eq!(ended.code, Some(code));
            let text = String::from_utf8(ended.stdout).unwrap();
            let last = text.lines().last().unwrap();
            assert!(last.contains("2 packets, 0 dropped by the kernel, in "), "{text}");
            let mut reader = PcapReader::new(File::open(&capture).unwrap()).unwrap();
            assert!(reader.next_packet().unwrap().is_some());
            assert!(reader.next_packet().unwrap().is_some());
            assert!(reader.next_packet().unwrap().is_none());
            drop(listener.accept().unwrap());
        }
    });
}

#[test]
#[ignore = "needs root: a network namespace"]
fn a_closed_pipe_ends_it_quietly() {
    in_own_network(|| {
        // No packet comes that would have to be written.
        let (header, ended) = first_line(&["sniff", "udp", "--format", "csv"]);
        assert!(header.starts_with("time_us,interface,"));
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
    });
}

/// First it goes down, which may pass; then it is taken away.
#[test]
#[ignore = "needs root: a network namespace"]
fn an_interface_that_is_taken_away_ends_it() {
    in_own_network(|| {
        let ip = |args: &[&str]| assert!(Command::new("ip").args(args).status().unwrap().success());
        ip(&["link", "add", "va", "type", "veth", "peer", "name", "vb"]);
        ip(&["link", "set", "va", "up"]);
        let args = ["sniff", "udp", "port", "9", "--interface", "va", "--format", "jsonl"];
        let sniff = Ports::start(&args);
        sniff.stdout.event("sniff");
        ip(&["link", "set", "va", "down"]);
        sniff.stderr.until(b"the interface `va` is down\n");
        ip(&["link", "del", "va"]);
        let ended = sniff.end();
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("error: the interface `va` is gone"), "{}", ended.stderr);
        assert_eq!(lines(&ended.stdout).last().unwrap()["type"], "summary");
    });
}

#[test]
#[ignore = "needs root, to give it up: setpriv"]
fn without_permission_it_says_what_to_do() {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]);
    let ended = Ports::spawn(command.args([env!("CARGO_BIN_EXE_ports"), "sniff", "tcp"])).end();
    assert_eq!((ended.code, ended.stdout), (Some(3), Vec::new()));
    let command = "`sudo setcap cap_net_raw,cap_net_admin=ep ";
    assert!(
        ended.stderr.contains(command) && ended.stderr.contains("CAP_NET_RAW"),
        "{}",
        ended.stderr
    );
}

#[test]
fn wrong_words_are_named() {
    for (args, part) in [
        (&["sniff", "tpc"][..], "`tpc` is no word of a filter"),
        (&["sniff", "tcp", "udp"], "`udp` is a second protocol"),
        (&["sniff", "host", "example.com"], "not `example.com`: names are not looked up"),
        (&["sniff", "src", "80"], "behind `src` comes host or port, not `80`"),
        (&["sniff", "port"], "behind `port` comes a port, a range or a service, not the end"),
        (&["sniff", "port", "65536"], "not `65536`"),
        (&["sniff", "icmp", "port", "80"], "only TCP and UDP have ports"),
        (&["sniff", "ip", "host", "::1"], "no packet is both IPv4 and IPv6"),
        (&["sniff", "--interface", "no-such"], "there is no interface `no-such`"),
        (&["sniff", "--count", "0"], "--count"),
    ] {
        let ended = run(args);
        assert_eq!((ended.code, ended.stdout), (Some(2), Vec::new()), "{args:?}");
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
}
