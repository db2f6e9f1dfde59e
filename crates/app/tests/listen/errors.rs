//! What cannot be listened on, and what makes no sense.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::ANY;
use crate::driver::{Ports, run};
use crate::own_port::OwnPort;

#[test]
fn an_address_in_use_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for endpoint in [
        format!("tcp://{}", holder.local_addr().unwrap()),
        format!("udp://{}", socket.local_addr().unwrap()),
    ] {
        let ended = run(&["listen", &endpoint]);
        assert_eq!(ended.code, Some(4));
        assert!(ended.stderr.contains(&endpoint), "{}", ended.stderr);
        assert!(ended.stderr.contains("in use"), "{}", ended.stderr);
    }
}

#[test]
fn an_address_given_twice_is_not_somebody_elses() {
    let port = OwnPort::at(Ipv4Addr::LOCALHOST);
    let endpoint = format!("tcp://{}", port.address());
    let ended = run(&["listen", &endpoint, &endpoint, "--service", "echo"]);
    let said = format!("{endpoint}: {endpoint} of this command has the port there already");
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_opened_fails() {
    for (args, said) in [
        (&["listen", "tcp://192.0.2.1:0"][..], "not an address of this machine"),
        // Resolved on this machine: no packet leaves it.
        (&["listen", "[fd00::1%lo]:0"], "cannot resolve"),
        (&["listen", ANY, "--events", "/nowhere/events"], "/nowhere/events"),
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
    }
}

#[test]
fn what_makes_no_sense_is_usage() {
    for (args, said) in [
        (&["listen", ANY, ANY][..], "one endpoint"),
        (&["listen", "tls://127.0.0.1:0"], "TLS needs --cert"),
        (&["listen", ANY, "tls://127.0.0.1:0", "--service", "echo"], "one command each"),
        (&["listen", ANY, "--max-connections-per-address", "2"], "--max-connections-per-address"),
        (&["listen", "udp://127.0.0.1:0", "--first-byte-timeout", "1s"], "--first-byte-timeout"),
        (&["listen", ANY, "--events", "-"], "--events -"),
        (&["listen", ANY, "--prefix", "x"], "--prefix"),
        (&["listen", ANY, "--service", "discard", "--prefix", "x"], "--prefix"),
        (&["listen", ANY, "--max-connections", "2"], "--max-connections"),
        (&["listen", ANY, "--service", "echo", "--slow", "disconnect"], "--slow"),
        (&["listen", "udp://127.0.0.1:0", "--idle-timeout", "1s"], "--idle-timeout"),
        (&["listen", "tcp://127.0.0.1:0?iface=lo"], "`iface`"),
        (&["listen", "udp://127.0.0.1:0?iface=lo"], "`iface`"),
        (&["listen", "tcp://239.1.2.3:0"], "nobody connects to a group"),
        (&["listen", "255.255.255.255:0", "--service", "echo"], "nobody connects to a group"),
        (&["listen", "udp://239.1.2.3:0?iface=lo&ttl=1"], "`ttl`"),
        (&["listen", "udp://[ff02::71]:0"], "?iface="),
        (&["listen", "udp://127.0.0.1:0?source=127.0.0.1"], "`source`"),
        (&["listen", "udp://239.1.2.3:0?source=239.1.1.1"], "the source 239.1.1.1 is no unicast"),
        (&["listen", "udp://239.1.2.3:0?source=0.0.0.0"], "`source`"),
        (&["listen", "udp://239.1.2.3:0?source=::1"], "IP version"),
        (&["listen", "udp://[ff05::1]:0?source=ff05::2"], "the source ff05::2 is no unicast"),
        (&["listen", "udp://239.1.2.3:0?iface=nope0"], ": there is no interface `nope0`"),
        (&["listen", "udp://[ff02::1%lo]:0?iface=lo"], "its zone says the link"),
        (&["listen", "udp://[fe80::1%nope0]:0"], ": there is no interface `nope0`"),
        (&["listen", "tcp://[fe80::1%nope0]:0"], ": there is no interface `nope0`"),
        (&["listen", ANY, "--service", "cat"], "cat"),
        (&["listen", ANY, "--idle-timeout", "5"], "<TIME>': its unit is missing: write a number"),
        (&["listen", "127.0.0.1"], "no port"),
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root and setpriv: binds a privileged port without privilege"]
fn a_privileged_port_is_not_permitted() {
    use std::process::Command;
    let floor = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert!(floor.trim().parse::<u32>().unwrap() > 1, "here every port is for everybody");
    for endpoint in ["tcp://127.0.0.1:1", "udp://127.0.0.1:1"] {
        // Root without capabilities: the binary may lie where nobody else can read.
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_ports")]);
        let ended = Ports::spawn(command.args(["listen", endpoint])).end();
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains(endpoint), "{}", ended.stderr);
    }
}
