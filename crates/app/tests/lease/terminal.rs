//! `ports leases` on a terminal.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::driver::{Collected, Ports, run};
use super::port_of;

/// What `ports leases` shows on a terminal of so many columns.
fn shown(columns: u16) -> String {
    let controller =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&controller, size).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let mut options = File::options();
    options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
    let terminal = options.open(name.to_str().unwrap()).unwrap();
    let screen = Collected::of(File::from(controller), "the terminal");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ports"));
    let mut child = command.arg("leases").stdin(Stdio::null()).stdout(terminal).spawn().unwrap();
    // Its copy of the terminal: without it, the end of the program is the end of what is shown.
    drop(command);
    let shown = String::from_utf8(screen.whole()).unwrap();
    assert!(child.wait().unwrap().success());
    shown
}

#[test]
fn long_names_are_whole_but_on_a_narrow_terminal() {
    let name = "a-branch-whose-name-is-a-whole-sentence-of-more-than-48-bytes";
    let args = ["lease", "--name", name, "--range", "3460-3479", "--", "sh", "-c"];
    let mut ports = Ports::start(&[&args[..], &["echo $PORT; exec cat"]].concat());
    let port = port_of(&ports);
    let line = |text: &str| {
        let line = text.lines().find(|line| line.starts_with(&port.to_string()));
        line.unwrap_or_else(|| panic!("no {port}: {text}")).trim_end().to_owned()
    };
    let piped = String::from_utf8(run(&["leases"]).stdout).unwrap();
    assert!(line(&piped).contains(&format!(" {name} ")), "{piped}");
    // Other tests have leases, too: their names and processes are shorter than that.
    assert!(line(&shown(200)).contains(&format!(" {name} ")));
    let narrow = line(&shown(80));
    assert!(narrow.chars().count() <= 80 && narrow.contains("a-branch-"), "{narrow}");
    assert!(narrow.contains('\u{2026}') && narrow.ends_with('Z'), "{narrow}");
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
}
