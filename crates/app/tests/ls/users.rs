//! `ports ls` as another user than root: what it cannot see, it says.

use std::net::TcpListener;

use serde_json::Value;

use super::driver::Ended;
use super::nobody::Nobody;

/// The rows by port.
fn row(rows: &[Value], port: u16) -> &Value {
    let is_it = |row: &&Value| row["local"].as_str().unwrap().ends_with(&format!(":{port}"));
    rows.iter().find(is_it).unwrap_or_else(|| panic!("no {port} in {rows:?}"))
}

fn rows(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = std::str::from_utf8(&ended.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "needs root: to be another user than root, and a /proc of its own"]
fn sockets_of_other_users_are_shown_and_counted() {
    let ours = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let ours = ours.each_ref().map(|listener| listener.local_addr().unwrap().port());
    let nobody = Nobody::new();
    let theirs = nobody.start(&["listen", "tcp://127.0.0.1:0", "--service", "discard"]);
    let their = theirs.listening(0).port();
    let ports = format!("{},{},{their}", ours[0], ours[1]);
    let args = ["ls", "--tcp", "--listening", "--port", &ports, "--process"];
    let as_json = [&args[..], &["--format", "jsonl"]].concat();

    for (ended, why) in [
        (nobody.run(&as_json), "of other users may be looked into by root only"),
        (nobody.run_hidden(&as_json), "/proc shows the processes of other users to root only"),
    ] {
        let rows = rows(&ended);
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert_eq!(row(&rows, their)["processes"][0]["pid"], theirs.child.id());
        for port in ours {
            let row = row(&rows, port);
            assert_eq!((&row["uid"], &row["user"]), (&0.into(), &"root".into()), "{row}");
            assert_eq!(row["no_process"], "not-permitted", "{row}");
        }
        let note = "who holds 2 sockets cannot be seen: ";
        assert!(ended.stderr.contains(note) && ended.stderr.contains(why), "{}", ended.stderr);
    }
    // The table has a mark in the place of the process.
    let table = String::from_utf8(nobody.run(&args).stdout).unwrap();
    let words = |line: &str| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let marked = table.lines().filter(|line| words(line).ends_with(" root ? ?"));
    assert_eq!(marked.count(), 2, "{table}");
}
