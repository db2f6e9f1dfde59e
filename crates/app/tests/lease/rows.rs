//! `ports leases` and `ports free`, and a name that is squatted.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

use serde_json::Value;

use super::driver::{Ports, run};
use super::port_of;

fn leases(port: u16) -> Vec<Value> {
    let ended = run(&["leases", "--format", "jsonl"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["port"] == port).collect()
}

#[test]
fn leases_are_listed_with_who_holds_them() {
    let args = ["lease", "--tcp", "--udp", "--name", "web", "--range", "3300-3319"];
    let mut ports =
        Ports::start(&[&args[..], &["--", "sh", "-c", "echo $PORT; exec cat"]].concat());
    let port = port_of(&ports);
    // The shell has become it.
    ports.write(b"cat\n");
    ports.stdout.until(b"cat\n");
    let rows = leases(port);
    assert_eq!(rows.len(), 2);
    let pid = ports.child.id();
    for (row, transport) in rows.iter().zip(["tcp", "udp"]) {
        assert_eq!((&row["type"], &row["transport"]), (&"lease".into(), &transport.into()));
        assert_eq!((&row["lease"], &row["name"]), (&true.into(), &"web".into()));
        assert_eq!((&row["taken_by"], &row["processes"][0]["pid"]), (&pid.into(), &pid.into()));
        assert_eq!(row["processes"][0]["name"], "cat");
        assert_eq!(row["uid"], rustix::process::getuid().as_raw());
        assert!(row["since_ms"].as_u64().unwrap() > 1_700_000_000_000);
    }
    let table = String::from_utf8(run(&["leases"]).stdout).unwrap();
    assert!(table.starts_with("PORT "), "{table}");
    let row = table.lines().find(|line| line.starts_with(&format!("{port}/udp"))).unwrap();
    assert!(row.contains(" web ") && row.contains(&format!(" {pid} ")), "{row}");
    let csv = String::from_utf8(run(&["leases", "--format", "csv"]).stdout).unwrap();
    assert!(csv.starts_with("port,transport,lease,name,uid,user,taken_by,since_ms,pids,process\n"));
    assert!(csv.contains(&format!("{port},tcp,true,web,")), "{csv}");
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
    assert_eq!(leases(port), [Value::Null; 0]);
}

#[test]
fn a_squatted_name_is_skipped_and_said() {
    // Both ports of a range but for the second are out: one is squatted.
    let name = "ports-lease/tcp/3330";
    let _squatter =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    // Copies in programs that other tests are starting may be there, too, and be named first.
    let who = format!("(process {}), which is no lease", std::process::id());
    let says_who = |text: &str| text.contains(&who) || text.contains(" more, which is no lease");
    // The name decides where the search begins: some of these begin at the squatted one.
    let mut said = 0;
    for number in 0..20 {
        let name = format!("n{number}");
        let ended =
            run(&["lease", "--range", "3330-3331", "--name", &name, "--", "printenv", "PORT"]);
        assert_eq!(
            (ended.code, ended.stdout.as_slice()),
            (Some(0), &b"3331\n"[..]),
            "{}",
            ended.stderr
        );
        if ended.stderr.contains("tcp port 3330 was skipped") {
            assert!(says_who(&ended.stderr), "{}", ended.stderr);
            said += 1;
        }
    }
    assert!(said > 0);
    let exact = run(&["lease", "--port", "3330", "--", "true"]);
    assert_eq!(exact.code, Some(125));
    assert!(says_who(&exact.stderr), "{}", exact.stderr);
    let rows = leases(3330);
    assert_eq!((&rows[0]["lease"], &rows[0]["taken_by"]), (&false.into(), &Value::Null));
}

#[test]
fn a_free_port_is_a_bare_number_and_a_hint() {
    let ended = run(&["free", "--count", "2", "--range", "3340-3359"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    let numbers: Vec<u16> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.len() == 2 && numbers[0] + 1 == numbers[1], "{text}");
    assert!(ended.stderr.contains("only a hint"), "{}", ended.stderr);
    assert_eq!(run(&["free", "-q"]).stderr, "");

    let json = run(&["free", "--tcp", "--udp", "--format", "jsonl"]).stdout;
    let row: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&row["type"], &row["transports"]),
        (&"free".into(), &serde_json::json!(["tcp", "udp"]))
    );
    let csv = String::from_utf8(run(&["free", "--format", "csv"]).stdout).unwrap();
    assert!(csv.starts_with("port,transports\n") && csv.ends_with(",tcp\n"), "{csv}");
    let none = run(&["free", "--range", "3340-3341", "--count", "3"]);
    assert_eq!(none.code, Some(4));
}

#[test]
fn free_says_what_lease_says_of_the_kernels_own_range() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let last: u16 = range.split_ascii_whitespace().last().unwrap().parse().unwrap();
    let range = format!("{}-{last}", last - 20);
    let free = run(&["free", "--range", &range]);
    assert_eq!(free.code, Some(0), "{}", free.stderr);
    let lease = run(&["lease", "--range", &range, "--", "true"]);
    for text in [free.stderr, lease.stderr] {
        assert!(text.contains("in the kernel's ephemeral range"), "{text}");
    }
}

#[test]
#[ignore = "needs root: setpriv, and a network namespace of its own"]
fn privileged_ports_are_not_permitted() {
    let mut command = Command::new("unshare");
    command.args(["--net", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    let mut ports =
        Ports::spawn(command.arg(env!("CARGO_BIN_EXE_ports")).args(["free", "--range", "1-100"]));
    ports.end_input();
    let ended = ports.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(3), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("100 privileged (root may bind those)"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root: a network namespace of its own"]
fn no_leases_are_said_and_no_rows_written() {
    for (format, out) in [
        ("table", ""),
        ("jsonl", ""),
        ("csv", "port,transport,lease,name,uid,user,taken_by,since_ms,pids,process\n"),
    ] {
        let mut command = Command::new("unshare");
        command.args(["--net", env!("CARGO_BIN_EXE_ports"), "leases", "--format", format]);
        let mut ports = Ports::spawn(&mut command);
        ports.end_input();
        let ended = ports.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "note: no leases\n"));
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), out);
    }
}
