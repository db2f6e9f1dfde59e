//! The real binary: `ports ls`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/ports.rs"]
mod driver;
#[path = "ls/events.rs"]
mod events;
#[path = "driver/first_line.rs"]
mod first_line;
#[path = "ls/interfaces.rs"]
mod interfaces;
#[path = "driver/nobody.rs"]
mod nobody;
#[path = "ls/users.rs"]
mod users;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;

use driver::{Ended, run};
use serde_json::Value;

fn text(args: &[&str]) -> String {
    let Ended { code, stdout, stderr } = run(args);
    assert_eq!(code, Some(0), "{stderr}");
    String::from_utf8(stdout).unwrap()
}

fn json(args: &[&str]) -> Vec<Value> {
    let text = text(&[args, &["--format", "jsonl"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A listener, and a connection to it.
struct Connected {
    listener: TcpListener,
    client: TcpStream,
    port: String,
}

fn connected() -> Connected {
    connected_at("127.0.0.1:0")
}

fn connected_at(address: &str) -> Connected {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    Connected { listener, client, port }
}

#[test]
fn a_listener_with_its_process() {
    // Of an address that nobody else has: others may listen at that port elsewhere.
    let Connected { listener, port, .. } = connected_at("127.0.78.6:0");
    let at = ["--port", &port, "--address", "127.0.78.6"];
    let rows = json(&[&["ls", "--listening", "--process"], &at[..]].concat());
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert_eq!((&row["type"], &row["transport"]), (&"socket".into(), &"tcp".into()));
    assert_eq!(row["local"], listener.local_addr().unwrap().to_string());
    assert_eq!((&row["peer"], &row["state"]), (&Value::Null, &"LISTEN".into()));
    assert_eq!(row["uid"], rustix::process::getuid().as_raw());
    assert!(row["inode"].is_u64());
    let pids: Vec<_> = row["processes"].as_array().unwrap().iter().map(|p| &p["pid"]).collect();
    assert!(pids.contains(&&std::process::id().into()), "{row}");
}

#[test]
fn without_being_asked_there_are_no_processes() {
    let Connected { port, .. } = connected();
    for row in json(&["ls", "--port", &port]) {
        assert!(row.get("processes").is_none() && row.get("rtt_us").is_none(), "{row}");
    }
}

#[test]
fn filters_hold_together() {
    // Of an address that nobody else has: an ended connection may still be at that port elsewhere.
    let Connected { listener, client, port } = connected_at("127.0.78.3:0");
    let address = listener.local_addr().unwrap().to_string();
    let server = listener.accept().unwrap().0;
    let states = |args: &[&str]| -> Vec<String> {
        let rows = json(&[&["ls", "--port", &port], args].concat());
        let ours = rows.iter().filter(|row| row["local"] == address || row["peer"] == address);
        let mut states: Vec<_> =
            ours.map(|row| row["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    let all = ["ESTAB", "ESTAB", "LISTEN"];
    assert_eq!(states(&[]), all);
    assert_eq!(states(&["--tcp"]), all);
    assert_eq!(states(&["--udp"]), [""; 0]);
    assert_eq!(states(&["--state", "established"]), ["ESTAB", "ESTAB"]);
    assert_eq!(states(&["--state", "LISTEN,syn-sent"]), ["LISTEN"]);
    assert_eq!(states(&["--address", "127.0.78.3"]), all);
    assert_eq!(states(&["--address", "127.0.78.4"]), [""; 0]);
    let own = std::process::id().to_string();
    assert_eq!(states(&["--pid", &own]), all);
    assert_eq!(states(&["--pid", "1", "--user", "4294967294"]), [""; 0]);
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(states(&["--process-name", name.trim_end()]), all);
    assert_eq!(states(&["--process-name", "no-such-name"]), [""; 0]);
    // A part counts where the rest is said to be any letters.
    let part = &name[..2];
    assert_eq!(states(&["--process-name", part]), [""; 0]);
    assert_eq!(states(&["--process-name", &format!("{part}*")]), all);
    let uid = rustix::process::getuid().as_raw().to_string();
    assert_eq!(states(&["--user", &uid]), all);
    drop((client, server));
}

#[test]
fn datagram_sockets_and_unix_names() {
    let udp = UdpSocket::bind("127.0.78.7:0").unwrap();
    let port = udp.local_addr().unwrap().port().to_string();
    let rows = json(&["ls", "--udp", "--port", &port, "--address", "127.0.78.7"]);
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &"UNCONN".into()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let rows = json(&["ls", "--unix"]);
    let path = path.to_str().unwrap();
    assert!(rows.iter().any(|row| row["local"].as_str().unwrap().starts_with(path)));
}

#[test]
fn chosen_columns_in_every_format() {
    // Of an address that nobody else has, so that nobody's row makes a column wider.
    let Connected { listener, client, port } = connected_at("127.0.78.1:0");
    let columns = ["--columns", "state,local,peer,pid", "--sort", "state"];
    let args = [&["ls", "--port", &port, "--address", "127.0.78.1"][..], &columns].concat();
    let (server, client) = (listener.local_addr().unwrap(), client.local_addr().unwrap());
    let csv = text(&[&args[..], &["--format", "csv"]].concat());
    let pid = std::process::id();
    // The kernel's end of the connection is not accepted yet, and so nobody's.
    let mut lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.remove(0), "state,local,peer,pid");
    lines.sort_unstable();
    assert!(lines[0].starts_with("ESTAB,") && lines[1].starts_with("ESTAB,"), "{csv}");
    assert!(csv.contains(&format!("ESTAB,{server},{client},\n")), "{csv}");
    assert!(csv.contains(&format!("ESTAB,{client},{server},")), "{csv}");
    assert!(lines[2].starts_with(&format!("LISTEN,{server},,")), "{csv}");
    assert!(lines[2].contains(&pid.to_string()), "{csv}");
    let table = text(&args);
    assert!(table.starts_with("STATE   LOCAL"), "{table}");
    assert!(table.lines().last().unwrap().starts_with(&format!("LISTEN  {server}")), "{table}");
    let reversed = text(&[&args[..], &["--reverse"]].concat());
    assert!(reversed.lines().nth(1).unwrap().starts_with("LISTEN"), "{reversed}");
}

#[test]
fn what_heads_a_column_names_it() {
    let csv = ["--format", "csv", "--pid", "4294967295", "--columns"];
    let header = |columns: &str| text(&[&["ls"], &csv[..], &[columns]].concat());
    let names = "transport,receive_queue,interface,pid,process,rtt_us,bytes_received\n";
    assert_eq!(header(names.trim_end()), names);
    let table = text(&["ls", "--pid", "4294967295", "--columns", names.trim_end()]);
    let headings: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(header(&headings.join(",")), names);
    assert_eq!(header(&names.trim_end().replace('_', "-")), names);
}

#[test]
fn details_come_where_they_are_asked_for() {
    let Connected { port, .. } = connected();
    let rows = json(&["ls", "--port", &port, "--state", "ESTAB", "--details"]);
    assert!(rows.iter().all(|row| row["rtt_us"].is_u64()), "{rows:?}");
    let csv = text(&["ls", "--port", &port, "--columns", "received,drops", "--format", "csv"]);
    assert!(csv.starts_with("bytes_received,drops\n"));
}

#[test]
fn a_table_of_nothing_has_its_header() {
    let none = text(&["ls", "--pid", "4294967295"]);
    assert_eq!(none.lines().count(), 1, "{none}");
    assert!(none.starts_with("PROTO") && none.contains("PROCESS"), "{none}");
    assert_eq!(json(&["ls", "--pid", "4294967295"]).len(), 0);
}

#[test]
fn a_summary_counts() {
    // As above, none of others is to be counted.
    let connected = connected_at("127.0.78.2:0");
    let _server = connected.listener.accept().unwrap();
    let at = ["--port", &connected.port, "--address", "127.0.78.2"];
    let rows = json(&[&["ls"], &at[..], &["--summary"]].concat());
    let counts: Vec<_> = rows.iter().map(|row| (&row["state"], &row["sockets"])).collect();
    assert_eq!(counts, [(&"ESTAB".into(), &2.into()), (&"LISTEN".into(), &1.into())]);
    assert_eq!(
        (&rows[0]["type"], &rows[0]["transport"]),
        (&"socket-summary".into(), &"tcp".into())
    );
    assert!(rows[0]["interrupted"].is_boolean(), "{rows:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in [
        &["ls", "--user", "no such user"][..],
        &["ls", "--state", "OPEN"],
        &["ls", "--columns", "colour"],
        &["ls", "--watch", "--format", "csv"],
        &["ls", "--watch", "--format", "table"],
        &["ls", "--watch", "-o", "csv:/dev/null"],
        &["ls", "--interval", "1s"],
        &["ls", "--watch", "--sort", "local"],
        &["ls", "--listening", "--state", "ESTAB"],
        &["ls", "--metrics", "127.0.0.1:0"],
        &["ls", "--watch", "--metrics", "0.0.0.0:0"],
        &["ls", "--pid", "0"],
        &["watch", "--pid", "0"],
    ] {
        let ended = run(args);
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{args:?}: {}", ended.stderr);
    }
    for command in [&["ls", "--watch"][..], &["watch"]] {
        for interval in ["0s", "1ns", "49ms", "61m", "1000y"] {
            let ended = run(&[command, &["--interval", interval]].concat());
            assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{}", ended.stderr);
            assert!(ended.stderr.contains("it must be from 50ms to 1h"), "{}", ended.stderr);
        }
    }
}
