//! A network namespace for one test: it is born with a thread and dies with it.

use std::net::IpAddr;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use sockets_raw::Route;
use sockets_sys::{NetlinkProtocol, NetlinkSocket};

/// For what the kernel does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` in a network that has nothing but loopback. Sockets that it opens and processes that
/// it starts are in that network; threads that it starts are, too.
pub(super) fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Runs iproute2's `ip` with these words.
pub(super) fn ip(words: &str) {
    let status = Command::new("ip").args(words.split_whitespace()).status();
    assert!(status.expect("iproute2 is installed").success(), "ip {words}");
}

/// A link of two ends, `va` and `vb`, both in this network; only `va` has addresses: 10.77.0.1/24 and
/// `fd77::1/64`.
pub(super) fn link_to_nobody() {
    ip("link add va type veth peer name vb");
    // No addresses that the kernel makes up, and then takes a second to be sure of.
    ip("link set va addrgenmode none");
    ip("link set vb addrgenmode none");
    ip("addr add 10.77.0.1/24 dev va");
    ip("-6 addr add fd77::1/64 dev va nodad");
    ip("link set va up");
    ip("link set vb up");
    wait_until_own("fd77::1".parse().unwrap());
}

/// Waits for the route by which an IPv6 address is this machine's own: the kernel makes it some time
/// after the address, in a worker (`addrconf_dad_work` in `net/ipv6/addrconf.c`).
fn wait_until_own(address: IpAddr) {
    /// `RTNLGRP_IPV6_ROUTE` of linux/rtnetlink.h
    const IPV6_ROUTES: u32 = 11;
    let changes = NetlinkSocket::open(NetlinkProtocol::ROUTE).unwrap();
    changes.join(IPV6_ROUTES).unwrap();
    let mut buffer = vec![0; 32 * 1024];
    while !Route::to(address).is_ok_and(|route| route.is_local()) {
        changes.receive(&mut buffer, PATIENCE).unwrap();
    }
}
