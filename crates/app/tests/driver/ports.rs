//! Drives the real binary: its streams, its events, its signals, its end. Every wait has a deadline
//! that fails the test.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

/// No wait is that long but one that would never end.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The bytes so far, and whether they are all.
#[derive(Default)]
struct SoFar {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

/// What came out of a stream so far.
#[derive(Clone)]
pub(crate) struct Collected {
    shared: Arc<SoFar>,
    name: &'static str,
}

impl Collected {
    pub(crate) fn of(mut stream: impl Read + Send + 'static, name: &'static str) -> Self {
        let shared = Arc::<SoFar>::default();
        let collected = Self { shared: Arc::clone(&shared), name };
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                let mut state = shared.state.lock().unwrap();
                state.0.extend_from_slice(&buffer[..read]);
                state.1 = read == 0;
                shared.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        collected
    }

    /// Waits until the bytes so far, and whether they are all, are what `look` looks for.
    pub(crate) fn wait<T>(&self, mut look: impl FnMut(&[u8], bool) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.state.lock().unwrap();
        loop {
            if let Some(found) = look(&state.0, state.1) {
                return found;
            }
            let text = String::from_utf8_lossy(&state.0[..state.0.len().min(2000)]).into_owned();
            assert!(!state.1, "{} ended without what was waited for: {text}", self.name);
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{}: waited too long, so far: {text}", self.name);
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    pub(crate) fn until(&self, wanted: &[u8]) -> Vec<u8> {
        self.wait(|bytes, _| {
            bytes.windows(wanted.len()).any(|window| window == wanted).then(|| bytes.to_vec())
        })
    }

    pub(crate) fn whole(&self) -> Vec<u8> {
        self.wait(|bytes, ended| ended.then(|| bytes.to_vec()))
    }

    /// The `number`th line, from 0, that begins with `prefix`; without it.
    pub(crate) fn line(&self, prefix: &str, number: usize) -> String {
        self.wait(|bytes, _| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            whole
                .lines()
                .filter_map(|line| line.strip_prefix(prefix))
                .nth(number)
                .map(str::to_owned)
        })
    }

    /// The first JSON line of this type.
    pub(crate) fn event(&self, kind: &str) -> Value {
        self.wait(|bytes, _| {
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            lines
                .filter(|line| line.ends_with(b"\n"))
                .map(|line| serde_json::from_slice::<Value>(line).unwrap())
                .find(|value| value["type"] == kind)
        })
    }
}

/// A running `ports`; killed when it is dropped.
pub(crate) struct Ports {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    pub(crate) stdout: Collected,
    pub(crate) stderr: Collected,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ports {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_ports")).args(args))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        Self {
            input: child.stdin.take(),
            stdout: Collected::of(child.stdout.take().unwrap(), "standard output"),
            stderr: Collected::of(child.stderr.take().unwrap(), "standard error"),
            child,
        }
    }

    /// The `number`th address it says it listens on.
    pub(crate) fn listening(&self, number: usize) -> SocketAddr {
        address_of(&self.stderr.line("note: listening on ", number))
    }

    /// The `number`th address it says it forwards.
    pub(crate) fn forwarding(&self, number: usize) -> SocketAddr {
        let line = self.stderr.line("note: forwarding ", number);
        address_of(line.split_once(" to ").unwrap().0)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        drop(self.input.take());
    }

    /// Writes all of it, then ends the input, from a thread of its own.
    pub(crate) fn feed(&mut self, bytes: Vec<u8>) -> JoinHandle<std::io::Result<()>> {
        let mut input = self.input.take().unwrap();
        std::thread::spawn(move || input.write_all(&bytes))
    }

    /// As [`Self::feed`]; counts what is written.
    pub(crate) fn feed_counted(
        &mut self,
        bytes: Vec<u8>,
    ) -> (JoinHandle<std::io::Result<()>>, Arc<AtomicU64>) {
        let (mut input, written) = (self.input.take().unwrap(), Arc::<AtomicU64>::default());
        let counted = Arc::clone(&written);
        let feeding = std::thread::spawn(move || {
            for piece in bytes.chunks(4096) {
                input.write_all(piece)?;
                counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            Ok(())
        });
        (feeding, written)
    }

    /// As [`Self::feed`], but its standard input ends only when the writer it gives back is dropped.
    pub(crate) fn feed_on(&mut self, bytes: Vec<u8>) -> JoinHandle<std::io::Result<ChildStdin>> {
        let mut input = self.input.take().unwrap();
        std::thread::spawn(move || input.write_all(&bytes).map(|()| input))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As [`signal`](Self::signal), to one that may have ended by itself: its number is its own until it
    /// is waited for.
    pub(crate) fn signal_if_alive(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Stops all of it, until `SIGCONT`.
    pub(crate) fn stop(&self) {
        stop(&self.child);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let (stdout, stderr) = (self.stdout.whole(), self.stderr.whole());
        let stderr = String::from_utf8(stderr).unwrap();
        // Its streams are closed: it has ended, or is about to.
        Ended { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stops a process; back once none of its threads runs, which is later than the signal.
pub(crate) fn stop(child: &Child) {
    let process = Pid::from_child(child);
    kill_process(process, Signal::STOP).unwrap();
    waitid(WaitId::Pid(process), WaitIdOptions::STOPPED).unwrap().unwrap();
}

fn address_of(endpoint: &str) -> SocketAddr {
    let address = endpoint.split_once("://").unwrap().1;
    address.split('?').next().unwrap().parse().unwrap()
}

/// Runs it to its end, without input.
pub(crate) fn run(args: &[&str]) -> Ended {
    let mut ports = Ports::start(args);
    ports.end_input();
    ports.end()
}

/// A client whose reads have the deadline.
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub(crate) fn read_exactly(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Bytes of every value, in no short period.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(step).collect()
}
