//! How fast a simulation is: SYNs at a fixed rate into a TUN device, each answered by a reset.
//!
//! Needs root: `cargo run --release -p simnet --example flood -- 100000`. It works in a network
//! namespace of its own, which is gone when it ends.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use simnet::{Network, Simulation, TunDevice};
use sockets_sys::{Destination, LinkAddress, PacketFd, PacketLevel, SendBatch};

const DEFAULT_RATE: u64 = 100_000;
const SECONDS: u64 = 3;
/// Packets are sent in one batch each millisecond.
const TICK: Duration = Duration::from_millis(1);
const TICKS_PER_SECOND: u64 = 1000;

const NETWORK: &str = r#"
    [[hosts]]
    prefix = "10.80.0.0/16"
    path = { delay_ms = 10, jitter_ms = 2 }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let rate = std::env::args().nth(1).map_or(Ok(DEFAULT_RATE), |text| text.parse())?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let device = TunDevice::open("sim0")?;
    for command in [
        "addr add 10.79.0.1/32 dev sim0",
        "link set sim0 up txqueuelen 10000",
        "route add 10.80.0.0/16 dev sim0",
    ] {
        let status = Command::new("ip").args(command.split(' ')).status()?;
        assert!(status.success(), "ip {command}");
    }
    let simulation = Simulation::start(Network::from_toml(NETWORK)?, device)?;
    let (sent, elapsed) = flood(rate)?;
    // Until the last answers are written: their delay, and more.
    thread::sleep(Duration::from_millis(200));
    let report = simulation.stop()?;
    println!("sent      {sent} in {:.2} s: {:.0}/s", elapsed, sent as f64 / elapsed);
    // The kernel itself says something, too: it looks for IPv6 routers.
    let received = report.network.received - report.network.no_host;
    println!("received  {received}");
    println!("delivered {}, unsent {}", report.network.delivered, report.unsent);
    println!("late      {} (the latest by {} us)", report.late, report.latest_us);
    println!("lost by the device's queue {}", sent.saturating_sub(received));
    Ok(())
}

/// Sends at `rate` packets a second; returns how many, and the seconds it took.
fn flood(rate: u64) -> Result<(u64, f64), Box<dyn Error>> {
    let socket = PacketFd::open(PacketLevel::Network)?;
    let interface = if_nametoindex("sim0")?;
    let link = LinkAddress::new(interface, LinkAddress::IPV4, &[]).ok_or("no link address")?;
    let most = usize::try_from(rate / TICKS_PER_SECOND)?.max(1);
    let mut batch = SendBatch::new(most, 64);
    let mut packet = Vec::new();
    let mut sent = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(SECONDS) {
        let due = start.elapsed().as_millis() as u64 * rate / TICKS_PER_SECOND;
        while sent < due {
            while !batch.is_full() && sent + (batch.len() as u64) < due {
                let [.., high, low] = (sent + batch.len() as u64).to_be_bytes();
                packet.clear();
                PacketBuilder::ipv4([10, 79, 0, 1], [10, 80, high, low], 64)
                    .tcp(40_000, 80, 1, 1024)
                    .syn()
                    .write_to_vec(&mut packet, &[])?;
                batch.push(&packet, Destination::Link(link))?;
            }
            while !batch.is_empty() {
                sent += batch.send(&socket)? as u64;
            }
        }
        thread::sleep(TICK);
    }
    Ok((sent, start.elapsed().as_secs_f64()))
}
