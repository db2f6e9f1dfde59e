//! Two hosts with one link between them: network namespaces with a veth pair. Needs root and iproute2;
//! filters need nftables.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use super::findings::{States, lines, states};

/// The addresses of the host that scans: IPv4 and IPv6.
pub(crate) const HERE: [&str; 2] = ["10.77.0.1", "fd77::1"];
/// Those of the other one.
pub(crate) const THERE: [&str; 2] = ["10.77.0.2", "fd77::2"];
/// All IPv4 addresses on the link: more than the kernel's table of neighbours has room for.
pub(crate) const PREFIX: &str = "10.77.0.0/20";
/// Everybody on the link.
pub(crate) const BROADCAST: &str = "10.77.15.255";
/// The addresses of the host that scans on the second link.
pub(crate) const SECOND_HERE: [&str; 2] = ["10.78.0.1", "fd78::1"];
/// Those of the other one.
pub(crate) const SECOND_THERE: [&str; 2] = ["10.78.0.2", "fd78::2"];
/// On the link, and nobody has it.
pub(crate) const NOBODY: [&str; 2] = ["10.77.0.9", "fd77::9"];
/// Behind no route.
pub(crate) const NOWHERE: [&str; 2] = ["10.99.0.1", "fd99::1"];

/// The two hosts, by the names of their namespaces; gone when dropped.
pub(crate) struct Lab {
    pub(crate) here: String,
    pub(crate) there: String,
    method: Option<&'static str>,
}

impl Lab {
    /// Scans as it is told, or else as the program thinks best.
    pub(crate) fn new() -> Self {
        Self::make(None)
    }

    pub(crate) fn scanning_by(method: &'static str) -> Self {
        Self::make(Some(method))
    }

    fn make(method: Option<&'static str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let lab = Self { here: format!("ports-{id}-a"), there: format!("ports-{id}-b"), method };
        for host in [&lab.here, &lab.there] {
            run("ip", &["netns", "add", host]);
            ip(host, &["link", "set", "lo", "up"]);
        }
        lab.link("veth0", HERE, THERE);
        lab
    }

    /// A link with both families, of that name on both sides; back once it carries them.
    pub(crate) fn link(&self, name: &str, addresses_here: [&str; 2], addresses_there: [&str; 2]) {
        let Self { here, there, .. } = self;
        let link = ["link", "add", name, "netns", here, "type", "veth"];
        run("ip", &[&link[..], &["peer", "name", name, "netns", there]].concat());
        for (host, [v4, v6]) in [(here, addresses_here), (there, addresses_there)] {
            ip(host, &["addr", "add", &format!("{v4}/20"), "dev", name]);
            ip(host, &["addr", "add", &format!("{v6}/64"), "dev", name, "nodad"]);
            ip(host, &["link", "set", name, "up"]);
        }
        self.wait_until_linked(name, addresses_there);
    }

    /// A link takes a while to come up, IPv6 up to two seconds; until then questions are lost. The
    /// connect scan ends when a question gets through; what the kernel learns by it is forgotten.
    fn wait_until_linked(&self, name: &str, there: [&str; 2]) {
        let deadline = Instant::now() + Duration::from_mins(1);
        for there in there {
            let args = ["scan", "--method", "connect", "--format", "jsonl", there, "-p", "9"];
            let is_up = || {
                let output = ports_in(&self.here, &args).output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                text.contains(r#""hosts_up":1"#)
            };
            while !is_up() {
                assert!(Instant::now() < deadline, "no answer from {there}");
            }
        }
        ip(&self.here, &["neigh", "flush", "dev", name]);
    }

    /// Routes to what is behind the other host.
    pub(crate) fn route(&self, prefix: &str, via: &str) {
        ip(&self.here, &["route", "add", prefix, "via", via]);
    }

    /// Another link, `veth1`. Either host takes packets from any address by either link.
    pub(crate) fn second_link(&self) {
        self.link("veth1", SECOND_HERE, SECOND_THERE);
        for host in [&self.here, &self.there] {
            shell(host, "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
        }
    }

    /// Packets that have come to the other host.
    pub(crate) fn arrived(&self) -> u64 {
        let args = ["/sys/class/net/veth0/statistics/rx_packets"];
        let output = in_host(&self.there, "cat", &args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// Does something there, such as opening sockets, which stay there.
    pub(crate) fn there<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.there)).unwrap();
        let enter = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).unwrap();
            act()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }

    /// Scans from here; returns the lines of JSON.
    pub(crate) fn scan(&self, args: &[&str]) -> Vec<Value> {
        let output = self.scanning(args).output().unwrap();
        assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        lines(&output.stdout)
    }

    /// The scan, not yet started.
    pub(crate) fn scanning(&self, args: &[&str]) -> Command {
        let mut command = ports_in(&self.here, &["scan", "--format", "jsonl"]);
        command.args(self.method.iter().flat_map(|method| ["--method", method])).args(args);
        command
    }

    /// How many ports there are of each state and reason.
    pub(crate) fn states(&self, args: &[&str]) -> States {
        states(&self.scan(&[args, &["--show", "all"]].concat()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.here]);
        run("ip", &["netns", "del", &self.there]);
    }
}

/// Runs a program to its end, which is to be a good one.
pub(crate) fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().expect("the program is installed");
    assert!(status.success(), "{program} {args:?} (this test needs root)");
}

/// Configures a host.
pub(crate) fn ip(host: &str, args: &[&str]) {
    run("ip", &[&["-n", host], args].concat());
}

pub(crate) fn in_host(host: &str, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host, program]).args(args);
    command
}

pub(crate) fn shell(host: &str, script: &str) {
    assert!(in_host(host, "sh", &["-c", script]).status().unwrap().success(), "{script}");
}

pub(crate) fn ports_in(host: &str, args: &[&str]) -> Command {
    let mut command = in_host(host, env!("CARGO_BIN_EXE_ports"), args);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Puts nftables rules in force.
pub(crate) fn filter(host: &str, rules: &str) {
    let mut nft = in_host(host, "nft", &["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "nft is installed");
}
