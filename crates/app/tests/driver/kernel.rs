//! What the kernel has of a TCP socket, by /proc/net/tcp (proc(5)).
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::driver::DEADLINE;

/// A connection's queues in bytes, and its timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Not acknowledged by the other end.
    pub(crate) sending: u64,
    /// Not read by this end.
    pub(crate) receiving: u64,
    /// 0 none, 1 retransmission, 2 keepalive.
    pub(crate) timer: u8,
    /// When it fires, in seconds.
    pub(crate) fires_in: u64,
}

/// States in which one side at least may send: established, and half-closed by this end or the other.
const STANDING: [&str; 3] = ["01", "05", "08"];

/// The connection from `local` to `peer`, both IPv4.
pub(crate) fn row(local: SocketAddr, peer: SocketAddr) -> Row {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (from, to) = (format!(":{:04X}", local.port()), format!(":{:04X}", peer.port()));
    let found = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let both = fields[1].ends_with(&from) && fields[2].ends_with(&to);
        if !both || !STANDING.contains(&fields[3]) {
            return None;
        }
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (sending, receiving) = fields[4].split_once(':').unwrap();
        let (timer, left) = fields[5].split_once(':').unwrap();
        let timer = timer.parse().unwrap();
        // In hundredths of a second.
        let fires_in = hex(left) / 100;
        Some(Row { sending: hex(sending), receiving: hex(receiving), timer, fires_in })
    });
    found.unwrap_or_else(|| panic!("no connection of {local} to {peer}"))
}

/// Waits until the program has read all that was written to it.
pub(crate) fn wait_until_it_has_read_all(peer: &TcpStream) {
    let (here, there) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let deadline = Instant::now() + DEADLINE;
    loop {
        // In this order: bytes only go on.
        let left = row(here, there).sending + row(there, here).receiving;
        if left == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{left} bytes are not read");
        std::thread::yield_now();
    }
}

/// Waits until the kernel has so many bytes of the program for its peer, who reads none.
pub(crate) fn wait_until_the_kernel_has(bytes: u64, peer: &TcpStream) {
    let (here, there) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let deadline = Instant::now() + DEADLINE;
    // In this order what is on its way is not missed, and counted twice where it arrives meanwhile.
    while row(there, here).sending + row(here, there).receiving != bytes {
        assert!(Instant::now() < deadline, "{bytes} bytes are not with the kernel");
        std::thread::yield_now();
    }
}

/// Waits until a part of what was written to the program waits in it: it is neither in the pipe, nor
/// with the kernel.
pub(crate) fn wait_until_it_queues(written: &AtomicU64, peer: &TcpStream) {
    // In a pipe (pipe(7)), and read from it.
    const ON_THE_WAY: u64 = 2 * 64 * 1024;
    const QUEUED: u64 = 512 * 1024;
    let (here, there) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let deadline = Instant::now() + DEADLINE;
    loop {
        // Before the others: bytes only go on.
        let written = written.load(Ordering::Relaxed);
        let with_kernel = row(there, here).sending + row(here, there).receiving;
        if written > with_kernel + ON_THE_WAY + QUEUED {
            return;
        }
        assert!(Instant::now() < deadline, "{written} written, {with_kernel} with the kernel");
        std::thread::yield_now();
    }
}

/// Waits until the program has something in its hands that the kernel does not take: it has been
/// given more than the kernel and a pipe hold, and nothing moves.
pub(crate) fn wait_until_it_is_stuck(written: &AtomicU64, peer: &TcpStream) {
    const PIPE: u64 = 64 * 1024;
    /// Much longer than the program takes for its next step.
    const STILL: Duration = Duration::from_millis(400);
    let (here, there) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let deadline = Instant::now() + DEADLINE;
    let look = || {
        let written = written.load(Ordering::Relaxed);
        (written, row(there, here).sending + row(here, there).receiving)
    };
    let (mut last, mut since) = (look(), Instant::now());
    loop {
        let now = look();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let (written, with_kernel) = now;
        if since.elapsed() >= STILL && written > with_kernel + PIPE {
            return;
        }
        assert!(Instant::now() < deadline, "{written} written, {with_kernel} with the kernel");
        std::thread::sleep(Duration::from_millis(10));
    }
}
