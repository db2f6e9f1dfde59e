//! Copies of the test program that lease by files, on any system.
#![allow(clippy::print_stdout, reason = "how a copy answers")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use ports_lease::{LeaseError, Request, lease};

const ROLE: &str = "PORTS_LEASE_FILES_ROLE";
const RANGE: &str = "PORTS_LEASE_FILES_RANGE";
const DIRECTORY: &str = "PORTS_LEASE_FILES_DIRECTORY";
const ADDRESS: &str = "PORTS_LEASE_FILES_ADDRESS";

/// How many leases a copy takes that is let come to its end.
const ROUNDS: usize = 300;

/// An address of this run of the tests: another run has locks of its own, and so is not kept away from
/// the ports. Elsewhere than on Linux 127.0.0.1 may be the only one.
pub(crate) fn address() -> Ipv4Addr {
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let [_, a, b, c] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + (a & 0x7f), b, c)
}

/// A copy that holds a port, or has held one at least.
pub(crate) struct Copy {
    child: Child,
    pub(crate) port: u16,
    output: BufReader<ChildStdout>,
}

impl Copy {
    /// Starts a copy and waits until it has a port.
    pub(crate) fn start(role: &str, range: &str, directory: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "act", "--nocapture"]);
        command.env(ROLE, role).env(RANGE, range).env(DIRECTORY, directory);
        command.env(ADDRESS, address().to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut copy = Self { child, port: 0, output };
        copy.port = copy.number_after("holding ");
        copy
    }

    fn number_after<N: std::str::FromStr<Err: std::fmt::Debug>>(&mut self, word: &str) -> N {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "no `{word}`");
            // The test harness writes before it, on the same line.
            if let Some((_, number)) = line.split_once(word) {
                return number.trim().parse().unwrap();
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as it is (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it come to its end; how many ports it had.
    pub(crate) fn end(mut self) -> usize {
        drop(self.child.stdin.take());
        let count = self.number_after("had ");
        self.output.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
        count
    }
}

/// Does what the environment says, if this is a copy.
pub(crate) fn act() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let range = std::env::var(RANGE).unwrap().parse().unwrap();
    let address: Ipv4Addr = std::env::var(ADDRESS).unwrap().parse().unwrap();
    let request = Request::tcp().address(address).within(range).name(role.as_str());
    let request = request.lock_directory(&directory);
    match role.as_str() {
        "hold" => {
            let held = lease(&request).unwrap();
            println!("holding {}", held.number());
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            println!("had 1");
        }
        "take" => println!("had {}", take(&request, &directory)),
        // Until it is killed.
        "grab" => {
            println!("holding 0");
            while std::hint::black_box(true) {
                drop(lease(&request));
            }
        }
        other => panic!("no such role: {other}"),
    }
}

/// Takes ports and lets them go; whoever has one has a file of its name, which nobody else can make.
fn take(request: &Request, directory: &Path) -> usize {
    println!("holding 0");
    let mut had = 0;
    for _ in 0..ROUNDS {
        match lease(request) {
            Ok(held) => {
                let mine = directory.join(format!("had-{}", held.number()));
                drop(File::create_new(&mine).unwrap());
                std::thread::yield_now();
                fs::remove_file(mine).unwrap();
                had += 1;
            }
            Err(LeaseError::Exhausted { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    had
}
