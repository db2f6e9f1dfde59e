//! Copies of the test program: what they do, and how they are watched.
#![allow(clippy::print_stdout, reason = "how a copy answers")]
#![allow(clippy::zombie_processes, reason = "a test that fails leaves them to the system")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setresgid, setresuid};
use ports_lease::{KernelPorts, Lease, LeaseError, Request, bind, lease};

/// What a copy is to do, and where it looks for ports.
const ROLE: &str = "PORTS_LEASE_TEST_ROLE";
const RANGE: &str = "PORTS_LEASE_TEST_RANGE";

/// The user who owns nothing, on Debian and others.
pub(crate) const NOBODY: u32 = 65534;

/// A copy that holds a lease.
pub(crate) struct Copy {
    pub(crate) child: Child,
    pub(crate) port: u16,
    holder: u32,
    output: BufReader<ChildStdout>,
}

impl Copy {
    fn command(role: &str, range: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "act", "--nocapture"]).env(ROLE, role).env(RANGE, range);
        command
    }

    /// Runs a copy to its end, without input.
    pub(crate) fn output(role: &str, range: &str) -> Output {
        let mut command = Self::command(role, range);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let nobody_else = starting();
        let child = piped.spawn().unwrap();
        drop(nobody_else);
        child.wait_with_output().unwrap()
    }

    /// Starts a copy and waits until it holds its port.
    pub(crate) fn start(role: &str, range: &str) -> Self {
        Self::watch(Self::command(role, range))
    }

    /// The same, as a child of a shell that waits for it.
    pub(crate) fn under_a_shell(role: &str, range: &str) -> Self {
        // By descriptor 3: a shell gives a background command no input of its own.
        let script = "exec 3<&0; \"$0\" --exact act --nocapture <&3 & exec 3<&-; wait";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(std::env::current_exe().unwrap());
        shell.env(ROLE, role).env(RANGE, range);
        Self::watch(shell)
    }

    fn watch(mut command: Command) -> Self {
        let nobody_else = starting();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(nobody_else);
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut copy = Self { child, port: 0, holder: 0, output };
        let line = copy.line_with("holding ");
        // The test harness writes before it, on the same line.
        let (_, numbers) = line.split_once("holding ").unwrap();
        let (port, holder) = numbers.trim().split_once(' ').unwrap();
        (copy.port, copy.holder) = (port.parse().unwrap(), holder.parse().unwrap());
        copy
    }

    /// The next line that has this in it.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        let mut so_far = String::new();
        loop {
            let start = so_far.len();
            assert!(self.output.read_line(&mut so_far).unwrap() > 0, "no `{part}`: {so_far}");
            if so_far[start..].contains(part) {
                return so_far[start..].to_owned();
            }
        }
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process that took the lease.
    pub(crate) fn holder(&self) -> u32 {
        self.holder
    }

    /// Everything else that it says, until all that have its output are gone.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }

    /// Lets it come to its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.rest();
        self.child.wait().unwrap()
    }
}

/// While this is held, no other test starts a program: a program that is being started has copies of
/// all descriptors of this process for a moment, and so holds its leases.
pub(crate) fn starting() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lease while no other test starts a program: none has a copy of what is taken and let go, or
/// keeps it waiting.
pub(crate) fn lease_alone(request: &Request) -> Result<Lease, LeaseError> {
    let _nobody_starts = starting();
    lease(request)
}

/// Does what the environment says, if this is a copy.
pub(crate) fn act() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let range = std::env::var(RANGE).unwrap();
    if role.ends_with("-as-nobody") {
        setresgid(Gid::from_raw(NOBODY), Gid::from_raw(NOBODY), Gid::from_raw(NOBODY)).unwrap();
        setresuid(Uid::from_raw(NOBODY), Uid::from_raw(NOBODY), Uid::from_raw(NOBODY)).unwrap();
    }
    let own_network = ["hold-in-a-namespace", "without-ipv6", "reserved", "beside-connections"];
    if own_network.contains(&role.as_str()) {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
    }
    let request = Request::tcp().within(range.parse().unwrap()).name(role.as_str());
    match role.as_str() {
        "hold" | "hold-as-nobody" | "hold-in-a-namespace" => {
            let held = lease(&request).unwrap();
            announce(&held);
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "refused-as-nobody" => println!("{}", lease(&request.exact(port(&range))).unwrap_err()),
        "exec" => {
            let held = lease(&request).unwrap();
            announce(&held);
            panic!("{}", held.exec(&mut Command::new("cat")));
        }
        "exec-bound" => {
            let request = Request::tcp_and_udp().within(range.parse().unwrap()).name("web");
            let held = bind(&request.address(Ipv4Addr::LOCALHOST)).unwrap();
            announce(held.lease());
            let mut shell = Command::new("sh");
            let script = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; \
                readlink /proc/self/fd/3 /proc/self/fd/4; cat";
            panic!("{}", held.exec(shell.args(["-c", script])));
        }
        "without-ipv6" => without_ipv6(&request),
        "reserved" => reserved(),
        "beside-connections" => beside_connections(&request),
        "elsewhere-as-nobody" => {
            // The test harness has threads: unshare(2) of the user is for a process with one.
            let mut shell = Command::new("unshare");
            let script = "\"$0\" --exact act --nocapture";
            shell.args(["--user", "--map-root-user", "sh", "-c", script]);
            shell.arg(std::env::current_exe().unwrap()).env(ROLE, "privileged-elsewhere");
            assert!(shell.status().unwrap().success());
        }
        "privileged-elsewhere" => {
            let held = lease(&request).unwrap();
            println!("leased above the floor: {}", held.number() >= 1024);
        }
        other => panic!("no such role: {other}"),
    }
}

fn without_ipv6(request: &Request) {
    std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535").unwrap();
    let everywhere = bind(request).unwrap();
    println!("both families: {} listener", everywhere.listeners().len());
    println!("ephemeral: {}", everywhere.lease().is_ephemeral());
}

/// Between a lease and the bind of its port come so many connections that some of them would have it,
/// were they given any port alike.
fn beside_connections(request: &Request) {
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535").unwrap();
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (mut ephemeral, mut bound) = (0, 0);
    let leases: Vec<Lease> = (0..300).map(|_| lease(request).unwrap()).collect();
    // Each leaves its port in TIME_WAIT.
    for _ in 0..10_000 {
        drop(TcpStream::connect(address).unwrap());
        drop(listener.accept().unwrap());
    }
    for held in leases {
        ephemeral += usize::from(held.is_ephemeral());
        bound += usize::from(TcpListener::bind((Ipv4Addr::LOCALHOST, held.number())).is_ok());
    }
    println!("ephemeral: {ephemeral}, bound: {bound}");
}

/// More than a page of single ports, which the kernel writes into one read or cuts.
fn reserved() {
    let ports: Vec<String> = (10_000..=65_534).step_by(2).map(|port| port.to_string()).collect();
    for count in [1, 100, ports.len()] {
        let text = ports[..count].join(",");
        std::fs::write("/proc/sys/net/ipv4/ip_local_reserved_ports", text).unwrap();
        println!("{count}: {}", KernelPorts::read().unwrap().reserved.len());
    }
}

fn port(text: &str) -> u16 {
    text.parse().unwrap()
}

fn announce(lease: &Lease) {
    println!("holding {} {}", lease.number(), std::process::id());
}
