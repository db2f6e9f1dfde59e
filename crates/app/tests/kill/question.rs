//! The question before a process is ended, on a real terminal.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Signal;

use super::driver::Collected;
use super::pty::terminal;
use super::{Holder, MEEK, alone};

/// How a command ended that was asked on a terminal, and what that showed.
pub(super) struct Answered {
    pub(super) status: ExitStatus,
    stdout: Vec<u8>,
    pub(super) shown: String,
}

/// Runs `ports kill`, and types `answer` once it is asked.
pub(super) fn answer(mut command: Command, ports: &[&str], answer: &[u8]) -> Answered {
    let (mut controller, terminal) = terminal();
    let screen = Collected::of(controller.try_clone().unwrap(), "the terminal");
    let mut child = command
        .arg("kill")
        .args(ports)
        .args(["--format", "jsonl"])
        .stdin(terminal.try_clone().unwrap())
        .stderr(terminal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its copies of the terminal: without them, the end of the program is the end of what is shown.
    drop(command);
    let stdout = Collected::of(child.stdout.take().unwrap(), "standard output");
    screen.until(b"[y/N] ");
    controller.write_all(answer).unwrap();
    let stdout = stdout.whole();
    let shown = String::from_utf8(screen.whole()).unwrap();
    Answered { status: child.wait().unwrap(), stdout, shown }
}

pub(super) fn ports() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ports"))
}

#[test]
fn only_a_yes_ends_the_holder() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    // The last one is the end of the input.
    for no in [&b"n\n"[..], b"\n", b"yup\n", b"\x04"] {
        let Answered { status, stdout, shown } = answer(ports(), &[&holder.port], no);
        assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{shown}");
        assert!(holder.child.try_wait().unwrap().is_none());
        let socket = holder.port.trim_end_matches("/tcp");
        let question = format!("sleep (process {}) of ", holder.child.id());
        assert!(shown.contains(&question) && shown.contains(socket), "{shown}");
        assert!(shown.contains("End it? [y/N]"), "{shown}");
    }
    let Answered { status, stdout, shown } = answer(ports(), &[&holder.port], b" Yes \n");
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(String::from_utf8(stdout).unwrap().contains("\"outcome\":\"ended\""));
    assert_eq!(holder.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
}

#[test]
#[ignore = "needs setsid, of util-linux: to give the program the terminal"]
fn ctrl_c_is_a_no() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    // A shell's background has Ctrl-C ignored, and passes that on.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", "setsid", "--ctty", env!("CARGO_BIN_EXE_ports")]);
    let Answered { status, stdout, shown } = answer(command, &[&holder.port], b"\x03");
    assert_eq!((status.signal(), stdout.len()), (Some(Signal::INT.as_raw()), 0), "{shown}");
    assert!(holder.child.try_wait().unwrap().is_none());
}
