//! Sockets bound to an interface, and of one family.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Socket, Type};

use super::{json, text};

/// A listener at an address that nobody else has, bound to the loopback interface.
fn bound_to_loopback(address: &str) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind_device(Some(b"lo")).unwrap();
    socket.bind(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(1).unwrap();
    TcpListener::from(socket)
}

#[test]
fn the_interface_stands_where_ss_has_it() {
    let listener = bound_to_loopback("127.0.78.11:0");
    let address = listener.local_addr().unwrap();
    let port = address.port().to_string();
    let at = ["ls", "--port", &port, "--address", "127.0.78.11"];
    let shown = format!(" 127.0.78.11%lo:{port} ");
    assert!(text(&at).contains(&shown), "{}", text(&at));
    let table = text(&["who", &format!("{port}/tcp")]);
    assert!(table.contains(&shown), "{table}");
    // Programs have the address and the number of the interface apart.
    let rows = json(&at);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["local"], address.to_string());
    assert_eq!(rows[0]["interface"], 1);
    let csv = text(&[&at[..], &["--columns", "local,interface", "--format", "csv"]].concat());
    assert_eq!(csv, format!("local,interface\n{address},1\n"));
}

#[test]
fn a_family_is_a_filter() {
    let four = UdpSocket::bind("127.0.78.12:0").unwrap();
    // It takes IPv4, too.
    let six = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    six.set_only_v6(false).unwrap();
    six.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
    six.listen(1).unwrap();
    let six = TcpListener::from(six);
    let places = [four.local_addr().unwrap(), six.local_addr().unwrap()];
    let ports = places.map(|place| place.port().to_string()).join(",");
    let found = |args: &[&str]| {
        let rows = json(&[&["ls", "-l", "--port", &ports], args].concat());
        places.map(|place| rows.iter().any(|row| row["local"] == place.to_string()))
    };
    assert_eq!(found(&[]), [true, true]);
    assert_eq!(found(&["-4"]), [true, false]);
    assert_eq!(found(&["-6"]), [false, true]);
    assert_eq!(found(&["-46"]), [true, true]);
    assert_eq!(found(&["-4t"]), [false, false]);
    // UNIX sockets are neither.
    assert_eq!(json(&["ls", "-x4"]).len(), 0);
    assert_eq!(json(&["ls", "-x46"]).len(), 0);
}

#[test]
fn an_interface_that_is_not_there_is_a_mistake() {
    for address in ["fe80::1%no-such-link", "fe80::1%", "127.0.0.1%lo", "localhost"] {
        let ended = super::run(&["ls", "--address", address]);
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root: a network namespace with interfaces of its own; and ss"]
fn an_address_of_one_link_is_asked_for_with_it() {
    // Of this thread and of what it starts.
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let script = "ip link set lo up && ip link add ve0 type veth peer name ve1 && \
                  for link in ve0 ve1; do ip link set $link up && \
                  ip address add fe80::7/64 dev $link nodad || exit; done";
    assert!(Command::new("sh").args(["-c", script]).status().unwrap().success());
    let number = |link: &str| {
        let read = Command::new("ip").args(["-o", "link", "show", link]).output().unwrap();
        let line = String::from_utf8(read.stdout).unwrap();
        line.split(':').next().unwrap().parse::<u32>().unwrap()
    };
    let ip: Ipv6Addr = "fe80::7".parse().unwrap();
    let links = ["ve0", "ve1"].map(|link| (link, number(link)));
    let held =
        links.map(|(_, index)| TcpListener::bind(SocketAddrV6::new(ip, 9013, 0, index)).unwrap());
    let found = |address: &str| -> Vec<u64> {
        let rows = json(&["ls", "--address", address]);
        rows.iter().map(|row| row["interface"].as_u64().unwrap()).collect()
    };
    assert_eq!(found("fe80::7").len(), 2);
    for (link, index) in links {
        assert_eq!(found(&format!("fe80::7%{link}")), [u64::from(index)]);
        assert_eq!(found(&format!("fe80::7%{index}")), [u64::from(index)]);
        let table = text(&["ls", "--address", &format!("fe80::7%{link}")]);
        let shown = format!(" [fe80::7]%{link}:9013 ");
        assert!(table.contains(&shown), "{table}");
        // As ss has it.
        let ss = Command::new("ss").args(["-tlnH"]).output().unwrap();
        let ss = String::from_utf8(ss.stdout).unwrap();
        assert!(ss.contains(&shown), "{ss}");
    }
    assert_eq!(found("fe80::7%lo"), [0; 0]);
    drop(held);
}
