//! A process whose first thread has ended while another one goes on.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::driver::{self, Ports, run};

/// `exit(2)` ends one thread; the other one waits for the end of the input.
const SCRIPT: &str = "
import ctypes, os, socket, threading
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
threading.Thread(target=lambda: os.read(0, 1)).start()
ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)
";

#[test]
#[ignore = "needs python3"]
fn a_process_is_found_by_its_other_threads() {
    let mut python = Ports::spawn(Command::new("python3").args(["-c", SCRIPT]));
    let port = python.stdout.line("port ", 0);
    let deadline = Instant::now() + driver::DEADLINE;
    let pid = python.child.id();
    while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
        assert!(Instant::now() < deadline, "the first thread did not end");
        // There is no event to wait for: it is asked again.
        std::thread::sleep(Duration::from_millis(1));
    }
    let ended = run(&["who", &format!("{}/tcp", port.trim()), "--format", "jsonl"]);
    let row: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(row["processes"][0]["pid"], pid, "{row}");
    assert_eq!(row["processes"][0]["name"], "python3", "{row}");
    python.end_input();
    python.end();
}
