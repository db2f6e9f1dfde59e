//! What this machine cannot do is told as that, and never as a state of another one: the real binary, in
//! network namespaces. Needs root, iproute2, and nftables where said.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lab_net {
    pub(crate) mod findings;
    pub(crate) mod hosts;
    pub(crate) mod server;
}

use std::process::Command;

use lab_net::findings::{all, lines, states, summary};
use lab_net::hosts::{BROADCAST, HERE, Lab, PREFIX, SECOND_THERE, THERE, filter, ip};
use lab_net::server::Server;

const METHODS: [&[&str]; 3] = [&["--method", "connect"], &["--method", "syn"], &["--udp"]];

/// More addresses than the kernel's table of neighbours has room for, and one of them answers.
#[test]
#[ignore = "needs root: network namespaces"]
fn more_dead_neighbours_than_the_kernel_can_look_for_are_all_errors() {
    let lab = Lab::new();
    for (targets, there, hosts, methods) in [
        (PREFIX, THERE[0], 4_094, &METHODS[2..]),
        ("10.77.0.1-10.77.7.255", THERE[0], 2_047, &METHODS[..1]),
        ("fd77::/117", THERE[1], 2_048, &METHODS[..1]),
        ("fd77::/117", THERE[1], 2_048, &METHODS[2..]),
    ] {
        for method in methods.iter().copied() {
            let here = HERE[usize::from(targets.contains(':'))];
            // Ports of which none is open; an ICMP limit may hide that they are closed.
            let args = [&[targets, "-p", "9", "--exclude", here, "--show", "all"], method].concat();
            let lines = lab.scan(&args);
            let summary = summary(&lines);
            let dead = hosts - 2;
            let mut expected = all("error", "neighbour-unresolved", dead);
            expected.extend(lab.states(&[&[there, "-p", "9"], method].concat()));
            assert_eq!(states(&lines), expected, "{args:?}");
            assert_eq!((&summary["errors"], &summary["unfinished"]), (&dead.into(), &0.into()));
            // No number of those who were never found.
            assert!(summary["sent"].as_u64().unwrap() <= 12, "{summary}");
        }
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn an_interface_that_does_not_lead_there_is_an_error() {
    let lab = Lab::new();
    ip(&lab.here, &["link", "add", "idle0", "type", "veth", "peer", "name", "idle1"]);
    ip(&lab.here, &["addr", "add", "10.79.0.1/24", "dev", "idle0"]);
    ip(&lab.here, &["link", "set", "idle0", "up"]);
    for method in METHODS {
        let by =
            |interface, there| [method, &[there, "-p", "1-50", "--interface", interface]].concat();
        assert_eq!(lab.states(&by("lo", THERE[0])), all("error", "no-route", 50), "{method:?}");
        assert_eq!(lab.states(&by("lo", THERE[1])), all("error", "no-route", 50), "{method:?}");
        assert_eq!(
            lab.states(&by("idle0", THERE[0])),
            all("error", "network-down", 50),
            "{method:?}"
        );
        let states = lab.states(&by("veth0", THERE[0]));
        assert!(states.keys().all(|(state, _)| state != "error"), "{method:?} {states:?}");
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn loopback_is_no_address_to_ask_others_from() {
    let lab = Lab::new();
    for method in METHODS {
        for (source, there) in [("127.0.0.1", THERE[0]), ("::1", THERE[1])] {
            let args = [method, &[there, "-p", "1-50", "--source", source]].concat();
            assert_eq!(lab.states(&args), all("error", "no-source-address", 50), "{args:?}");
        }
    }
}

/// Its answers come by loopback, whatever interface was asked for.
#[test]
#[ignore = "needs root: network namespaces"]
fn this_machine_hears_its_own_datagrams() {
    let lab = Lab::new();
    for here in HERE {
        let states = lab.states(&["--udp", here, "-p", "1-50", "--interface", "veth0"]);
        assert_eq!(states, all("closed", "port-unreachable", 50), "{here}");
    }
}

/// All is silent there; what was asked before the link went down is filtered, the rest was not asked.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn a_link_that_goes_down_under_a_scan_is_no_filter() {
    const PORTS: usize = 20_000;
    for method in [METHODS[0], METHODS[1]] {
        for side in ["here", "there"] {
            let lab = Lab::new();
            ip(&lab.there, &["route", "add", "blackhole", HERE[0]]);
            let before = lab.arrived();
            let ports = ["-p", "1-20000", "--rate", "4000", "--show", "all"];
            let scan = lab.scanning(&[method, &[THERE[0]], &ports].concat()).spawn().unwrap();
            while lab.arrived() < before + 300 {}
            let down = ["link", "set", "veth0", "down"];
            ip(if side == "here" { &lab.here } else { &lab.there }, &down);
            let arrived = usize::try_from(lab.arrived() - before).unwrap();
            let lines = lines(&scan.wait_with_output().unwrap().stdout);
            let states = states(&lines);
            let of = |wanted: &str| -> usize {
                let counts = states.iter().filter(|((state, _), _)| state == wanted);
                counts.map(|(_, count)| count).sum()
            };
            let about = format!("{method:?}, down {side}: {states:?}, {arrived} arrived");
            assert_eq!(of("error") + of("filtered"), PORTS, "{about}");
            assert!(of("filtered") <= arrived, "{about}");
            let of_link = |reason: &str| ["network-down", "no-route"].contains(&reason);
            let told = states.keys().all(|(state, reason)| state != "error" || of_link(reason));
            assert!(told, "{about}");
        }
    }
}

/// What polices the packets of one link drops every SYN; the other link is free.
#[test]
#[ignore = "needs root: raw packets, network namespaces, nft"]
fn a_link_that_takes_no_packets_does_not_end_the_scan() {
    let lab = Lab::new();
    lab.second_link();
    filter(
        &lab.here,
        "table netdev f {\n chain e {\n type filter hook egress device veth0 priority 0;\n \
         ip protocol tcp drop\n }\n}\n",
    );
    let ports = ["-p", "1-5000", "--show", "all"];
    let lines = lab.scan(&[&["--method", "syn", THERE[0], SECOND_THERE[0]][..], &ports].concat());
    let mut expected = all("error", "no-buffers", 5_000);
    expected.extend(all("closed", "reset", 5_000));
    assert_eq!(states(&lines), expected);
    let of_link =
        |line: &serde_json::Value| line["reason"] != "no-buffers" || line["host"] == THERE[0];
    assert!(lines.iter().all(of_link));
    assert_eq!(summary(&lines)["unfinished"], 0);
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn routes_that_say_no_are_told_by_every_method() {
    let lab = Lab::new();
    for (place, prefixes) in [
        (0, ["10.66.1.0/24", "10.66.2.0/24", "10.66.3.0/24"]),
        (1, ["fd66:1::/32", "fd66:2::/32", "fd66:3::/32"]),
    ] {
        let kinds =
            [("blackhole", "no-route"), ("unreachable", "no-route"), ("prohibit", "not-permitted")];
        for (prefix, (kind, reason)) in prefixes.into_iter().zip(kinds) {
            ip(&lab.here, &["route", "add", kind, prefix]);
            let target = prefix.split('/').next().unwrap();
            let target = if place == 0 { target.replace(".0", ".7") } else { format!("{target}7") };
            for method in METHODS {
                let args = [method, &[&target, "-p", "1-20"]].concat();
                assert_eq!(lab.states(&args), all("error", reason, 20), "{kind} {args:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_link_local_address_that_nobody_has_is_unresolved() {
    let lab = Lab::new();
    for method in METHODS {
        // Longer than the kernel looks for a neighbour, so that it says so itself.
        let patient = ["--retries", "0", "--timeout", "5s"];
        let args = [method, &["fe80::9", "-p", "1-20", "--interface", "veth0"], &patient].concat();
        assert_eq!(lab.states(&args), all("error", "neighbour-unresolved", 20), "{args:?}");
    }
}

/// No handshake can be made with everybody; a datagram can be sent to them, and who hears it answers.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn a_broadcast_address_is_asked_by_datagram_only() {
    let lab = Lab::new();
    for method in [METHODS[0], METHODS[1]] {
        let args = [method, &[BROADCAST, "-p", "1-20"]].concat();
        assert_eq!(lab.states(&args), all("error", "invalid-address", 20), "{args:?}");
    }
    let server = Server::serving(&lab.there, "echo", "udp://0.0.0.0:0", 1);
    let port = server.ports.first().unwrap().to_string();
    let answered = lab.states(&["--udp", BROADCAST, "-p", &port]);
    let silent = lab.states(&["--udp", BROADCAST, "-p", "9"]);
    assert_eq!(answered, all("open", "udp-response", 1));
    assert_eq!(silent, all("open|filtered", "no-response", 1));
}

#[test]
#[ignore = "needs root: raw packets"]
fn with_few_descriptors_the_kernel_connects() {
    let script = format!(
        "ulimit -n 16 && exec {} scan -v 127.0.0.1 -p 1-100 --show all --format jsonl",
        env!("CARGO_BIN_EXE_ports")
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("method: connect (raw packets take"), "{said}");
    let lines = lines(&output.stdout);
    assert_eq!(
        (&summary(&lines)["errors"], &summary(&lines)["method"]),
        (&0.into(), &"connect".into())
    );
}
