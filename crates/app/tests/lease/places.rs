//! Leases where the system shows less, or has less, than usual.

use std::process::Command;

use serde_json::Value;

use super::driver::{Ended, Ports, run};
use super::{any_port, port_of};

/// Runs a script as root, with the program as `$0` and a port as `$1`.
fn script(text: &str, port: u16) -> Ended {
    let mut shell = Command::new("sh");
    let mut ports =
        Ports::spawn(shell.args(["-c", text, env!("CARGO_BIN_EXE_ports")]).arg(port.to_string()));
    ports.end_input();
    ports.end()
}

fn hold(range: &str) -> (Ports, u16) {
    let command = ["--", "sh", "-c", "echo $PORT; exec cat"];
    let args = [&["lease", "--name", "held", "--range", range][..], &command[..]].concat();
    let ports = Ports::start(&args);
    let port = port_of(&ports);
    (ports, port)
}

/// The row of a port, of JSON lines.
fn row(ended: &Ended, port: u16) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = str::from_utf8(&ended.stdout).unwrap();
    let mut rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.find(|row| row["port"] == port).unwrap_or_else(|| panic!("no {port}: {text}"))
}

#[test]
#[ignore = "needs root: mount(2), setpriv"]
fn without_a_look_into_processes_the_label_is_told() {
    let (ports, port) = hold("3360-3379");
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    for mount in [
        // Other users' processes are not there; nothing but processes is; nothing is.
        "mount -t proc -o hidepid=2 proc /proc && exec unshare --mount",
        "mount -t proc -o hidepid=2,subset=pid proc /proc && exec unshare --mount",
        "mount -t tmpfs none /proc && exec env",
    ] {
        let inside = |command: &str| {
            let line =
                format!("exec unshare --mount sh -c '{mount} {nobody} \"$0\" {command}' \"$0\" $1");
            script(&line, port)
        };
        let row = row(&inside("leases --format jsonl"), port);
        assert_eq!((&row["name"], &row["processes"]), (&"held".into(), &Value::Array(vec![])));
        assert_eq!(row["taken_by"], ports.child.id(), "{mount}");
        let refused = inside("lease --port $1 -- true");
        let who = format!("held by a process (taken by process {}) of root", ports.child.id());
        assert_eq!(refused.code, Some(125), "{mount}: {}", refused.stderr);
        assert!(refused.stderr.contains(&who), "{mount}: {}", refused.stderr);
        let other = inside("lease --range 3380-3389 -- printenv PORT");
        assert_eq!(other.code, Some(0), "{mount}: {}", other.stderr);
    }
}

#[test]
#[ignore = "needs root: setpriv"]
fn another_user_is_kept_out() {
    let (mut ports, port) = hold("3390-3399");
    let nobody = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\"";
    let refused = script(&format!("{nobody} lease --port $1 -- true"), port);
    assert_eq!(refused.code, Some(125));
    assert!(refused.stderr.contains("is leased by `held`"), "{}", refused.stderr);
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
    let taken = script(&format!("{nobody} lease --port $1 -- printenv PORT"), port);
    assert_eq!(taken.stdout, format!("{port}\n").into_bytes(), "{}", taken.stderr);
}

/// Takes the family away as a kernel that was built or started without it does (`EAFNOSUPPORT`), by
/// seccomp(2), and becomes the program of its arguments. x86-64 and aarch64 number socket(2) so.
const WITHOUT_IPV6: &str = "import ctypes, os, platform, struct, sys
number = {'x86_64': 41, 'aarch64': 198}[platform.machine()]
program = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 10),
           (0x06, 0, 0, 0x50000 | 97), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in program))
class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
filter = Filter(len(program), ctypes.addressof(code))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(filter), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])";

#[test]
#[ignore = "needs python3"]
fn a_kernel_without_ipv6_has_leases() {
    let _any = any_port();
    let without = |args: &[&str]| {
        let mut python = Command::new("python3");
        python.args(["-c", WITHOUT_IPV6, env!("CARGO_BIN_EXE_ports"), "lease"]).args(args);
        let mut ports = Ports::spawn(python.args(["--", "printenv", "PORT"]));
        ports.end_input();
        ports.end()
    };
    for args in [&[][..], &["-4"], &["--fd"], &["--udp"], &["--address", "127.0.0.1"]] {
        let ended = without(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
    }
    for args in [&["-6"][..], &["--fd", "-6"], &["--address", "::1"]] {
        let ended = without(args);
        assert_eq!(ended.code, Some(125), "{args:?}");
        assert!(ended.stderr.contains("Address family not supported"), "{}", ended.stderr);
    }
    assert_eq!(run(&["lease", "-4", "--", "true"]).code, Some(0));
}
