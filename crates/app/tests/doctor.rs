//! The real binary: `ports doctor`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/ports.rs"]
mod driver;
#[path = "doctor/ipv6.rs"]
mod ipv6;
#[path = "doctor/pid_namespace.rs"]
mod pid_namespace;

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use driver::{Ended, Ports, run};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// One test at a time: a program that another one starts has copies of all sockets of this process
/// until it is what it is to be.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn doctor(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let Ended { code, stdout, .. } = run(&[&["doctor"], args, &["--format", "jsonl"]].concat());
    let text = String::from_utf8(stdout).unwrap();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn finding<'a>(rows: &'a [Value], kind: &str) -> &'a Value {
    rows.iter().find(|row| row["finding"] == kind).unwrap()
}

#[test]
fn a_held_port_cannot_be_bound() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (code, rows) = doctor(&[&port, "--address", "127.0.0.1"]);
    assert_eq!(code, Some(1));
    assert_eq!((&rows[0]["type"], &rows[0]["can_bind"]), (&"verdict".into(), &false.into()));
    let held = finding(&rows, "held");
    assert_eq!(held["blocks"], "always");
    let pids: Vec<_> =
        held["processes"].as_array().unwrap().iter().map(|process| &process["pid"]).collect();
    assert!(pids.contains(&&std::process::id().into()), "{held}");
    assert!(held["todo"].as_str().unwrap().contains("ports kill"), "{held}");
    // At another address of loopback it is free.
    let (code, rows) = doctor(&[&port, "--address", "127.0.0.2"]);
    assert_eq!((code, &rows[0]["can_bind"]), (Some(0), &true.into()), "{rows:?}");
    let table = String::from_utf8(run(&["doctor", &port]).stdout).unwrap();
    assert!(table.contains("cannot be bound") && table.contains(" is held by "), "{table}");
}

#[test]
fn causes_come_before_notes() {
    let _alone = alone();
    // The kernel takes it from its ephemeral range: there is a note for each.
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let (code, rows) = doctor(&[&listener.local_addr().unwrap().port().to_string()]);
        assert_eq!(code, Some(1), "{rows:?}");
        let place = |kind: &str| rows.iter().position(|row| row["finding"] == kind).unwrap();
        assert!(place("held") < place("ephemeral"), "{rows:?}");
        assert_eq!(place("ephemeral"), rows.len() - 1, "{rows:?}");
    }
}

#[test]
fn datagram_ports_have_a_doctor_too() {
    let _alone = alone();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = format!("{}/udp", socket.local_addr().unwrap().port());
    let (code, rows) = doctor(&[&port, "--address", "127.0.0.1"]);
    assert_eq!((code, &finding(&rows, "held")["transport"]), (Some(1), &"udp".into()));
}

#[test]
fn ended_connections_stand_back_for_reuse() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let server = listener.accept().unwrap().0;
    drop(listener);
    // Who closes first waits: the server's end, and only when the client has closed, too.
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    assert_eq!((&server).read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    let (code, rows) = doctor(&[&address.port().to_string(), "--address", "127.0.0.1"]);
    assert_eq!(code, Some(0));
    assert_eq!(rows[0]["needs_reuse_address"], true, "{rows:?}");
    let over = finding(&rows, "time-wait");
    assert_eq!(over["blocks"], "without-reuse");
    assert_eq!(over["what"], "1 ended connection waits out its time (TIME-WAIT)");
}

#[test]
fn connections_of_a_socket_without_reuse_do_not_stand_back() {
    let _alone = alone();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let server = listener.accept().unwrap().0;
    drop(listener);
    let port = address.port().to_string();
    let (code, rows) = doctor(&[&port, "--address", "127.0.0.1"]);
    assert_eq!(code, Some(1), "{rows:?}");
    let connections = finding(&rows, "connections");
    assert_eq!(connections["blocks"], "always");
    assert!(connections["todo"].as_str().unwrap().starts_with("End whoever has it"));
    assert!(rows.iter().all(|row| row["finding"] != "not-seen"), "{rows:?}");
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    assert_eq!((&server).read(&mut [0; 1]).unwrap(), 0);
    drop(server);
    let (code, rows) = doctor(&[&port, "--address", "127.0.0.1"]);
    assert_eq!(code, Some(1), "{rows:?}");
    let over = finding(&rows, "time-wait");
    assert!(over["todo"].as_str().unwrap().starts_with("Wait a minute"), "{over}");
}

#[test]
fn several_ports_are_examined_once_each() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let held = listener.local_addr().unwrap().to_string();
    let datagrams = udp.local_addr().unwrap().to_string();
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let (tcp, udp) = (format!(":{}", port(&held)), format!("{}/udp", port(&datagrams)));
    let again = format!("{}/tcp", port(&held));
    let (code, rows) = doctor(&[&tcp, &udp, &again, "--address", "127.0.0.1"]);
    assert_eq!(code, Some(1), "{rows:?}");
    let verdicts: Vec<_> = rows
        .iter()
        .filter(|row| row["type"] == "verdict")
        .map(|row| (&row["transport"], &row["address"]))
        .collect();
    assert_eq!(verdicts, [(&"tcp".into(), &held.into()), (&"udp".into(), &datagrams.into())]);
    // One that cannot be bound is enough.
    let (code, rows) = doctor(&["1/tcp", &again, "--address", "127.0.0.1"]);
    assert_eq!(code, Some(1), "{rows:?}");
}

#[test]
fn a_strange_address_is_named() {
    let _alone = alone();
    let (code, rows) = doctor(&["1", "--address", "192.0.2.1"]);
    assert_eq!(code, Some(1));
    assert_eq!(finding(&rows, "no-such-address")["blocks"], "always");
}

#[test]
fn a_lease_is_told() {
    let _alone = alone();
    let args = ["lease", "--range", "3400-3419", "--name", "web", "--"];
    let mut lease = Ports::start(&[&args[..], &["sh", "-c", "echo $PORT; exec cat"]].concat());
    let port = lease.stdout.line("", 0);
    let (code, rows) = doctor(&[port.trim(), "--address", "127.0.0.1"]);
    assert_eq!(code, Some(0), "{rows:?}");
    let leased = finding(&rows, "leased");
    assert!(leased["what"].as_str().unwrap().contains("as `web`"), "{leased}");
    assert_eq!(leased["processes"][0]["pid"], lease.child.id());
    lease.end_input();
    assert_eq!(lease.end().code, Some(0));
}

#[test]
#[ignore = "needs root: a network namespace with settings of its own"]
fn a_reserved_port_is_told_wherever_it_is() {
    let _alone = alone();
    let script = "echo 8443,40000 > /proc/sys/net/ipv4/ip_local_reserved_ports && exec \"$@\"";
    for port in ["8443", "40000"] {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_ports")]);
        let ended = Ports::spawn(command.args(["doctor", port, "--format", "jsonl"])).end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let rows: Vec<Value> = ended
            .stdout
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        assert_eq!(finding(&rows, "reserved")["blocks"], "never");
    }
}
