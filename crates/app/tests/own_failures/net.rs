//! Two hosts with one link between them: network namespaces with a veth pair. Needs root and iproute2.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const HERE: [&str; 2] = ["10.77.16.1", "fd77::1"];
pub(crate) const THERE: [&str; 2] = ["10.77.16.2", "fd77::2"];

/// Gone when dropped.
pub(crate) struct Net {
    pub(crate) here: String,
    pub(crate) there: String,
}

/// How many ports there are of each state and reason.
pub(crate) type States = BTreeMap<(String, String), usize>;

impl Net {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let net = Self { here: format!("own-{id}-a"), there: format!("own-{id}-b") };
        run("ip", &["netns", "add", &net.here]);
        run("ip", &["netns", "add", &net.there]);
        run("ip", &["-n", &net.here, "link", "set", "lo", "up"]);
        run("ip", &["-n", &net.there, "link", "set", "lo", "up"]);
        net.link("veth0", [HERE[0], THERE[0]], [HERE[1], THERE[1]]);
        net
    }

    /// One more link, of that name on both sides; back once it carries both families.
    pub(crate) fn link(&self, name: &str, v4: [&str; 2], v6: [&str; 2]) {
        let Self { here, there } = self;
        let link = ["link", "add", name, "netns", here, "type", "veth"];
        run("ip", &[&link[..], &["peer", "name", name, "netns", there]].concat());
        for (host, place) in [(here, 0), (there, 1)] {
            let (v4, v6) = (format!("{}/20", v4[place]), format!("{}/64", v6[place]));
            run("ip", &["-n", host, "addr", "add", &v4, "dev", name]);
            run("ip", &["-n", host, "addr", "add", &v6, "dev", name, "nodad"]);
            run("ip", &["-n", host, "link", "set", name, "up"]);
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        for there in [v4[1], v6[1]] {
            while !self
                .states(&["--method", "connect", there, "-p", "9"])
                .keys()
                .any(|(state, _)| state == "closed")
            {
                assert!(Instant::now() < deadline, "no answer from {there}");
            }
        }
        run("ip", &["-n", here, "neigh", "flush", "dev", name]);
    }

    /// Packets that have come to the other host.
    pub(crate) fn arrived(&self) -> usize {
        let file = "/sys/class/net/veth0/statistics/rx_packets";
        let output = in_host(&self.there, "cat", &[file]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn ip_here(&self, args: &[&str]) {
        run("ip", &[&["-n", &self.here], args].concat());
    }

    pub(crate) fn ip_there(&self, args: &[&str]) {
        run("ip", &[&["-n", &self.there], args].concat());
    }

    /// Puts nftables rules in force here.
    pub(crate) fn filter_here(&self, rules: &str) {
        let mut nft =
            in_host(&self.here, "nft", &["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "nft is installed");
    }

    /// A scan from here, with every state shown as lines of JSON.
    pub(crate) fn scan(&self, args: &[&str]) -> Command {
        let scan = ["scan", "--format", "jsonl", "--show", "all"];
        let mut command = in_host(&self.here, env!("CARGO_BIN_EXE_ports"), &scan);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    pub(crate) fn lines(&self, args: &[&str]) -> Vec<Value> {
        read(&self.scan(args).output().unwrap().stdout)
    }

    pub(crate) fn states(&self, args: &[&str]) -> States {
        states(&self.lines(args))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.here]);
        run("ip", &["netns", "del", &self.there]);
    }
}

pub(crate) fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().expect("the program is installed");
    assert!(status.success(), "{program} {args:?} (this test needs root)");
}

pub(crate) fn in_host(host: &str, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host, program]).args(args);
    command
}

pub(crate) fn read(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn states(lines: &[Value]) -> States {
    let mut states = States::new();
    for report in lines.iter().filter(|line| line["type"] == "port") {
        let word = |key: &str| report[key].as_str().unwrap().to_owned();
        *states.entry((word("state"), word("reason"))).or_default() += 1;
    }
    states
}

pub(crate) fn summary(lines: &[Value]) -> &Value {
    lines.iter().find(|line| line["type"] == "summary").expect("the scan came to its end")
}

pub(crate) fn all(state: &str, reason: &str, count: usize) -> States {
    States::from([((state.to_owned(), reason.to_owned()), count)])
}
