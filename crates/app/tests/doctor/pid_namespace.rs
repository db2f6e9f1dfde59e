//! Holders in another PID namespace: root sees them as little as others do.

use std::net::TcpListener;
use std::process::Command;

use super::alone;
use super::driver::{Ended, Ports};

const NOT_VISIBLE: &str = "not visible from this PID namespace";

/// Runs `ports` in a PID namespace of its own.
fn inside(more: &[&str], args: &[&str]) -> Ended {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork"]).args(more).arg(env!("CARGO_BIN_EXE_ports")).args(args);
    let mut ports = Ports::spawn(&mut command);
    ports.end_input();
    ports.end()
}

#[test]
#[ignore = "needs root: a PID namespace"]
fn a_holder_outside_is_told_as_such() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let doctor = inside(&["--mount-proc"], &["doctor", &port, "--address", "127.0.0.1"]);
    let told = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.code, Some(1), "{}", doctor.stderr);
    assert!(told.contains("somebody of root who is ") && told.contains(NOT_VISIBLE), "{told}");
    assert!(!told.contains("as root"), "{told}");
    let lease = inside(&["--mount-proc"], &["lease", "--port", &port, "--", "true"]);
    assert_eq!(lease.code, Some(125));
    assert!(lease.stderr.contains("a process of root that is not visible"), "{}", lease.stderr);
    let kill = inside(&["--mount-proc"], &["kill", &port, "--yes"]);
    assert_eq!(kill.code, Some(4), "{}", kill.stderr);
    assert!(kill.stderr.contains("in another PID namespace"), "{}", kill.stderr);
}

#[test]
#[ignore = "needs root: a PID namespace"]
fn a_list_of_sockets_marks_holders_outside() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let args = ["ls", "--tcp", "--listening", "--port", &port, "--process"];
    let table = inside(&["--mount-proc"], &args);
    let told = String::from_utf8(table.stdout).unwrap();
    let words: Vec<&str> = told.split_ascii_whitespace().collect();
    assert!(words.ends_with(&["root", "?", "?"]), "{told}");
    let note = format!("who holds 1 socket is {NOT_VISIBLE}");
    assert!(table.stderr.contains(&note), "{}", table.stderr);
    let rows = inside(&["--mount-proc"], &[&args[..], &["--format", "jsonl"]].concat());
    let row: serde_json::Value = serde_json::from_slice(&rows.stdout).unwrap();
    assert_eq!(
        (&row["no_process"], row["processes"].as_array().unwrap().len()),
        (&"elsewhere".into(), 0)
    );
}

#[test]
#[ignore = "needs root: a PID namespace"]
fn nobody_is_ended_by_a_number_of_another_namespace() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // `/proc` is still that of the namespace outside.
    for more in ["--yes", "--dry-run"] {
        let kill = inside(&[], &["kill", &port, more]);
        assert_eq!((kill.code, kill.stdout.len()), (Some(4), 0), "{}", kill.stderr);
        assert!(kill.stderr.contains("/proc is not that of this PID"), "{}", kill.stderr);
    }
}
