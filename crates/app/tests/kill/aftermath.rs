//! What comes after the signal: somebody takes the port again, or the user stops waiting.

use rustix::process::Signal;
use serde_json::Value;

use super::driver::{Ended, Ports, run, stop};
use super::{Holder, MEEK, alone, kill};

/// Starts a server again and again, and lets a moment pass before. No server outlives the test by long.
const SUPERVISOR: &str = "while :; do \
     timeout 100 \"$0\" listen tcp://127.0.0.1:$PORT --service discard; sleep 0.2; done";

#[test]
fn one_that_is_started_again_late_is_seen() {
    let _alone = alone();
    let lease = ["lease", "--range", "3440-3459", "--", "sh", "-c", SUPERVISOR];
    let supervisor = Ports::start(&[&lease[..], &[env!("CARGO_BIN_EXE_ports")]].concat());
    let port = format!("{}/tcp", supervisor.listening(0).port());
    // As long as it takes, on a machine that is busy.
    let (code, rows, stderr) = kill(&[&port, "--yes", "--settle", "60s"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(1), &"ended".into()), "{stderr}");
    let again = "is held again by ports (process ";
    assert!(stderr.contains(again) && stderr.contains("(started by timeout "), "{stderr}");
    // Without its supervisor it stays away.
    drop(supervisor);
    let (code, rows, stderr) = kill(&[&port, "--yes"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(0), &"ended".into()), "{stderr}");
    assert_eq!(stderr, "");
}

#[test]
fn an_interrupted_wait_says_what_was_done() {
    let _alone = alone();
    let holder = Holder::start(MEEK);
    // It does not even hear that it is to end.
    stop(&holder.child);
    let pid = holder.child.id();
    let number = holder.port.trim_end_matches("/tcp");
    for (stop, expected) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let args = ["kill", &holder.port, "--yes", "-v", "--timeout", "1h", "--format", "jsonl"];
        let ports = Ports::start(&args);
        ports.stderr.until(b"note: SIGTERM was sent to ");
        ports.signal(stop);
        let Ended { code, stdout, stderr } = ports.end();
        assert_eq!(code, Some(expected), "{stderr}");
        let row: Value = serde_json::from_slice(&stdout).unwrap();
        assert_eq!((&row["pid"], &row["outcome"]), (&pid.into(), &"signalled".into()));
        let sent =
            stderr.lines().find(|line| line.contains("interrupted: SIGTERM was sent to ")).unwrap();
        assert!(sent.contains(&format!("(process {pid})")), "{stderr}");
        assert!(sent.ends_with(&format!("; it still holds tcp port {number}")), "{stderr}");
    }
    let args = ["kill", &holder.port, "--dry-run", "--format", "jsonl"];
    assert_eq!(run(&args).code, Some(0), "it is there still");
}

#[test]
fn a_watch_that_is_interrupted_says_so() {
    let _alone = alone();
    let holder = Holder::start(MEEK);
    let ports =
        Ports::start(&["kill", &holder.port, "--yes", "--settle", "1h", "--format", "jsonl"]);
    // It is written before the port is watched.
    assert_eq!(ports.stdout.event("kill")["outcome"], "ended");
    ports.signal(Signal::INT);
    let Ended { code, stderr, .. } = ports.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("whether tcp port ") && stderr.contains("not waited for"), "{stderr}");
}
