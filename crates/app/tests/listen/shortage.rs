//! A pipe that cannot accept waits until it can.

use std::io::Write;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::ANY;
use crate::driver::{Ports, client, read_exactly};

fn limit_descriptors(ports: &Ports, current: Option<u64>) -> Rlimit {
    let limit = Rlimit { current, maximum: Some(1024) };
    prlimit(Some(Pid::from_child(&ports.child)), Resource::Nofile, limit).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_without_descriptors_waits_for_them() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["listen", ANY, "--events", path]);
    let address = ports.listening(0);
    limit_descriptors(&ports, Some(3));
    let mut peer = client(address);
    ports.stderr.until(b"cannot accept a connection");
    limit_descriptors(&ports, Some(1024));
    peer.write_all(b"after all").unwrap();
    drop(peer);
    ports.stdout.until(b"after all");
    ports.end_input();
    let ended = ports.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("cannot accept").count(), 1, "{}", ended.stderr);
    let text = std::fs::read_to_string(path).unwrap();
    let kinds = ["listening", "error", "accept-resumed", "connected"];
    for (line, kind) in text.lines().zip(kinds) {
        assert!(line.contains(&format!(r#""type":"{kind}""#)), "{kind}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_without_descriptors_can_be_stopped() {
    let ports = Ports::start(&["listen", ANY]);
    let address = ports.listening(0);
    limit_descriptors(&ports, Some(3));
    let peer = client(address);
    ports.stderr.until(b"cannot accept a connection");
    ports.signal(Signal::INT);
    assert_eq!(ports.end().code, Some(130));
    drop(peer);
}

/// A service says it as a pipe does: once, as a note, and nothing of it with `--quiet`.
#[cfg(target_os = "linux")]
#[test]
fn a_service_without_descriptors_says_so_once_and_when_it_is_over() {
    for quiet in [false, true] {
        let args = ["listen", ANY, "--service", "echo", "--events", "-"];
        let quietly: &[&str] = if quiet { &["--quiet"] } else { &[] };
        let ports = Ports::start(&[&args[..], quietly].concat());
        let endpoint = ports.stdout.event("listening")["endpoint"].as_str().unwrap().to_owned();
        let address = endpoint.strip_prefix("tcp://").unwrap().parse().unwrap();
        limit_descriptors(&ports, Some(3));
        let waits = client(address);
        ports.stdout.event("error");
        limit_descriptors(&ports, Some(1024));
        let mut peer = client(address);
        ports.stdout.event("accept-resumed");
        peer.write_all(b"after all").unwrap();
        assert_eq!(read_exactly(&mut peer, 9), b"after all");
        drop((peer, waits));
        ports.signal(Signal::INT);
        let ended = ports.end();
        assert_eq!(ended.code, Some(130));
        let said: Vec<_> = ended.stderr.lines().filter(|line| line.contains("accept")).collect();
        if quiet {
            assert_eq!(ended.stderr, "");
        } else {
            let [begin, end] = said[..] else { panic!("{}", ended.stderr) };
            assert!(begin.starts_with("note: cannot accept connections: "), "{begin}");
            assert!(end.starts_with("note: accepting again, after "), "{end}");
        }
    }
}
