//! Open ports on a host of the lab.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::Value;

use super::hosts::ports_in;

/// A server that is ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) ports: BTreeSet<u64>,
}

impl Server {
    /// Listens on `count` ports of the kernel's choice.
    pub(crate) fn start(host: &str, address: &str, count: usize) -> Self {
        let endpoint =
            if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") };
        Self::serving(host, "discard", &endpoint, count)
    }

    /// Opens the same endpoint, with a port of the kernel's choice, `count` times.
    pub(crate) fn serving(host: &str, service: &str, endpoint: &str, count: usize) -> Self {
        let mut args = vec!["listen", "--service", service, "--events", "-"];
        args.extend(std::iter::repeat_n(endpoint, count));
        let mut child = ports_in(host, &args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port_of = |line: String| {
            let event: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(event["type"], "listening");
            event["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
        };
        let ports = lines.by_ref().take(count).map(|line| port_of(line.unwrap())).collect();
        // A server whose events nobody reads any more ends.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ports }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `ip netns exec` has become the server: this is its own process id.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
