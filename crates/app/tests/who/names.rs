//! Ports by the names of their services, in all commands that take one of this machine.

use std::net::TcpListener;

use ports_core::{PortSet, ServiceTable, Transport};
use serde_json::Value;

use super::driver::{Ended, run};

/// Listeners at two ports of a service that has so many, or at the one of one that has only one:
/// whichever are free.
fn listeners(many: bool) -> (Vec<TcpListener>, &'static str) {
    for service in ServiceTable.iter().filter(|service| service.transport == Transport::Tcp).rev() {
        let named = ServiceTable.by_name(service.name);
        let ports: PortSet = named.map(|service| service.port).collect();
        let wanted = if many { 2 } else { 1 };
        if (ports.len() > 1) != many || ports.iter().any(|port| port.number() < 1024) {
            continue;
        }
        let bound = ports
            .iter()
            .take(wanted)
            .map_while(|port| TcpListener::bind(("127.0.0.1", port.number())).ok());
        let bound: Vec<TcpListener> = bound.collect();
        if bound.len() == wanted {
            return (bound, service.name);
        }
    }
    panic!("no port that has a name is free");
}

fn rows(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let Ended { code, stdout, .. } = run(&[args, &["--format", "jsonl"]].concat());
    let text = String::from_utf8(stdout).unwrap();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn a_name_is_the_port_of_its_service() {
    let (bound, name) = listeners(false);
    let address = bound[0].local_addr().unwrap();
    let own = Value::from(std::process::id());
    for args in [&["who", name][..], &["ls", "--process", "--listening", "--port", name]] {
        let (code, rows) = rows(args);
        let row = rows.iter().find(|row| row["processes"][0]["pid"] == own).unwrap();
        assert_eq!((code, &row["local"]), (Some(0), &address.to_string().into()), "{args:?}");
    }
    let (code, told) = rows(&["doctor", &name.to_uppercase(), "--address", "127.0.0.1"]);
    assert_eq!((code, &told[0]["address"]), (Some(1), &address.to_string().into()), "{told:?}");
    let (code, told) = rows(&["kill", name, "--dry-run"]);
    let is_own = |row: &Value| row["pid"] == own;
    assert!(code == Some(0) && told.iter().any(is_own), "{told:?}");
}

#[test]
fn of_a_name_with_several_ports_all_are_shown_and_none_is_ended() {
    let (bound, name) = listeners(true);
    let (code, told) = rows(&["who", name]);
    assert_eq!(code, Some(0));
    for listener in &bound {
        let address = Value::from(listener.local_addr().unwrap().to_string());
        assert!(told.iter().any(|row| row["local"] == address), "{told:?}");
    }
    let ended = run(&["kill", name, "--yes"]);
    assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("several are held: say which ("), "{}", ended.stderr);
}
