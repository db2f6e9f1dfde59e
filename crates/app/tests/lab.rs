//! The real binary between two hosts: network namespaces with a veth pair, made by each test for
//! itself. Needs root and iproute2, one of them nftables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";
/// On the link, and nobody has it.
const NOBODY: &str = "10.77.0.9";
/// Behind no route.
const NOWHERE: &str = "10.99.0.1";

/// Two hosts with one link between them; gone when dropped.
struct Lab {
    here: String,
    there: String,
}

impl Lab {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let lab = Self { here: format!("ports-{id}-a"), there: format!("ports-{id}-b") };
        let Self { here, there } = &lab;
        ip(&["netns", "add", here]);
        ip(&["netns", "add", there]);
        let link = ["link", "add", "veth0", "netns", here, "type", "veth"];
        ip(&[&link[..], &["peer", "name", "veth0", "netns", there]].concat());
        for (host, address) in [(here, HERE), (there, THERE)] {
            ip(&["-n", host, "addr", "add", &format!("{address}/24"), "dev", "veth0"]);
            ip(&["-n", host, "link", "set", "veth0", "up"]);
            ip(&["-n", host, "link", "set", "lo", "up"]);
        }
        lab
    }

    fn scan(&self, args: &[&str]) -> Vec<Value> {
        let output = ports_in(&self.here, &["scan", "--format", "jsonl"]).args(args).output();
        let Output { stdout, .. } = output.unwrap();
        let text = String::from_utf8(stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.here]);
        ip(&["netns", "del", &self.there]);
    }
}

fn ip(args: &[&str]) {
    let status = Command::new("ip").args(args).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {args:?} (this test needs root)");
}

fn ports_in(host: &str, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host, env!("CARGO_BIN_EXE_ports")]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A server that is ended when dropped.
struct Server {
    child: Child,
    ports: BTreeSet<u64>,
}

impl Server {
    /// Listens on `count` ports of the kernel's choice.
    fn start(host: &str, address: &str, count: usize) -> Self {
        let endpoint = format!("tcp://{address}:0");
        let mut args = vec!["listen", "--service", "discard", "--events", "-"];
        args.extend(std::iter::repeat_n(endpoint.as_str(), count));
        let mut child = ports_in(host, &args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port_of = |line: String| {
            let event: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(event["type"], "listening");
            event["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
        };
        let ports = lines.by_ref().take(count).map(|line| port_of(line.unwrap())).collect();
        // A server whose events nobody reads any more ends.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ports }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `ip netns exec` has become the server: this is its own process id.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

fn open(lines: &[Value]) -> BTreeSet<u64> {
    let reports = of_type(lines, "port").into_iter();
    reports
        .filter(|report| report["state"] == "open")
        .map(|report| report["port"].as_u64().unwrap())
        .collect()
}

#[test]
#[ignore = "needs root and iproute2"]
fn another_host_is_seen_as_it_is() {
    let lab = Lab::new();
    let server = Server::start(&lab.there, THERE, 20);
    for seed in ["1", "2", "3"] {
        let lines = lab.scan(&[THERE, "-p", "1-65535", "--seed", seed]);
        assert_eq!(open(&lines), server.ports);
        let summary = of_type(&lines, "summary")[0];
        assert_eq!((&summary["closed"], &summary["errors"]), (&65_515.into(), &0.into()));
    }
}

#[test]
#[ignore = "needs root and iproute2"]
fn what_cannot_be_asked_is_an_error_with_its_cause() {
    let lab = Lab::new();
    for (host, reason) in [(NOBODY, "neighbour-unresolved"), (NOWHERE, "no-route")] {
        let lines = lab.scan(&[host, "-p", "1-50", "--show", "all"]);
        let once = lab.scan(&[host, "-p", "1-50", "--retries", "0"]);
        assert_eq!(of_type(&once, "summary")[0]["errors"], 50);
        let reports = of_type(&lines, "port");
        assert_eq!(reports.len(), 50);
        for report in reports {
            assert_eq!((&report["state"], &report["reason"]), (&"error".into(), &reason.into()));
        }
    }
}

/// A router that says no: its reasons are its own, and none is a state of this machine or "closed".
#[test]
#[ignore = "needs root and iproute2"]
fn a_routers_refusals_are_told_apart() {
    let lab = Lab::new();
    ip(&["-n", &lab.here, "route", "add", "10.88.0.0/16", "via", THERE]);
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    let status =
        Command::new("ip").args(["netns", "exec", &lab.there, "sh", "-c", forward]).status();
    assert!(status.unwrap().success());
    for (route, host, reason) in [
        ("unreachable", "10.88.0.1", "host-unreachable"),
        ("prohibit", "10.88.0.2", "admin-prohibited"),
    ] {
        ip(&["-n", &lab.there, "route", "add", route, host]);
        // A router limits how many such messages it sends, so the first one is what counts.
        let lines = lab.scan(&[host, "-p", "80", "--show", "all"]);
        let report = of_type(&lines, "port")[0];
        assert_eq!((&report["state"], &report["reason"]), (&"filtered".into(), &reason.into()));
    }
}

#[test]
#[ignore = "needs root and iproute2"]
fn a_host_whose_answers_are_dropped_is_filtered() {
    let lab = Lab::new();
    ip(&["-n", &lab.there, "route", "add", "blackhole", HERE]);
    let lines = lab.scan(&[THERE, "-p", "1-2000", "--show", "all"]);
    let reports = of_type(&lines, "port");
    assert_eq!(reports.len(), 2000);
    for report in reports {
        assert_eq!(
            (&report["state"], &report["reason"]),
            (&"filtered".into(), &"no-response".into())
        );
        // As often as one open port among them would take.
        assert!((2..=3).contains(&report["attempts"].as_u64().unwrap()), "{report}");
    }
}

/// Far fewer questions get through than would be sent: the pace is found before the attempts run out.
#[test]
#[ignore = "needs root, iproute2 and nftables"]
fn a_limiter_hides_no_open_port() {
    let lab = Lab::new();
    let server = Server::start(&lab.there, THERE, 14);
    let limit = "add table ip lab; \
        add chain ip lab input { type filter hook input priority 0; }; \
        add rule ip lab input tcp flags syn limit rate over 300/second burst 5 packets drop";
    let args = ["netns", "exec", &lab.there, "nft", limit];
    assert!(Command::new("ip").args(args).status().unwrap().success(), "nft is installed");
    let open_ports = server.ports.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let ports = format!("1-986,{open_ports}");
    for method in ["syn", "connect"] {
        for seed in ["1", "2"] {
            let lines = lab.scan(&[THERE, "-p", &ports, "--method", method, "--seed", seed]);
            assert_eq!(open(&lines), server.ports, "{method}, seed {seed}");
            assert_eq!(of_type(&lines, "summary")[0]["closed"], 986, "{method}, seed {seed}");
        }
    }
}

/// The ephemeral range is narrow, and half of what is scanned lies in it: own sockets everywhere.
#[test]
#[ignore = "needs root and iproute2"]
fn a_narrow_ephemeral_range_gives_no_false_port() {
    let lab = Lab::new();
    let narrow = "echo 40000 40199 > /proc/sys/net/ipv4/ip_local_port_range";
    let status = Command::new("ip").args(["netns", "exec", &lab.here, "sh", "-c", narrow]).status();
    assert!(status.unwrap().success());
    for address in ["127.0.0.1", HERE] {
        let server = Server::start(&lab.here, address, 12);
        for seed in ["1", "2", "3", "4", "5"] {
            let lines = lab.scan(&[address, "-p", "1-65535", "--seed", seed]);
            assert_eq!(open(&lines), server.ports, "{address}, seed {seed}");
            assert_eq!(of_type(&lines, "summary")[0]["errors"], 0);
        }
    }
}
