//! The real binary: `ports who`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "who/cgroups.rs"]
mod cgroups;
#[path = "driver/ports.rs"]
mod driver;
#[path = "who/names.rs"]
mod names;
#[path = "who/networks.rs"]
mod networks;
#[path = "driver/nobody.rs"]
mod nobody;
#[path = "who/threads.rs"]
mod threads;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use driver::{Ended, Ports, run};
use nobody::Nobody;
use serde_json::Value;

fn rows(port: &str) -> (Option<i32>, Vec<Value>) {
    let Ended { code, stdout, .. } = run(&["who", port, "--format", "jsonl"]);
    let text = String::from_utf8(stdout).unwrap();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A listener at a port that no UDP socket has, so that both transports can be asked for.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_holder_is_known_with_all_that_it_is() {
    let (_listener, address) = listener();
    let (code, rows) = rows(&format!("{}/tcp", address.port()));
    assert_eq!(code, Some(0));
    let own = std::process::id();
    let row = rows.iter().find(|row| row["processes"][0]["pid"] == own).unwrap();
    assert_eq!((&row["type"], &row["state"]), (&"socket".into(), &"LISTEN".into()));
    assert_eq!(row["local"], address.to_string());
    let process = &row["processes"][0];
    let program = std::env::current_exe().unwrap();
    assert_eq!(process["program"], program.to_str().unwrap());
    let words: Vec<String> = std::env::args().collect();
    assert_eq!(process["command"], serde_json::json!(words));
    assert_eq!(process["uid"], rustix::process::getuid().as_raw());
    assert!(process["started_ms"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(process["parents"][0]["pid"], std::os::unix::process::parent_id());
}

#[test]
fn a_table_for_people() {
    let (_listener, address) = listener();
    let port = address.port().to_string();
    let ended = run(&["who", &format!("{port}/tcp")]);
    let table = String::from_utf8(ended.stdout).unwrap();
    assert!(table.starts_with("PROTO  LOCAL"), "{table}");
    assert!(table.contains(&std::process::id().to_string()), "{table}");
    let csv = run(&["who", &port, "--format", "csv"]).stdout;
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with("transport,local,peer,state,uid,user,inode,pid,process,"), "{csv}");
}

#[test]
fn several_holders_have_a_row_each() {
    let (listener, address) = listener();
    // The same socket in another process: its standard input.
    let mut child = std::process::Command::new("sleep")
        .arg("600")
        .stdin(std::os::fd::OwnedFd::from(listener.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let (_, rows) = rows(&format!("{}/tcp", address.port()));
    let pids: Vec<_> =
        rows.iter().map(|row| row["processes"][0]["pid"].as_u64().unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(pids.contains(&child.id().into()), "{pids:?}");
    assert!(pids.contains(&std::process::id().into()), "{pids:?}");
}

#[test]
fn datagram_sockets_hold_their_port() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let (code, rows) = rows(&format!("{port}/udp"));
    assert_eq!((code, &rows[0]["transport"]), (Some(0), &"udp".into()));
}

#[test]
fn a_client_is_found_at_its_own_port() {
    let (_listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    let (code, rows) = rows(&format!("{}/tcp", client.local_addr().unwrap().port()));
    assert_eq!(code, Some(0));
    // Ended connections to others may still be at that port.
    let row = rows.iter().find(|row| row["peer"] == address.to_string()).unwrap();
    assert_eq!(row["state"], "ESTAB");
}

#[test]
#[ignore = "needs root: to be another user than root; and python3"]
fn the_user_in_the_table_is_that_of_the_process() {
    let script = "import os, socket, sys
listener = socket.create_server(('127.0.0.1', 0))
os.setuid(65534)
print('port', listener.getsockname()[1], flush=True)
sys.stdin.read()";
    let mut python = Ports::spawn(Command::new("python3").args(["-c", script]));
    let port = format!("{}/tcp", python.stdout.line("port ", 0).trim());
    let (_, rows) = rows(&port);
    // Root made the socket.
    assert_eq!((&rows[0]["uid"], &rows[0]["processes"][0]["uid"]), (&0.into(), &65534.into()));
    let table = String::from_utf8(run(&["who", &port]).stdout).unwrap();
    let pid = python.child.id();
    assert!(
        table.contains(&format!(" nobody  {pid} ")) || table.contains(&format!(" 65534  {pid} ")),
        "{table}"
    );
    let said = String::from_utf8(run(&["doctor", &port]).stdout).unwrap();
    let user = if table.contains(" nobody ") { "nobody" } else { "user 65534" };
    assert!(said.contains(&format!("(process {pid}) of {user}")), "{said}");
    python.end_input();
    python.end();
}

#[test]
#[ignore = "needs root: to be another user than root"]
fn without_root_the_user_is_told_and_what_is_hidden() {
    let (_listener, address) = listener();
    let port = format!("{}/tcp", address.port());
    let nobody = Nobody::new();
    let ended = nobody.run(&["who", &port, "--format", "jsonl"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let row: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&row["uid"], &row["processes"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(row["no_process"], "not-permitted");
    assert!(ended.stderr.contains("root only"), "{}", ended.stderr);
    let table = String::from_utf8(nobody.run(&["who", &port]).stdout).unwrap();
    assert!(table.contains("(only root may see it)"), "{table}");
}

#[test]
fn nobody_is_an_answer() {
    // A leased port that nobody binds, so that nobody takes it meanwhile.
    let script = format!("exec {} who $PORT/udp", env!("CARGO_BIN_EXE_ports"));
    let lease = ["lease", "--udp", "--name", "held", "--range", "3420-3439"];
    let ended = run(&[&lease[..], &["--", "sh", "-c", &script]].concat());
    assert_eq!((ended.code, ended.stdout.len()), (Some(1), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("nobody holds udp port"), "{}", ended.stderr);
    // Somebody counts on it all the same.
    let leased = ended.stderr.lines().find(|line| line.contains(" is leased by ")).unwrap();
    assert!(leased.contains("`held`, held by ports (process "), "{leased}");
    for port in ["0", "x", "80/sctp"] {
        assert_eq!(run(&["who", port]).code, Some(2), "{port}");
    }
}
