//! What is told of facts and attempts that are made up.

use std::io;
use std::net::SocketAddr;

use ports_core::{Port, PortRange, PortSet, Transport};
use rustix::io::Errno;
use serde_json::Value;
use stats::system::{NoProcess, PortProcess, PortRules, PortSocket, State};

use super::*;

fn facts(address: &str, sockets: Vec<PortSocket>) -> BindFacts {
    BindFacts {
        transport: Transport::Tcp,
        address: address.parse().unwrap(),
        sockets,
        rules: PortRules {
            first_unprivileged: Port::new(1024),
            is_privileged: false,
            ephemeral: "8000-9000".parse::<PortRange>().unwrap(),
            reserved: PortSet::new(),
            ipv6_only: false,
        },
    }
}

fn holder(local: &str) -> PortSocket {
    PortSocket {
        local: local.parse::<SocketAddr>().unwrap(),
        peer: None,
        interface: None,
        state: State::Listen,
        uid: Some(0),
        only_ipv6: None,
        processes: Vec::new(),
        no_process: Some(NoProcess::NotPermitted),
        cgroups: Vec::new(),
    }
}

fn kinds(lines: &[Line]) -> Vec<String> {
    let value = |line| serde_json::to_value(line).unwrap();
    let kind = |value: Value| value["finding"].as_str().unwrap_or("verdict").to_owned();
    lines.iter().map(|line| kind(value(line))).collect()
}

fn in_use() -> Attempt {
    Attempt::Refused(io::ErrorKind::AddrInUse.into())
}

#[test]
fn what_is_at_one_address_explains_nothing_at_another() {
    let users = UserNames::default();
    let mut consultation = Consultation::new(&users);
    let first = facts("0.0.0.0:8080", vec![holder("127.0.0.1:8080")]);
    assert_eq!(kinds(&consultation.lines(&first, &in_use())), ["verdict", "held"]);
    let second = facts("[::]:8080", Vec::new());
    assert_eq!(kinds(&consultation.lines(&second, &in_use())), ["verdict", "not-seen"]);
}

fn ipv6_alone(needs_reuse: bool) -> Attempt {
    Attempt::Ipv6Alone { error: io::ErrorKind::AddrInUse.into(), needs_reuse }
}

#[test]
fn who_has_it_in_ipv4_is_named_where_only_ipv6_can_be_bound() {
    let users = UserNames::default();
    let mut consultation = Consultation::new(&users);
    let sockets = || vec![holder("127.0.0.1:8080"), holder("127.0.0.2:8080")];
    let both = consultation.lines(&facts("0.0.0.0:8080", sockets()), &in_use());
    assert_eq!(kinds(&both), ["verdict", "held", "held"]);
    let ipv6 = consultation.lines(&facts("[::]:8080", sockets()), &ipv6_alone(true));
    assert_eq!(kinds(&ipv6), ["verdict"]);
    let verdict = serde_json::to_value(&ipv6[0]).unwrap();
    assert_eq!(verdict["can_bind"], false);
    assert_eq!(verdict["can_bind_ipv6_alone"], true);
    assert_eq!(verdict["needs_reuse_address"], true);
    let Line::Verdict(verdict) = &ipv6[0] else { unreachable!() };
    assert_eq!(
        verdict.text(),
        "can be bound for IPv6 alone (IPV6_V6ONLY, with SO_REUSEADDR): 127.0.0.1:8080 (LISTEN) \
         and 1 other have it in IPv4"
    );
}

#[test]
fn what_starts_it_again_is_to_be_stopped() {
    let users = UserNames::default();
    let of = |pid, name: &str, cgroups: &[&str]| {
        let processes = vec![PortProcess { pid, name: name.to_owned(), uid: Some(0) }];
        let cgroups = cgroups.iter().map(ToString::to_string).collect();
        let socket =
            PortSocket { processes, cgroups, no_process: None, ..holder("127.0.0.1:8080") };
        let facts = facts("0.0.0.0:8080", vec![socket]);
        let lines = Consultation::new(&users).lines(&facts, &in_use());
        serde_json::to_value(&lines[1]).unwrap()["todo"].as_str().unwrap().to_owned()
    };
    let todo = |name: &str, cgroups: &[&str]| of(7, name, cgroups);
    assert_eq!(todo("web", &["/user.slice/session-3.scope"]), "End it: ports kill 8080/tcp");
    assert_eq!(of(1, "web", &[]), "End it and all that depends on it: ports kill --force 8080/tcp");
    assert_eq!(
        todo("systemd", &["/system.slice/web.socket", "/init.scope"]),
        "It is of unit web.socket, to be stopped by: systemctl stop web.socket"
    );
    // Not all of Docker.
    assert_eq!(
        todo("docker-proxy", &["/system.slice/docker.service"]),
        "Stop the container that has it: docker ps --filter publish=8080"
    );
}

#[test]
fn connections_and_nobody_are_named_too() {
    let users = UserNames::default();
    let text = |sockets: Vec<PortSocket>| {
        let lines =
            Consultation::new(&users).lines(&facts("[::]:8080", sockets), &ipv6_alone(false));
        let Line::Verdict(verdict) = &lines[0] else { unreachable!() };
        (verdict.text(), kinds(&lines).swap_remove(1))
    };
    let over = PortSocket { state: State::TimeWait, ..holder("127.0.0.1:8080") };
    let (told, finding) = text(vec![over]);
    assert!(told.ends_with(": connections have it in IPv4"), "{told}");
    assert_eq!(finding, "time-wait");
    let (told, finding) = text(Vec::new());
    assert!(told.ends_with(": somebody has it in IPv4"), "{told}");
    assert_eq!(finding, "not-seen");
}

#[test]
fn a_link_local_address_needs_its_interface() {
    let users = UserNames::default();
    let findings = |address, error: Errno| {
        let refused = Attempt::Refused(error.into());
        kinds(&Consultation::new(&users).lines(&facts(address, Vec::new()), &refused))
    };
    assert_eq!(findings("[fe80::1]:8080", Errno::INVAL)[1], "needs-interface");
    assert_eq!(findings("[fe80::1%2]:8080", Errno::ADDRNOTAVAIL)[1], "no-such-address");
    // What the error says is all there is to say.
    assert_eq!(findings("[ff02::1]:8080", Errno::INVAL), ["verdict"]);
}

#[test]
fn what_could_be_bound_has_nothing_in_its_way() {
    let users = UserNames::default();
    let facts = facts("0.0.0.0:8080", vec![holder("127.0.0.1:8080")]);
    let mut consultation = Consultation::new(&users);
    assert_eq!(kinds(&consultation.lines(&facts, &Attempt::Bound)), ["verdict"]);
    // It is still good to know where it is.
    let notes: Vec<Line> = consultation.notes().into_iter().map(Line::Finding).collect();
    assert_eq!(kinds(&notes), ["ephemeral"]);
}

#[test]
fn what_is_not_permitted_is_no_socket_that_cannot_be_seen() {
    let users = UserNames::default();
    let finding = |address| {
        let mut facts = facts(address, Vec::new());
        // Root of a user namespace that this network is not of.
        facts.rules.is_privileged = true;
        let denied = Attempt::Refused(Errno::ACCESS.into());
        let lines = Consultation::new(&users).lines(&facts, &denied);
        let value = serde_json::to_value(&lines[1]).unwrap();
        (value["finding"].clone(), value["what"].as_str().unwrap().to_owned())
    };
    let (kind, what) = finding("0.0.0.0:80");
    assert_eq!(kind, "privileged");
    assert!(what.contains("in the user namespace"), "{what}");
    let (kind, what) = finding("0.0.0.0:8080");
    assert_eq!(kind, "not-seen");
    assert!(what.starts_with("a rule of the system"), "{what}");
}

#[test]
fn the_user_is_that_of_the_process() {
    let users = UserNames::default();
    let what = |uid| {
        let processes = vec![PortProcess { pid: 7, name: "web".to_owned(), uid }];
        let socket = PortSocket { processes, no_process: None, ..holder("127.0.0.1:8080") };
        let facts = facts("0.0.0.0:8080", vec![socket]);
        let lines = Consultation::new(&users).lines(&facts, &in_use());
        serde_json::to_value(&lines[1]).unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert!(what(Some(33)).ends_with("is held by web (process 7) of user 33"));
    // It has ended meanwhile: the one that made the socket is known.
    assert!(what(None).ends_with("is held by web (process 7) of user 0"));
}

#[test]
fn what_holds_for_both_is_said_once_and_explains_both() {
    let users = UserNames::default();
    let mut consultation = Consultation::new(&users);
    let of_both = holder("[::]:8080");
    let first = facts("0.0.0.0:8080", vec![of_both.clone()]);
    assert_eq!(kinds(&consultation.lines(&first, &in_use())), ["verdict", "held"]);
    let second = facts("[::]:8080", vec![of_both]);
    assert_eq!(kinds(&consultation.lines(&second, &in_use())), ["verdict"]);
    let notes: Vec<Line> = consultation.notes().into_iter().map(Line::Finding).collect();
    assert_eq!(kinds(&notes), ["ephemeral"]);
}
