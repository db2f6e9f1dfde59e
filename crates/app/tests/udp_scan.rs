//! The real binary asking UDP ports: on loopback, and of another kernel with its limits on ICMP errors.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "lab_net"]
mod lab_net {
    pub(crate) mod findings;
    pub(crate) mod hosts;
}
#[path = "cli/program.rs"]
mod program;
#[path = "udp_scan/service.rs"]
mod service;

use std::collections::BTreeMap;
use std::net::UdpSocket;

use lab_net::findings::summary;
use lab_net::hosts::{self, Lab, ip, shell};
use program::run;
use serde_json::Value;
use service::{Answer, SERVICES, Service};

const THERE: &str = hosts::THERE[0];

/// State and reason of each port.
fn verdicts(lines: &[Value]) -> BTreeMap<u64, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines
        .iter()
        .filter(|line| line["type"] == "port")
        .map(|line| (line["port"].as_u64().unwrap(), (text(&line["state"]), text(&line["reason"]))))
        .collect()
}

#[test]
fn ports_of_loopback_by_state_and_reason() {
    let answering = Service::echo("127.88.2.1:0");
    let silent = UdpSocket::bind("127.88.2.1:0").unwrap();
    // Nobody else gets its port, and as it takes datagrams of itself only, it is closed to all.
    let closed = UdpSocket::bind("127.88.2.1:0").unwrap();
    closed.connect(closed.local_addr().unwrap()).unwrap();
    let [open, silent_port, closed_port] = [
        answering.port(),
        silent.local_addr().unwrap().port(),
        closed.local_addr().unwrap().port(),
    ];
    let spec = format!("{open},{silent_port},{closed_port}");
    let scan = ["scan", "--udp", "127.88.2.1", "-p", &spec, "--format", "jsonl"];

    let all = run(&[&scan[..], &["--show", "all"]].concat());
    all.assert_code(0);
    let verdict = |state: &str, reason: &str| (state.to_owned(), reason.to_owned());
    let expected = BTreeMap::from([
        (open.into(), verdict("open", "udp-response")),
        (silent_port.into(), verdict("open|filtered", "no-response")),
        (closed_port.into(), verdict("closed", "port-unreachable")),
    ]);
    let lines = all.json();
    assert_eq!(verdicts(&lines), expected);
    assert_eq!((&lines[0]["method"], &lines[0]["transport"]), (&"udp".into(), &"udp".into()));
    for line in all.lines_of("port") {
        assert_eq!(line["transport"], "udp");
    }
    let counts = summary(&lines);
    for (field, count) in [("open", 1), ("closed", 1), ("open_filtered", 1), ("filtered", 0)] {
        assert_eq!(counts[field], count, "{field} in {counts}");
    }
    assert_eq!(counts["method"], "udp");

    let check = |show: &str, ports: &[u16]| {
        let shown = verdicts(&run(&[&scan[..], &["--show", show]].concat()).json());
        let mut ports: Vec<u64> = ports.iter().map(|port| (*port).into()).collect();
        ports.sort_unstable();
        assert_eq!(shown.into_keys().collect::<Vec<_>>(), ports, "--show {show}");
    };
    // Side by side: each waits for the one that is silent.
    std::thread::scope(|scope| {
        scope.spawn(|| check("open", &[open]));
        scope.spawn(|| check("open|filtered", &[silent_port]));
        scope.spawn(|| check("filtered", &[silent_port]));
        scope.spawn(|| check("closed,open|filtered", &[silent_port, closed_port]));
    });
    drop((silent, closed));
}

#[test]
fn udp_has_one_method() {
    for method in ["connect", "syn"] {
        let scan = run(&["scan", "--udp", "127.0.0.1", "-p", "9", "--method", method]);
        scan.assert_code(2);
        assert!(!scan.stderr.is_empty() && scan.stdout.is_empty());
    }
    let scan = run(&["scan", "--udp", "127.0.0.1", "-p", "9", "--method", "connect"]);
    assert!(scan.stderr.contains("--udp has one method"), "{}", scan.stderr);
}

/// Names and rankings are those of UDP: snmp has no TCP port in use, and ssh no UDP one.
#[test]
fn port_names_are_of_udp() {
    let scan = run(&[
        "scan",
        "--udp",
        "127.88.2.2",
        "-p",
        "tftp,syslog",
        "--show",
        "all",
        "--format",
        "jsonl",
    ]);
    scan.assert_code(0);
    let services: Vec<_> =
        scan.lines_of("port").iter().map(|line| line["service"].clone()).collect();
    assert!(
        services.contains(&"tftp".into()) && services.contains(&"syslog".into()),
        "{services:?}"
    );
    let ranked =
        run(&["scan", "--udp", "127.88.2.2", "-p", "top:3", "--show", "all", "--format", "jsonl"]);
    let ranked: Vec<_> = verdicts(&ranked.json()).into_keys().collect();
    let mut expected: Vec<u64> = ports_core::top_ports(ports_core::Transport::Udp)[..3]
        .iter()
        .map(|port| port.number().into())
        .collect();
    expected.sort_unstable();
    assert_eq!(ranked, expected);
    let tcp = run(&["scan", "127.88.2.2", "-p", "tftp,no-such-service"]);
    tcp.assert_code(2);
    assert!(tcp.stderr.contains("no-such-service"), "{}", tcp.stderr);
}

/// A kernel as it comes: one "port unreachable" a second and peer, after a burst of six.
#[test]
#[ignore = "needs root and iproute2"]
fn ten_services_of_a_host_that_limits_its_icmp_errors() {
    for seed in ["1", "2", "3"] {
        // Each time a kernel that has not sent any yet.
        let lab = Lab::new();
        let services: Vec<Service> = lab.there(|| {
            SERVICES
                .iter()
                .map(|(port, serve)| Service::start(&format!("{THERE}:{port}"), *serve))
                .collect()
        });
        let lines = lab.scan(&["--udp", THERE, "--show", "all", "--seed", seed]);
        let verdicts = verdicts(&lines);
        assert_eq!(verdicts.len(), 1_000);
        let open: Vec<u64> = verdicts
            .iter()
            .filter(|(_, (state, _))| state == "open")
            .map(|(port, _)| *port)
            .collect();
        let mut expected: Vec<u64> = services.iter().map(|service| service.port().into()).collect();
        expected.sort_unstable();
        assert_eq!(open, expected, "seed {seed}");
        for (state, reason) in verdicts.values() {
            let reasons: &[&str] = match state.as_str() {
                "open" => &["udp-response"],
                "closed" => &["port-unreachable"],
                "open|filtered" => &["icmp-rate-limited"],
                other => panic!("{other}"),
            };
            assert!(reasons.contains(&reason.as_str()), "{state}: {reason}, seed {seed}");
        }
        let counts = summary(&lines);
        assert_eq!((&counts["errors"], &counts["kernel_drops"]), (&0.into(), &0.into()));
        assert!(counts["closed"].as_u64().unwrap() >= 1, "{counts}");
    }
}

/// A TFTP server answers from a port of its own, which may be asked, too: whose answer it is shows by
/// where it arrives, and not by its form.
#[test]
#[ignore = "needs root and iproute2"]
fn what_tftp_answers_is_told_from_what_looks_like_it() {
    let acknowledge = |_: &[u8]| Some(Answer::Here(vec![0, 4, 0, 0]));
    let ask = |lab: &Lab, ports: &str| {
        verdicts(&lab.scan(&["--udp", THERE, "-p", ports, "--show", "all"]))
    };
    let open = ("open".to_owned(), "udp-response".to_owned());
    let silent = ("open|filtered".to_owned(), "no-response".to_owned());

    let lab = Lab::new();
    let serve = SERVICES.iter().find(|(port, _)| *port == 69).unwrap().1;
    let tftp = lab.there(|| Service::start(&format!("{THERE}:69"), serve));
    let other = tftp.other_port();
    let expected = BTreeMap::from([(69, open.clone()), (other.into(), silent.clone())]);
    assert_eq!(ask(&lab, &format!("69,{other}")), expected, "the server's other port");

    let lab = Lab::new();
    let (silent_tftp, alike) = lab.there(|| {
        let silent_tftp = UdpSocket::bind(format!("{THERE}:69")).unwrap();
        (silent_tftp, Service::start(&format!("{THERE}:0"), acknowledge).port())
    });
    let expected = BTreeMap::from([(69, silent), (alike.into(), open)]);
    assert_eq!(ask(&lab, &format!("69,{alike}")), expected, "a service that speaks alike");
    drop(silent_tftp);
}

#[test]
#[ignore = "needs root and iproute2"]
fn a_silent_host_is_not_called_limited() {
    let lab = Lab::new();
    ip(&lab.there, &["route", "add", "blackhole", hosts::HERE[0]]);
    let lines = lab.scan(&["--udp", THERE, "-p", "1-300", "--show", "all"]);
    let silent = ("open|filtered".to_owned(), "no-response".to_owned());
    assert!(verdicts(&lines).values().all(|verdict| *verdict == silent));
    assert_eq!(summary(&lines)["open_filtered"], 300);
}

#[test]
#[ignore = "needs root and iproute2"]
fn what_cannot_be_asked_is_an_error_with_its_cause() {
    let lab = Lab::new();
    for (host, reason) in
        [(hosts::NOBODY[0], "neighbour-unresolved"), (hosts::NOWHERE[0], "no-route")]
    {
        let lines = lab.scan(&["--udp", host, "-p", "1-50", "--show", "all"]);
        let expected = ("error".to_owned(), reason.to_owned());
        let verdicts = verdicts(&lines);
        assert_eq!(verdicts.len(), 50);
        assert!(verdicts.values().all(|verdict| *verdict == expected), "{verdicts:?}");
        assert_eq!(summary(&lines)["sent"], 0);
    }
}

/// A router's refusal is a filter's, whatever it says, and no port is closed by it.
#[test]
#[ignore = "needs root and iproute2"]
fn a_routers_refusals_are_told_apart() {
    for (route, host, reason) in [
        ("unreachable", "10.88.0.1", "host-unreachable"),
        ("prohibit", "10.88.0.2", "admin-prohibited"),
    ] {
        // A router of its own for each: it limits how often it refuses anybody anything.
        let lab = Lab::new();
        lab.route("10.88.0.0/16", THERE);
        shell(&lab.there, "echo 1 > /proc/sys/net/ipv4/ip_forward");
        ip(&lab.there, &["route", "add", route, host]);
        let lines = lab.scan(&["--udp", host, "-p", "9", "--show", "all"]);
        assert_eq!(verdicts(&lines)[&9], ("filtered".to_owned(), reason.to_owned()));
    }
}

/// What the kernel keeps for neighbours that it looks for in vain takes no room from the others.
#[test]
#[ignore = "needs root and iproute2"]
fn dead_neighbours_do_not_hold_up_the_living() {
    let lab = Lab::new();
    let service = lab.there(|| Service::echo(&format!("{THERE}:0")));
    let ports = format!("1-20,{}", service.port());
    let lines = lab.scan(&["--udp", "10.77.0.2-10.77.0.200", "-p", &ports, "--show", "all"]);
    let (mut open, mut missing) = (Vec::new(), 0);
    for report in lines.iter().filter(|line| line["type"] == "port") {
        match (report["host"].as_str().unwrap(), report["reason"].as_str().unwrap()) {
            (THERE, "udp-response") => open.push(report["port"].as_u64().unwrap()),
            (THERE, _) => assert_ne!(report["state"], "error"),
            (_, reason) => {
                assert_eq!(reason, "neighbour-unresolved", "{report}");
                missing += 1;
            }
        }
    }
    assert_eq!((open, missing), (vec![service.port().into()], 198 * 21));
}
