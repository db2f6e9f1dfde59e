//! A terminal that is closed while the screen is on it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::mpsc;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::driver::DEADLINE;

#[test]
#[ignore = "needs setsid, of util-linux: to give the program the terminal"]
fn a_terminal_that_is_closed_ends_it() {
    let controller =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let size = Winsize { ws_row: 20, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&controller, size).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let mut options = File::options();
    options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
    let terminal = options.open(name.to_str().unwrap()).unwrap();
    let mut command = Command::new("setsid");
    command.args(["--ctty", env!("CARGO_BIN_EXE_ports"), "watch", "--interval", "50ms"]);
    command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap());
    let mut child = command.stderr(terminal).spawn().unwrap();
    // Its copies of the terminal.
    drop(command);
    let mut controller = File::from(controller);
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("LOCAL") {
        let mut buffer = [0; 4096];
        let read = controller.read(&mut buffer).unwrap();
        shown.extend_from_slice(&buffer[..read]);
    }
    drop(controller);
    let (tell, ended) = mpsc::channel();
    let process = Pid::from_child(&child);
    std::thread::spawn(move || tell.send(child.wait()));
    let Ok(status) = ended.recv_timeout(DEADLINE) else {
        kill_process(process, Signal::KILL).unwrap();
        panic!("it goes on without a terminal");
    };
    let status = status.unwrap();
    assert_eq!(status.code(), Some(129), "{status}");
}
