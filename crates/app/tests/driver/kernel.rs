//! What the kernel has of a TCP socket, by /proc/net/tcp (proc(5)).
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::driver::{DEADLINE, noise};

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

/// States in which one side at least may send: established, and half-closed by this end, be that
/// acknowledged or not yet, or by the other.
const STANDING: [&str; 4] = ["01", "04", "05", "08"];

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
pub(crate) fn wait_until_it_is_stuck(program: u32, written: &AtomicU64, peer: &TcpStream) {
    const PIPE: u64 = 64 * 1024;
    let (here, there) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let look = || {
        let written = written.load(Ordering::Relaxed);
        (written, row(there, here).sending + row(here, there).receiving)
    };
    wait_until_still(program, look, |(written, with_kernel)| *written > with_kernel + PIPE);
}

/// Waits until the program has nothing to do, and what is looked at does not change, and is as it is
/// wanted.
pub(crate) fn wait_until_still<T: PartialEq + Debug>(
    program: u32,
    mut look: impl FnMut() -> T,
    is_it: impl Fn(&T) -> bool,
) {
    /// Longer than the kernel puts anything off by itself: an acknowledgement, 200 ms at most
    /// (`TCP_DELACK_MAX`).
    const STILL: Duration = Duration::from_millis(300);
    let deadline = Instant::now() + DEADLINE;
    let (mut last, mut since) = (look(), Instant::now());
    loop {
        let now = look();
        // Who waits for its turn is not still, however long that takes.
        if now != last || !is_asleep(program) {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() >= STILL && is_it(&now) {
            return;
        }
        assert!(Instant::now() < deadline, "{last:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes until nothing more is taken, by the kernel or by the program; how much was.
pub(crate) fn fill(program: u32, stream: &mut TcpStream) -> usize {
    /// Much more than the kernel holds for some connections.
    const ENDLESS: usize = 256 << 20;
    let (chunk, mut sent) = (noise(1 << 20), 0);
    stream.set_nonblocking(true).unwrap();
    let write = || {
        while let Ok(written) = stream.write(&chunk) {
            sent += written;
            assert!(sent < ENDLESS, "nothing holds it back");
        }
        sent
    };
    wait_until_still(program, write, |_| true);
    stream.set_nonblocking(false).unwrap();
    sent
}

/// Whether every thread of a process waits for something, by proc(5).
fn is_asleep(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map(|thread| thread.unwrap().path().join("stat")).all(|stat| {
        // A thread that has ended meanwhile has nothing to do.
        let stat = std::fs::read_to_string(stat).unwrap_or_else(|_| "1 (ended) S ".to_owned());
        // The state comes behind the name, which may hold anything.
        stat.rsplit_once(") ").unwrap().1.starts_with('S')
    })
}
