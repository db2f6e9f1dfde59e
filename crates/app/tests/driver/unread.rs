//! A running `ports` whose standard output nobody reads.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::driver::Collected;

/// See the module's first line; killed when it is dropped.
pub(crate) struct Unread {
    child: Child,
    input: Option<ChildStdin>,
    /// Open, and not read.
    stdout: Option<ChildStdout>,
    stderr: Collected,
}

impl Unread {
    /// So many bytes do not fit into a pipe (pipe(7)).
    pub(crate) const MORE_THAN_A_PIPE: usize = 100 * 1024;

    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: Collected::of(child.stderr.take().unwrap(), "standard error"),
            child,
        }
    }

    pub(crate) fn listening(&self) -> SocketAddr {
        self.stderr.line("note: listening on tcp://", 0).parse().unwrap()
    }

    /// From now on nobody could read it.
    pub(crate) fn reader_leaves(&mut self) {
        drop(self.stdout.take());
    }

    pub(crate) fn listening_udp(&self) -> SocketAddr {
        self.stderr.line("note: listening on udp://", 0).parse().unwrap()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        drop(self.input.take());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, with this code; what it said.
    pub(crate) fn end(mut self, code: i32) -> String {
        let said = String::from_utf8(self.stderr.whole()).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{said}");
        said
    }

    /// As [`Self::end`], with as many signals as that takes.
    pub(crate) fn signal_until_it_ends(mut self, signal: Signal, code: i32) -> String {
        while self.child.try_wait().unwrap().is_none() {
            self.signal(signal);
            std::thread::yield_now();
        }
        self.end(code)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
