//! Clients and targets that end their streams in any way at any time, before, during and after a stop:
//! what was read of one side was sent to the other, or is in what was given up, to the byte.
//!
//! What got to the target is what its own kernel counts; before a peer breaks off, a filter keeps
//! everything from it, so that this count is the last one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use sockets_sys::{FilterInstruction, attach_filter, tcp_info};

use crate::driver::client;
use crate::forward;
use crate::loopback::{accept, listener, reset};

const CLIENTS: usize = 4;
/// How many rounds, unless `PORTS_ROUNDS` says so.
const ROUNDS: u64 = 8;
const AT_ONCE: u64 = 8;

/// xorshift (Marsaglia 2003): the same round again for the same seed.
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Reads and writes at random, then ends at random; how many bytes its kernel had received by then.
fn talk(mut stream: TcpStream, mut dice: Dice, over: &AtomicBool) -> u64 {
    let short = Some(Duration::from_millis(20));
    stream.set_read_timeout(short).unwrap();
    stream.set_write_timeout(short).unwrap();
    let data = vec![7; 300_000];
    let mut buffer = vec![0; 300_000];
    for _ in 0..dice.below(40) {
        let len = 1 + dice.below(data.len() as u64) as usize;
        let done = match dice.below(3) {
            0 => stream.read(&mut buffer[..len]),
            1 => stream.write(&data[..len]),
            _ => {
                std::thread::sleep(Duration::from_micros(dice.below(3000)));
                Ok(0)
            }
        };
        if done.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            break;
        }
    }
    let received = |stream: &TcpStream| tcp_info(stream).unwrap().bytes_received.unwrap();
    match dice.below(5) {
        way @ (0 | 1) => {
            attach_filter(&stream, &[FilterInstruction::NOTHING]).unwrap();
            let received = received(&stream);
            // The other way is to close it, with what it has not read.
            if way == 0 {
                reset(stream);
            }
            return received;
        }
        // It ends its stream, and reads to the end of the other.
        2 => {
            let _ = stream.shutdown(Shutdown::Write);
            while !over.load(Relaxed) {
                match stream.read(&mut buffer) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
        }
        // It ends its stream, and reads no more.
        3 => _ = stream.shutdown(Shutdown::Write),
        // It does nothing any more.
        _ => {}
    }
    while !over.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
    }
    received(&stream)
}

fn counters(stats: &Value, role: &str) -> [u64; 3] {
    let groups = stats["groups"].as_array().unwrap();
    let of_role = groups.iter().find(|group| group["role"] == role);
    ["bytes_received", "bytes_sent", "dropped_bytes"]
        .map(|name| of_role.map_or(0, |group| group["counters"][name].as_u64().unwrap()))
}

fn round(seed: u64) {
    let mut dice = Dice::of(seed);
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let address = ports.forwarding(0);
    let over = Arc::<AtomicBool>::default();
    let talking = |stream, salt| {
        let (over, dice) = (Arc::clone(&over), Dice::of(seed << 8 | salt));
        std::thread::spawn(move || talk(stream, dice, &over))
    };
    // One after the other, so that it is known whose target is which.
    let both: Vec<(JoinHandle<u64>, JoinHandle<u64>)> = (0..CLIENTS as u64)
        .map(|number| {
            let (here, there) = (client(address), accept(&listener));
            (talking(here, 2 * number), talking(there, 2 * number + 1))
        })
        .collect();
    std::thread::sleep(Duration::from_micros(dice.below(60_000)));
    ports.signal(Signal::TERM);
    let is_cut = dice.below(4) == 0;
    if is_cut {
        std::thread::sleep(Duration::from_millis(500 + dice.below(500)));
        ports.signal_if_alive(Signal::TERM);
    }
    let ended = ports.end();
    over.store(true, Relaxed);
    let reached: Vec<_> = both
        .into_iter()
        .map(|(here, there)| {
            here.join().unwrap();
            there.join().unwrap()
        })
        .collect();

    let text = String::from_utf8(ended.stdout).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let what = || format!("round {seed}: {reached:?}\n{text}\n{}", ended.stderr);
    let stats = events.iter().find(|event| event["type"] == "stats").unwrap();
    let [up, to_client, dropped_down] = counters(stats, "server");
    let [down, to_target, dropped_up] = counters(stats, "client");
    let all_reached: u64 = reached.iter().sum();
    assert!(up <= to_target + dropped_up, "not all that came of clients was sent\n{}", what());
    assert!(up <= all_reached + dropped_up, "not all that came of clients got there\n{}", what());
    assert!(down <= to_client + dropped_down, "not all of the targets was sent\n{}", what());
    if is_cut {
        return;
    }
    assert_eq!(down, to_client + dropped_down, "{}", what());
    let of = |kind: &str, client: usize, to: Option<&str>, field: &str| -> u64 {
        let these = events.iter().filter(|event| {
            event["type"] == kind && event["client"] == client && event["to"].as_str() == to
        });
        these.map(|event| event[field].as_u64().unwrap()).sum()
    };
    let mut told = 0;
    for (index, reached) in reached.iter().enumerate() {
        let came = of("disconnected", index + 1, None, "bytes_in");
        let dropped = of("dropped", index + 1, Some("target"), "bytes");
        told += dropped;
        assert!(came <= reached + dropped, "client {}\n{}", index + 1, what());
    }
    assert_eq!(told, dropped_up, "{}", what());
    let told: u64 = (1..=CLIENTS).map(|client| of("dropped", client, None, "bytes")).sum();
    assert_eq!(told, dropped_down, "{}", what());
}

#[test]
fn every_byte_is_sent_or_told_however_streams_end() {
    let rounds = std::env::var("PORTS_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let first = std::env::var("PORTS_SEED").map_or(0, |seed| seed.parse().unwrap());
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            scope.spawn(move || {
                for seed in (first + lane..first + rounds).step_by(AT_ONCE as usize) {
                    round(seed);
                }
            });
        }
    });
}
