//! The real binary between two hosts: network namespaces with a veth pair, made by each test for
//! itself. Needs root and iproute2, one of them nftables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lab_net {
    pub(crate) mod findings;
    pub(crate) mod hosts;
    pub(crate) mod server;
}

use lab_net::findings::{of_type, open};
use lab_net::hosts::{self, Lab, filter, ip, shell};
use lab_net::server::Server;

const HERE: &str = hosts::HERE[0];
const THERE: &str = hosts::THERE[0];
const NOBODY: &str = hosts::NOBODY[0];
const NOWHERE: &str = hosts::NOWHERE[0];

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
    lab.route("10.88.0.0/16", THERE);
    shell(&lab.there, "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (route, host, reason) in [
        ("unreachable", "10.88.0.1", "host-unreachable"),
        ("prohibit", "10.88.0.2", "admin-prohibited"),
    ] {
        ip(&lab.there, &["route", "add", route, host]);
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
    ip(&lab.there, &["route", "add", "blackhole", HERE]);
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
    let limit = "add table ip lab; \
        add chain ip lab input { type filter hook input priority 0; }; \
        add rule ip lab input tcp flags syn limit rate over 300/second burst 5 packets drop";
    for method in ["syn", "connect"] {
        let lab = Lab::scanning_by(method);
        let server = Server::start(&lab.there, THERE, 14);
        filter(&lab.there, limit);
        let open_ports = server.ports.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let ports = format!("1-986,{open_ports}");
        for seed in ["1", "2"] {
            let lines = lab.scan(&[THERE, "-p", &ports, "--seed", seed]);
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
    shell(&lab.here, "echo 40000 40199 > /proc/sys/net/ipv4/ip_local_port_range");
    for address in ["127.0.0.1", HERE] {
        let server = Server::start(&lab.here, address, 12);
        for seed in ["1", "2", "3", "4", "5"] {
            let lines = lab.scan(&[address, "-p", "1-65535", "--seed", seed]);
            assert_eq!(open(&lines), server.ports, "{address}, seed {seed}");
            assert_eq!(of_type(&lines, "summary")[0]["errors"], 0);
        }
    }
}
