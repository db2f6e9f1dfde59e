//! The real binary: `ports kill`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "kill/aftermath.rs"]
mod aftermath;
#[path = "kill/docker.rs"]
mod docker;
#[path = "driver/ports.rs"]
mod driver;
#[path = "driver/docker.rs"]
mod engine;
#[path = "driver/full_pipe.rs"]
mod full_pipe;
#[path = "driver/nobody.rs"]
mod nobody;
#[path = "driver/pty.rs"]
mod pty;
#[path = "kill/question.rs"]
mod question;
#[path = "kill/several.rs"]
mod several;
#[path = "kill/systemd.rs"]
mod systemd;
#[path = "kill/unread.rs"]
mod unread;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use driver::{Collected, run};
use nobody::Nobody;
use serde_json::Value;

/// One test at a time: a program that another one starts has copies of all sockets of this process
/// until it is what it is to be.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that holds a listener, and nobody else does.
struct Holder {
    child: Child,
    port: String,
}

impl Holder {
    /// Runs a script, whose standard input is the listener, until it says that it is ready and has become
    /// `sleep`.
    fn start(script: &str) -> Self {
        let holder = Self::ready(script);
        let name = format!("/proc/{}/comm", holder.child.id());
        let deadline = Instant::now() + driver::DEADLINE;
        while std::fs::read_to_string(&name).unwrap() != "sleep\n" {
            assert!(Instant::now() < deadline, "waited too long for the shell to become another");
            // There is no event to wait for: it is asked again.
            std::thread::sleep(Duration::from_millis(1));
        }
        holder
    }

    /// The same, until it says that it is ready.
    fn ready(script: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Collected::of(child.stdout.take().unwrap(), "the holder").until(b"ready\n");
        Self { child, port: format!("{port}/tcp") }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends by any signal, also where Ctrl-C was ignored from the start, as in the background of a script.
const MEEK: &str = "exec env --default-signal=INT sh -c 'echo ready; exec sleep 600'";
/// Ignores what can be ignored, and its child does, too.
const STUBBORN: &str = "trap '' TERM INT HUP; echo ready; exec sleep 600";

fn kill(args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let ended = run(&[&["kill"], args, &["--format", "jsonl"]].concat());
    let text = String::from_utf8(ended.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (ended.code, rows, ended.stderr)
}

#[test]
fn a_holder_ends_when_it_is_asked() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let pid = holder.child.id();
    let (code, rows, stderr) = kill(&[&holder.port, "--yes"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["type"], &rows[0]["pid"]), (&"kill".into(), &pid.into()));
    assert_eq!((&rows[0]["name"], &rows[0]["outcome"]), (&"sleep".into(), &"ended".into()));
    assert_eq!(rustix::process::Signal::TERM.as_raw(), signal(&mut holder).unwrap());
    assert_eq!(kill(&[&holder.port, "--yes"]).0, Some(1));
}

#[test]
fn one_that_does_not_end_is_killed() {
    let _alone = alone();
    let mut holder = Holder::start(STUBBORN);
    let (code, rows, stderr) = kill(&[&holder.port, "--yes", "--timeout", "50ms"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(0), &"killed".into()), "{stderr}");
    assert_eq!(rustix::process::Signal::KILL.as_raw(), signal(&mut holder).unwrap());
}

#[test]
fn one_that_lets_go_of_the_port_lives_on() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    // Without a child, which would have the listener, too.
    let script = format!(
        "mkfifo {0} && exec 3<>{0} && trap 'exec </dev/null' TERM && echo ready && \
         while :; do read -r line <&3; done",
        fifo.display()
    );
    let mut holder = Holder::ready(&script);
    let (code, rows, stderr) = kill(&[&holder.port, "--yes"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(0), &"freed".into()), "{stderr}");
    assert_eq!(rows[0]["elapsed_ms"], Value::Null);
    let number = holder.port.trim_end_matches("/tcp");
    let told = format!(" has let go of tcp port {number}, and goes on\n");
    assert!(stderr.ends_with(&told), "{stderr}");
    assert!(holder.child.try_wait().unwrap().is_none());
}

#[test]
fn the_signal_is_the_users() {
    let _alone = alone();
    for name in ["int", "SIGINT", "2"] {
        let mut holder = Holder::start(MEEK);
        let (code, _, stderr) = kill(&[&holder.port, "--yes", "--signal", name]);
        assert_eq!(code, Some(0), "{name}: {stderr}");
        assert_eq!(rustix::process::Signal::INT.as_raw(), signal(&mut holder).unwrap());
    }
    let (code, _, stderr) = kill(&["1", "--yes", "--signal", "SIGUSR1"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("SIGUSR1") && stderr.contains("TERM, INT"), "{stderr}");
}

#[test]
fn nobody_is_ended_unasked() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let before = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&before, "of an earlier run").unwrap();
    let file = format!("csv:{}", before.path().display());
    let (code, rows, stderr) = kill(&[&holder.port, "-o", &file]);
    assert_eq!((code, rows.len()), (Some(2), 0), "{stderr}");
    assert_eq!(std::fs::read_to_string(&before).unwrap(), "of an earlier run");
    assert!(stderr.contains("--yes") && stderr.contains("sleep (process "), "{stderr}");
    let (code, rows, _) = kill(&[&holder.port, "--dry-run"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(0), &"would-end".into()));
    assert!(holder.child.try_wait().unwrap().is_none());
}

#[test]
fn those_it_was_started_by_are_spared() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("{}/tcp", listener.local_addr().unwrap().port());
    let (code, _, stderr) = kill(&[&port, "--yes"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("started by") && stderr.contains("--force"), "{stderr}");
    let (code, rows, _) = kill(&[&port, "--dry-run"]);
    assert_eq!((code, &rows[0]["outcome"]), (Some(0), &"spared".into()));
}

#[test]
#[ignore = "needs root: to be another user than root"]
fn another_users_process_is_not_ended() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let ended = Nobody::new().run(&["kill", &holder.port, "--yes"]);
    assert_eq!((ended.code, ended.stdout.len()), (Some(3), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("run as root"), "{}", ended.stderr);
    assert!(holder.child.try_wait().unwrap().is_none());
}

/// The signal that it ended by.
fn signal(holder: &mut Holder) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt as _;
    holder.child.wait().unwrap().signal()
}
