//! Two hosts with one link between them: network namespaces with a veth pair. Needs root and iproute2.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

pub(crate) const HERE: &str = "10.78.0.1";
pub(crate) const THERE: &str = "10.78.0.2";

/// Gone when dropped.
pub(crate) struct Lab {
    here: String,
    there: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let lab = Self { here: format!("ports-udp-{id}-a"), there: format!("ports-udp-{id}-b") };
        let Self { here, there } = &lab;
        command(&["ip", "netns", "add", here]);
        command(&["ip", "netns", "add", there]);
        let link = ["ip", "link", "add", "veth0", "netns", here, "type", "veth"];
        command(&[&link[..], &["peer", "name", "veth0", "netns", there]].concat());
        for (host, address) in [(here, HERE), (there, THERE)] {
            let address = format!("{address}/24");
            command(&["ip", "-n", host, "addr", "add", &address, "dev", "veth0"]);
            command(&["ip", "-n", host, "link", "set", "veth0", "up"]);
            command(&["ip", "-n", host, "link", "set", "lo", "up"]);
        }
        lab
    }

    /// Does something there, such as opening sockets, which stay there.
    pub(crate) fn there<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = std::fs::File::open(format!("/run/netns/{}", self.there)).unwrap();
        let enter = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), network).unwrap();
            act()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }

    pub(crate) fn run_here(&self, args: &[&str]) {
        command(&[&["ip", "netns", "exec", &self.here], args].concat());
    }

    pub(crate) fn run_there(&self, args: &[&str]) {
        command(&[&["ip", "netns", "exec", &self.there], args].concat());
    }

    /// Scans from here; returns the lines of JSON.
    pub(crate) fn scan(&self, args: &[&str]) -> Vec<Value> {
        let program = ["netns", "exec", &self.here, env!("CARGO_BIN_EXE_ports")];
        let scan = ["scan", "--format", "jsonl"];
        let output = Command::new("ip").args(program).args(scan).args(args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        command(&["ip", "netns", "del", &self.here]);
        command(&["ip", "netns", "del", &self.there]);
    }
}

fn command(args: &[&str]) {
    let status = Command::new(args[0]).args(&args[1..]).status();
    assert!(status.expect("iproute2 is installed").success(), "{args:?} (this test needs root)");
}
