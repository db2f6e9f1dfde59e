//! Standard input and output that another process has made non-blocking.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::driver::{Ports, noise};

fn non_blocking_pipe() -> (OwnedFd, OwnedFd) {
    let ends = pipe_with(PipeFlags::CLOEXEC).unwrap();
    for end in [&ends.0, &ends.1] {
        rustix::io::ioctl_fionbio(end, true).unwrap();
    }
    ends
}

/// Writes or reads all of it, with the descriptor blocking on this side.
fn blocking(end: OwnedFd) -> File {
    // The flag is of the open end, which each side of a pipe has for itself.
    rustix::io::ioctl_fionbio(&end, false).unwrap();
    File::from(end)
}

#[test]
fn streams_that_do_not_block_are_waited_for() {
    let server = Ports::start(&["listen", "tcp://127.0.0.1:0", "--service", "echo"]);
    let (stdin, feed) = non_blocking_pipe();
    let (output, stdout) = non_blocking_pipe();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["connect", &format!("tcp://{}", server.listening(0))])
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let data = noise(1 << 20);
    let sent = data.clone();
    let feeding = thread::spawn(move || blocking(feed).write_all(&sent));
    let mut back = Vec::new();
    blocking(output).read_to_end(&mut back).unwrap();
    feeding.join().unwrap().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(back == data, "{} of {} bytes", back.len(), data.len());
}
