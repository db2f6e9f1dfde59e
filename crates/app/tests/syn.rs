//! The real binary scanning by SYN: over loopback, and between two hosts that are network namespaces
//! with a veth pair, made by each test for itself. Needs root, iproute2 and nftables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod lab_net {
    pub(crate) mod findings;
    pub(crate) mod hosts;
    pub(crate) mod server;
}

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lab_net::findings::{all, lines, of_type, open};
use lab_net::hosts::{
    HERE, Lab, NOBODY, NOWHERE, SECOND_HERE, THERE, filter, in_host, ip, ports_in, shell,
};
use lab_net::server::Server;

/// Two hosts; what is scanned is scanned by SYN.
fn lab() -> Lab {
    Lab::scanning_by("syn")
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn another_host_is_seen_as_it_is() {
    let lab = lab();
    for there in THERE {
        let server = Server::start(&lab.there, there, 20);
        for seed in ["1", "2"] {
            let lines = lab.scan(&[there, "-p", "1-65535", "--seed", seed]);
            assert_eq!(open(&lines), server.ports, "{there}");
            let summary = of_type(&lines, "summary")[0];
            assert_eq!((&summary["closed"], &summary["errors"]), (&65_515.into(), &0.into()));
            assert_eq!(summary["method"], "syn");
        }
    }
}

/// Our own packets come in on loopback, too, and none of them is an answer.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn this_machine_is_seen_as_it_is() {
    let lab = lab();
    for address in ["127.0.0.1", "::1", HERE[0], HERE[1]] {
        let server = Server::start(&lab.here, address, 12);
        for seed in ["1", "2"] {
            let lines = lab.scan(&[address, "-p", "1-65535", "--seed", seed]);
            assert_eq!(open(&lines), server.ports, "{address}");
            let summary = of_type(&lines, "summary")[0];
            assert_eq!((&summary["closed"], &summary["errors"]), (&65_523.into(), &0.into()));
        }
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn who_is_not_there_is_this_machines_own_finding() {
    let lab = lab();
    lab.route("10.89.0.0/24", "10.77.0.77");
    lab.route("fd89::/64", "fd77::77");
    for dead in [NOBODY[0], NOBODY[1], "10.89.0.1", "fd89::1"] {
        let lines = lab.scan(&[dead, "-p", "1-50"]);
        let summary = of_type(&lines, "summary")[0];
        assert_eq!((&summary["errors"], &summary["sent"]), (&50.into(), &0.into()), "{dead}");
        assert_eq!(lab.states(&[dead, "-p", "1-50"]), all("error", "neighbour-unresolved", 50));
    }
    for nowhere in NOWHERE {
        assert_eq!(lab.states(&[nowhere, "-p", "1-50"]), all("error", "no-route", 50));
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn refusals_on_the_way_are_told_apart() {
    let lab = lab();
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; \
                   echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
    shell(&lab.there, forward);
    lab.route("10.88.0.0/24", THERE[0]);
    lab.route("fd88::/64", THERE[1]);
    for (route, host, reason) in [
        ("unreachable", "10.88.0.1", "host-unreachable"),
        ("prohibit", "10.88.0.2", "admin-prohibited"),
        ("unreachable", "fd88::1", "network-unreachable"),
        ("prohibit", "fd88::2", "admin-prohibited"),
    ] {
        ip(&lab.there, &["route", "add", route, host]);
        assert_eq!(lab.states(&[host, "-p", "80"]), all("filtered", reason, 1), "{host}");
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces, nft"]
fn filters_drop_refuse_and_reset() {
    let lab = lab();
    let rules = "table inet f {\n chain i {\n type filter hook input priority 0;\n \
                 tcp dport 100-199 drop\n tcp dport 200 reject with icmpx type admin-prohibited\n \
                 tcp dport 201 reject with icmpx type port-unreachable\n \
                 tcp dport 202 reject with tcp reset\n }\n}\n";
    filter(&lab.there, rules);
    for there in THERE {
        for (ports, state, reason, count) in [
            ("100-199", "filtered", "no-response", 100),
            ("200", "filtered", "admin-prohibited", 1),
            ("201", "filtered", "port-unreachable", 1),
            ("202", "closed", "reset", 1),
        ] {
            assert_eq!(lab.states(&[there, "-p", ports]), all(state, reason, count), "{there}");
        }
    }
}

/// What this machine's own filter refuses is no state of another host. Packets made here pass it by, so
/// this is seen by connecting.
#[test]
#[ignore = "needs root: network namespaces, nft"]
fn what_this_machine_refuses_is_its_own_finding() {
    let lab = lab();
    let rules = "table inet f {\n chain o {\n type filter hook output priority 0;\n \
                 tcp dport 200 reject with icmpx type admin-prohibited\n \
                 tcp dport 201 reject with icmpx type port-unreachable\n }\n}\n";
    filter(&lab.here, rules);
    for there in THERE {
        let args = ["scan", "--method", "connect", "--format", "jsonl", "--show", "all", there];
        let scan = ports_in(&lab.here, &[&args[..], &["-p", "200,201"]].concat()).output().unwrap();
        let text = String::from_utf8(scan.stdout).unwrap();
        assert_eq!(text.matches(r#""reason":"not-permitted""#).count(), 2, "{text}");
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn discovery_finds_who_is_there() {
    let lab = lab();
    for (prefix, hosts, up) in [
        ("10.77.0.0/28", 14, vec![(HERE[0], "reset"), (THERE[0], "neighbour-reply")]),
        ("fd77::/124", 16, vec![(HERE[1], "reset"), (THERE[1], "neighbour-reply")]),
    ] {
        let lines = lab.scan(&[prefix, "-p", "9", "--discover", "--show", "all"]);
        let found: BTreeMap<_, _> = of_type(&lines, "host")
            .into_iter()
            .map(|host| (host["host"].as_str().unwrap(), host["reason"].as_str().unwrap()))
            .collect();
        let mut up: BTreeMap<_, _> = up.into_iter().collect();
        // Which of several answers of this machine to itself is read first is open.
        let here = HERE[usize::from(prefix.contains(':'))];
        up.insert(here, found[here]);
        assert_eq!(found, up);
        assert_eq!(of_type(&lines, "port").len(), 2);
        let summary = of_type(&lines, "summary")[0];
        assert_eq!((&summary["hosts_up"], &summary["probes"]), (&2.into(), &2.into()));
        let asked = summary["hosts"].as_u64().unwrap();
        assert!((hosts..=16).contains(&asked), "{asked}");
        assert_eq!(summary["not_scanned"].as_u64().unwrap(), asked - 2);
    }
}

#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn the_interface_asked_for_is_the_one_used() {
    let lab = lab();
    ip(&lab.here, &["link", "add", "veth1", "type", "veth", "peer", "name", "veth2"]);
    ip(&lab.here, &["addr", "add", "10.77.0.100/32", "dev", "veth1"]);
    ip(&lab.here, &["link", "set", "veth1", "up"]);
    ip(&lab.here, &["link", "set", "veth2", "up"]);
    let there = THERE[0];
    let args = [there, "-p", "9", "--interface"];
    assert_eq!(lab.states(&[&args[..], &["veth0"]].concat()), all("closed", "reset", 1));
    let elsewhere = all("error", "neighbour-unresolved", 1);
    assert_eq!(lab.states(&[&args[..], &["veth1"]].concat()), elsewhere);
    let unknown = ["scan", there, "-p", "9", "--interface", "veth9"];
    assert_eq!(ports_in(&lab.here, &unknown).status().unwrap().code(), Some(2));
}

/// From the address of another interface: that is where the answers come in.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn answers_are_heard_wherever_they_come_in() {
    let lab = lab();
    lab.second_link();
    for (there, source) in THERE.into_iter().zip(SECOND_HERE) {
        let server = Server::start(&lab.there, there, 3);
        let lines = lab.scan(&[there, "-p", "1-65535", "--source", source]);
        assert_eq!(open(&lines), server.ports, "{there} from {source}");
        let summary = of_type(&lines, "summary")[0];
        assert_eq!((&summary["closed"], &summary["errors"]), (&65_532.into(), &0.into()));
    }
}

/// In the middle of a scan the other host gets another address on its link, and tells.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn a_neighbour_that_moves_is_followed() {
    for (place, moved) in ["02:00:00:00:00:42", "02:00:00:00:00:43"].into_iter().enumerate() {
        let (lab, there) = (lab(), THERE[place]);
        shell(&lab.there, "echo 1 > /proc/sys/net/ipv4/conf/veth0/arp_notify");
        shell(&lab.there, "echo 1 > /proc/sys/net/ipv6/conf/veth0/ndisc_notify");
        let before = lab.arrived();
        let scan = lab.scanning(&[there, "-p", "1-2000", "--rate", "500"]).spawn().unwrap();
        while lab.arrived() < before + 300 {}
        ip(&lab.there, &["link", "set", "veth0", "address", moved]);
        let lines = lines(&scan.wait_with_output().unwrap().stdout);
        assert_eq!(of_type(&lines, "summary")[0]["closed"], 2_000, "{there}");
    }
}

/// Both ends have the same address on the link, which is where the kernel sends then.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn where_no_neighbour_is_asked_none_is_needed() {
    let lab = lab();
    for host in [&lab.here, &lab.there] {
        let same = ["address", "02:00:00:00:00:44", "arp", "off"];
        ip(host, &[&["link", "set", "veth0"][..], &same].concat());
    }
    for there in THERE {
        assert_eq!(lab.states(&[there, "-p", "1-50"]), all("closed", "reset", 50), "{there}");
    }
}

/// The other host does not answer who it is: it is known by configuration, and up where it answers.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn a_configured_neighbour_is_not_asked_and_not_up_for_that() {
    let lab = lab();
    shell(&lab.there, "echo 8 > /proc/sys/net/ipv4/conf/veth0/arp_ignore");
    let link = in_host(&lab.there, "cat", &["/sys/class/net/veth0/address"]).output().unwrap();
    let link = String::from_utf8(link.stdout).unwrap();
    for configured in [THERE[0], NOBODY[0]] {
        ip(&lab.here, &["neigh", "replace", configured, "lladdr", link.trim(), "dev", "veth0"]);
    }
    for (host, up) in [(THERE[0], 1), (NOBODY[0], 0)] {
        let lines = lab.scan(&[host, "-p", "9", "--discover"]);
        assert_eq!(of_type(&lines, "summary")[0]["hosts_up"], up, "{host}");
    }
    assert_eq!(lab.states(&[THERE[0], "-p", "9"]), all("closed", "reset", 1));
}

/// The router comes up only after it was asked once, and nothing else is sent to make it be asked.
#[test]
#[ignore = "needs root: raw packets, network namespaces"]
fn a_router_is_asked_until_it_answers() {
    for (target, router, length) in [("10.88.0.1", "10.77.0.77", 24), ("fd88::1", "fd77::77", 64)] {
        let lab = lab();
        lab.route(target, router);
        ip(&lab.there, &["addr", "add", target, "dev", "lo"]);
        let before = lab.arrived();
        let patient = ["--show", "all", "--retries", "0", "--timeout", "1m"];
        let scan = lab.scanning(&[&[target, "-p", "9"][..], &patient].concat()).spawn().unwrap();
        while lab.arrived() == before {}
        let router = format!("{router}/{length}");
        let late: &[&str] = if length == 64 { &["nodad"] } else { &[] };
        ip(&lab.there, &[&["addr", "add", &router, "dev", "veth0"], late].concat());
        let text = String::from_utf8(scan.wait_with_output().unwrap().stdout).unwrap();
        assert!(text.contains(r#""reason":"reset""#), "{text}");
    }
}

#[test]
#[ignore = "needs root: to give privilege up"]
fn without_privilege_the_remedy_is_said() {
    let folder = tempfile::tempdir().unwrap();
    // For everyone, and a path that a shell would take for two.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("the ports");
    // By another program: a copy that this process had open for writing, a program that a test starts
    // meanwhile would have open, too, and then it could not be run.
    let mut copy = Command::new("cp");
    assert!(copy.arg(env!("CARGO_BIN_EXE_ports")).arg(&program).status().unwrap().success());
    let output = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"])
        .arg(&program)
        .args(["scan", "127.0.0.1", "-p", "9", "--method", "syn"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    let command = format!("`sudo setcap cap_net_raw=ep '{}'`", program.display());
    assert!(said.contains(&command), "{said}");
}
