//! Several ports in one call.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::driver::{Collected, run};
use super::nobody::Nobody;
use super::question::{answer, ports};
use super::{Holder, MEEK, alone, kill, signal};

#[test]
fn the_holders_of_all_are_ended() {
    let _alone = alone();
    let mut holders = [Holder::start(MEEK), Holder::start(MEEK)];
    let ports = [holders[0].port.clone(), format!(":{}", holders[1].port)];
    let (code, rows, stderr) = kill(&[&ports[0], &ports[1], &ports[0], "--yes"]);
    assert_eq!((code, rows.len()), (Some(0), 2), "{stderr}");
    assert!(rows.iter().all(|row| row["outcome"] == "ended"), "{rows:?}");
    for holder in &mut holders {
        assert_eq!(signal(holder), Some(rustix::process::Signal::TERM.as_raw()));
    }
}

#[test]
fn who_holds_two_of_them_is_ended_once() {
    let _alone = alone();
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let [input, error] = listeners.map(OwnedFd::from);
    let mut child = Command::new("sh")
        .args(["-c", "echo ready; exec sleep 600"])
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(error)
        .spawn()
        .unwrap();
    Collected::of(child.stdout.take().unwrap(), "the holder").until(b"ready\n");
    let mut holder = Holder { child, port: String::new() };
    let words = addresses.map(|address| format!("{}/tcp", address.port()));
    let (code, rows, stderr) = kill(&[&words[0], &words[1], "--yes"]);
    assert_eq!((code, rows.len()), (Some(0), 1), "{stderr}");
    let sockets = addresses.map(|address| format!("tcp {address}"));
    assert_eq!(rows[0]["sockets"], serde_json::json!(sockets));
    assert_eq!(signal(&mut holder), Some(rustix::process::Signal::TERM.as_raw()));
}

#[test]
fn it_asks_once_for_all() {
    let _alone = alone();
    let mut holders = [Holder::start(MEEK), Holder::start(MEEK)];
    let words = holders.each_ref().map(|holder| holder.port.as_str());
    let answered = answer(ports(), &words, b"y\n");
    assert_eq!(answered.status.code(), Some(0), "{}", answered.shown);
    assert_eq!(answered.shown.matches("End them? [y/N]").count(), 1, "{}", answered.shown);
    for holder in &mut holders {
        assert!(answered.shown.contains(&format!("sleep (process {}) of ", holder.child.id())));
        assert_eq!(signal(holder), Some(rustix::process::Signal::TERM.as_raw()));
    }
}

#[test]
fn one_that_nobody_holds_is_told_and_the_others_are_ended() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    // A leased port that nobody binds, so that nobody takes it meanwhile.
    let program = env!("CARGO_BIN_EXE_ports");
    let script = format!("exec {program} kill {} $PORT/udp --yes --format csv", holder.port);
    let ended = run(&["lease", "--udp", "--range", "3360-3379", "--", "sh", "-c", &script]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("nobody waits at udp port 33"), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.contains(",ended,"), "{text}");
    assert_eq!(signal(&mut holder), Some(rustix::process::Signal::TERM.as_raw()));
}

#[test]
fn one_that_is_spared_spares_all() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let spared = format!("{}/tcp", listener.local_addr().unwrap().port());
    let (code, rows, stderr) = kill(&[&holder.port, &spared, "--yes"]);
    assert_eq!((code, rows.len()), (Some(2), 0), "{stderr}");
    assert!(stderr.contains("started by") && stderr.contains("--force"), "{stderr}");
    assert!(holder.child.try_wait().unwrap().is_none());
}

#[test]
#[ignore = "needs root: to be another user than root"]
fn what_may_not_be_ended_keeps_nobody_from_the_others() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let nobody = Nobody::new();
    let own = nobody.start(&["listen", "127.0.0.1:0", "--service", "discard", "--events", "-"]);
    let listening = own.stdout.event("listening");
    let endpoint = listening["endpoint"].as_str().unwrap();
    let port = format!("{}/tcp", endpoint.rsplit_once(':').unwrap().1);
    let ended = nobody.run(&["kill", &holder.port, &port, "--yes", "--format", "csv"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("run as root"), "{}", ended.stderr);
    let rows = String::from_utf8(ended.stdout).unwrap();
    assert!(rows.contains(&format!("\n{},ports,", own.child.id())), "{rows}");
    assert_eq!(rows.matches(",ended,").count(), 1, "{rows}");
    assert!(holder.child.try_wait().unwrap().is_none());
    own.end();
}
