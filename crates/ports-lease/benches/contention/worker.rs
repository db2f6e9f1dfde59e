//! One process that takes ports, and what it writes of it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use ports_core::Transport;
use ports_lease::Lease;

use super::method::{Method, draw};

/// A port that a process had, in nanoseconds since 1970: all processes read the same clock.
pub(crate) struct Use {
    pub(crate) port: u16,
    pub(crate) from: u128,
    pub(crate) until: u128,
    pub(crate) bound: bool,
    pub(crate) took_ns: u64,
}

/// What one process had.
pub(crate) struct Log {
    pub(crate) uses: Vec<Use>,
    /// How often it got no port.
    pub(crate) none: usize,
}

impl Log {
    pub(crate) fn read(mut worker: Child, ports: usize) -> Self {
        let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        let uses: Vec<Use> = lines
            .map(|line| {
                let line = line.unwrap();
                let numbers: Vec<u128> =
                    line.split(' ').map(|number| number.parse().unwrap()).collect();
                let [port, from, until, bound, took] = numbers[..] else { panic!("{line}") };
                Use { port: port as u16, from, until, bound: bound == 1, took_ns: took as u64 }
            })
            .collect();
        assert!(worker.wait().unwrap().success());
        // A run has a line for each of its ports.
        let mut asked: Vec<u128> = uses.iter().map(|one| one.from).collect();
        asked.dedup();
        Self { none: ports - asked.len(), uses }
    }
}

pub(crate) fn run(args: &[String]) {
    let method = Method::read(&args[0]);
    let ports: usize = args[1].parse().unwrap();
    let start_up_ms: u64 = args[2].parse().unwrap();
    let mut seed = u64::from(std::process::id()) ^ now() as u64;
    let mut between = |least_ms: u64, most_ms: u64| {
        let span = (most_ms - least_ms) * 1000;
        Duration::from_micros(least_ms * 1000 + if span == 0 { 0 } else { draw(&mut seed) % span })
    };
    let mut picker = method.start();
    let mut log = Vec::new();
    for _ in 0..ports {
        let asked = Instant::now();
        let Some((port, held)) = picker.pick() else { continue };
        let took = asked.elapsed().as_nanos();
        let from = now();
        std::thread::sleep(between(0, start_up_ms));
        let sockets = match &held {
            Some(lease) => bind_all(lease),
            None => TcpListener::bind(("127.0.0.1", port)).map(|one| (vec![one], Vec::new())),
        };
        std::thread::sleep(between(1, 20));
        let bound = u8::from(sockets.is_ok());
        let until = now();
        let count = held.as_ref().map_or(1, |lease| lease.ports().len());
        drop((sockets, held));
        // The last port may be one of them.
        for port in (port..=u16::MAX).take(count) {
            writeln!(log, "{port} {from} {until} {bound} {took}").unwrap();
        }
    }
    picker.end();
    std::io::stdout().write_all(&log).unwrap();
}

/// Leases, binds and holds until it is killed.
pub(crate) fn hold(args: &[String]) {
    let mut picker = Method::read(&args[0]).start();
    loop {
        let held = picker.pick();
        let sockets = held.as_ref().and_then(|(_, lease)| bind_all(lease.as_ref()?).ok());
        std::thread::sleep(Duration::from_millis(1));
        drop((sockets, held));
    }
}

fn bind_all(lease: &Lease) -> io::Result<(Vec<TcpListener>, Vec<UdpSocket>)> {
    let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
    for address in lease.ports().map(|port| ("127.0.0.1", port.number())) {
        listeners.push(TcpListener::bind(address)?);
        if lease.transports().contains(&Transport::Udp) {
            sockets.push(UdpSocket::bind(address)?);
        }
    }
    Ok((listeners, sockets))
}

fn now() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}
