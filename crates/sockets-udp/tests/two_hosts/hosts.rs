//! Two network namespaces and the links between them. They are gone with the thread of the test.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

/// Where a socket is opened; each belongs to the host it was opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Here,
    There,
}

#[derive(Debug)]
pub(crate) struct Hosts {
    here: File,
    there: File,
}

impl Hosts {
    /// `10.71.N.1/24` and `fd71:N::1/64` here, `.2` and `::2` there, on `linkN` of both.
    pub(crate) fn address(host: Host, link: u8) -> (IpAddr, IpAddr) {
        let number = if host == Host::Here { 1 } else { 2 };
        let v6 = Ipv6Addr::new(0xfd71, link.into(), 0, 0, 0, 0, 0, number);
        (Ipv4Addr::new(10, 71, link, number as u8).into(), v6.into())
    }

    pub(crate) fn enter(&self, host: Host) {
        let namespace = if host == Host::Here { &self.here } else { &self.there };
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Calls `open` on that host.
    pub(crate) fn on<T>(&self, host: Host, open: impl FnOnce() -> T) -> T {
        self.enter(host);
        open()
    }

    /// Lays a cable; both ends are up when this returns.
    pub(crate) fn connect(&self, link: u8) {
        self.enter(Host::Here);
        let name = format!("link{link}");
        // By the descriptor: a namespace of a thread has no name.
        let other = format!("/proc/{}/fd/{}", std::process::id(), self.there.as_raw_fd());
        ip(&["link", "add", &name, "type", "veth", "peer", "name", &name, "netns", &other]);
        for host in [Host::Here, Host::There] {
            self.enter(host);
            let (v4, v6) = Self::address(host, link);
            ip(&["address", "add", &format!("{v4}/24"), "broadcast", "+", "dev", &name]);
            ip(&["address", "add", &format!("{v6}/64"), "dev", &name, "nodad"]);
            ip(&["link", "set", &name, "up"]);
        }
        for host in [Host::Here, Host::There] {
            self.enter(host);
            while !ip(&["link", "show", &name]).contains("state UP") {
                std::thread::yield_now();
            }
        }
    }
}

/// Runs the test on a thread and a runtime of its own, with two hosts that have no link yet.
pub(crate) fn with_hosts(test: impl AsyncFnOnce(Hosts) + Send + 'static) {
    let thread = std::thread::spawn(|| {
        let namespace = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
            ip(&["link", "set", "lo", "up"]);
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        let hosts = Hosts { here: namespace(), there: namespace() };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test(hosts));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().expect("this test needs iproute2");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
