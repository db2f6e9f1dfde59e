//! `[::]`, which is IPv4, too, and addresses of one link only.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::driver::{Ended, Ports, run};
use super::{alone, doctor, finding};

/// Binds `[::]` as programs do that want IPv4, too.
fn bind_both(kind: Type, port: u16) -> std::io::Result<()> {
    let socket = Socket::new(Domain::IPV6, kind, None)?;
    socket.set_only_v6(false)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())
}

/// What is said of a port that somebody has in IPv4.
fn held_in_ipv4(kind: Type, port: u16, transport: &str) {
    let wanted = format!("{port}/{transport}");
    assert!(bind_both(kind, port).is_err());
    let (code, rows) = doctor(&[&wanted, "--address", "::"]);
    assert_eq!(code, Some(1), "{rows:?}");
    let verdict = &rows[0];
    assert_eq!(verdict["address"], format!("[::]:{port}"));
    assert_eq!(
        (&verdict["can_bind"], &verdict["can_bind_ipv6_alone"]),
        (&false.into(), &true.into())
    );
    assert_eq!(verdict["needs_reuse_address"], false, "{rows:?}");
    assert!(verdict["error"].as_str().unwrap().contains("in use"), "{rows:?}");
    let what = finding(&rows, "held")["what"].as_str().unwrap();
    assert!(what.starts_with(&format!("127.0.0.1:{port} ")), "{what}");
    // Both families, one after the other: what is said of the second one is the same.
    let (code, rows) = doctor(&[&wanted]);
    assert_eq!(code, Some(1), "{rows:?}");
    let verdicts: Vec<&Value> = rows.iter().filter(|row| row["type"] == "verdict").collect();
    assert_eq!(verdicts.iter().filter(|row| row["can_bind"] == false).count(), 2, "{rows:?}");
    let table = String::from_utf8(run(&["doctor", &wanted]).stdout).unwrap();
    let line = format!("[::]:{port} can be bound for IPv6 alone (IPV6_V6ONLY): 127.0.0.1:{port} (");
    assert!(table.contains(&line) && table.contains(") has it in IPv4"), "{table}");
    assert_eq!(table.matches(" is held by ").count(), 1, "{table}");
}

#[test]
fn a_listener_of_ipv4_keeps_all_addresses_of_ipv6_from_being_bound() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    held_in_ipv4(Type::STREAM, listener.local_addr().unwrap().port(), "tcp");
}

#[test]
fn so_does_a_datagram_socket() {
    let _alone = alone();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    held_in_ipv4(Type::DGRAM, socket.local_addr().unwrap().port(), "udp");
}

#[test]
fn who_has_ipv6_leaves_nothing_of_it() {
    let _alone = alone();
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, rows) = doctor(&[&port, "--address", "::"]);
    assert_eq!((code, &rows[0]["can_bind_ipv6_alone"]), (Some(1), &false.into()), "{rows:?}");
    assert_eq!(finding(&rows, "held")["blocks"], "always");
}

#[test]
fn connections_of_ipv6_that_take_ipv4_are_seen_to_keep_all_of_ipv4() {
    let _alone = alone();
    let listener = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    listener.set_only_v6(false).unwrap();
    listener.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let listener = TcpListener::from(listener);
    let port = listener.local_addr().unwrap().port();
    let _client = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    let _accepted = listener.accept().unwrap();
    drop(listener);
    let wanted = port.to_string();
    assert!(TcpListener::bind(("0.0.0.0", port)).is_err());
    let (code, rows) = doctor(&[&wanted, "--address", "0.0.0.0"]);
    assert_eq!((code, &rows[0]["can_bind"]), (Some(1), &false.into()), "{rows:?}");
    let what = finding(&rows, "connections")["what"].as_str().unwrap();
    assert!(what.contains("ESTAB to [::1]:"), "{what}");
    // One address of IPv4 is left alone by it, and nothing is told of it then.
    let (code, rows) = doctor(&[&wanted, "--address", "127.0.0.1"]);
    assert_eq!((code, &rows[0]["can_bind"]), (Some(0), &true.into()), "{rows:?}");
    assert!(rows.iter().all(|row| row["finding"] != "connections"), "{rows:?}");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_socket_bound_to_an_interface_is_told_with_it() {
    let _alone = alone();
    // It becomes `ports`, which has the socket then.
    let hold =
        "ip link add ve0 type veth peer name ve1 && ip link set ve0 up && ip link set ve1 up && \
ip -6 address add fe80::7/64 dev ve0 nodad && set -- python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b\"lo\")
s.bind((\"::\", 8080))
s.listen()
s.set_inheritable(True)
os.execv(sys.argv[1], sys.argv[1:])' \"$@\"";
    let (ended, rows) = in_namespace(hold, &["8080", "--address", "::"]);
    let what = finding(&rows, "held")["what"].as_str().unwrap();
    assert!(what.starts_with("[::]:8080 on lo (LISTEN) is held by "), "{ended:?}");
    // It is of another interface.
    let (ended, rows) = in_namespace(hold, &["8080", "--address", "fe80::7%ve0"]);
    assert_eq!((ended.code, rows.len()), (Some(0), 1), "{ended:?}");
    assert_eq!(rows[0]["can_bind"], true, "{rows:?}");
}

/// `script`, and then `ports doctor`, in a network namespace of its own.
fn in_namespace(script: &str, args: &[&str]) -> (Ended, Vec<Value>) {
    let script = format!("ip link set lo up && {script} && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--net", "bash", "-c", &script, "bash", env!("CARGO_BIN_EXE_ports"), "doctor"]);
    let ended = Ports::spawn(command.args(args).args(["--format", "jsonl"])).end();
    let lines = ended.stdout.split(|byte| *byte == b'\n');
    let rows = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    (ended, rows)
}

#[test]
#[ignore = "needs root: a network namespace with an interface of its own"]
fn a_link_local_address_is_bound_at_its_interface() {
    let _alone = alone();
    let link = "ip link add ve0 type veth peer name ve1 && ip link set ve0 up && \
                ip address add fe80::5/64 dev ve0 nodad";
    for port in ["9011", "9011/udp"] {
        let (ended, rows) = in_namespace(link, &[port, "--address", "fe80::5%ve0"]);
        assert_eq!(ended.code, Some(0), "{} {rows:?}", ended.stderr);
        assert_eq!(rows[0]["can_bind"], true, "{rows:?}");
        assert_eq!(rows[0]["address"], "[fe80::5%ve0]:9011");
        let (ended, rows) = in_namespace(link, &[port, "--address", "fe80::5"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let needs = finding(&rows, "needs-interface");
        let what = "a link-local address needs its interface: fe80::5%IFACE";
        assert_eq!((&needs["what"], &needs["blocks"]), (&what.into(), &"always".into()));
        assert!(rows.iter().all(|row| row["finding"] != "not-seen"), "{rows:?}");
    }
    // Of the loopback interface, which is always the first, it is none.
    let (_, by_number) = in_namespace(link, &["9011", "--address", "fe80::5%1"]);
    let (ended, rows) = in_namespace(link, &["9011", "--address", "fe80::5%lo"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(rows[0]["address"], "[fe80::5%lo]:9011");
    assert_eq!(by_number, rows);
    let what = finding(&rows, "no-such-address")["what"].as_str().unwrap();
    assert!(what.ends_with("is not an address of that interface"), "{what}");
}

#[test]
#[ignore = "needs root: a network namespace with settings of its own"]
fn where_ipv6_leaves_ipv4_alone_the_families_have_their_own_answers() {
    let _alone = alone();
    // The only port for sockets that ask for any, and one that has it: the shell's, and `ports`'.
    let held = "cd /proc/sys/net && echo 1 > ipv6/bindv6only && \
                echo 9011 9011 > ipv4/ip_local_port_range && exec 3<>/dev/udp/127.0.0.1/9";
    let (ended, rows) = in_namespace(held, &["9011/udp"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let verdicts = rows.iter().filter(|row| row["type"] == "verdict");
    let answers: Vec<_> = verdicts.map(|row| (&row["address"], &row["can_bind"])).collect();
    let is = |address: &str, can_bind: bool| (Value::from(address), Value::from(can_bind));
    let (first, second) = (is("0.0.0.0:9011", false), is("[::]:9011", true));
    assert_eq!(answers, [(&first.0, &first.1), (&second.0, &second.1)], "{rows:?}");
    let (ended, rows) = in_namespace(held, &["9011/udp", "--address", "::"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(rows.iter().all(|row| row["finding"] != "held"), "{rows:?}");
}

#[test]
fn an_interface_that_is_not_there_is_a_mistake() {
    let _alone = alone();
    let ended = run(&["doctor", "9011", "--address", "fe80::1%no-such-link"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("no-such-link"), "{}", ended.stderr);
    assert_eq!(run(&["doctor", "9011", "--address", "localhost"]).code, Some(2));
}
