//! The engine alone, on one core: how many probes a second it decides on, in a plan of 2^24 hosts x 1,000
//! ports, and the most memory that the process took.
//!
//! The network is a rule at virtual time: some ports of some hosts answer 1 to 50 ms later, the rest is
//! silent. The plan is not run to its end, but for a number of probes: what is measured does not depend
//! on how far it is. `cargo bench -p scanner --bench engine`.
#![allow(clippy::print_stdout, reason = "a bench prints its result")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on has to stop")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::Transport;
use scanner::{Engine, EngineConfig, ProbeId, Reply, ScanPlan, Shard, TargetSpec};

/// Probes of one run.
const PROBES: u64 = 10_000_000;
/// As many as a raw prober has in flight.
const IN_FLIGHT: usize = 131_072;
/// Virtual time between two looks at the engine, as a driver's batch takes.
const STEP: Duration = Duration::from_micros(500);
/// The bars: decisions a second, and bytes.
const BAR_RATE: f64 = 2e6;
const BAR_MEMORY: u64 = 64 << 20;

/// One share of all ports that answers, and the answer.
struct Network {
    name: &'static str,
    /// One in so many ports of hosts that are up.
    answers: u32,
}

const NETWORKS: [Network; 3] = [
    Network { name: "all silent", answers: u32::MAX },
    Network { name: "1 % answer", answers: 100 },
    Network { name: "half answer", answers: 2 },
];

/// Answers on their way, by the step they arrive in.
struct InTransit {
    steps: VecDeque<Vec<(ProbeId, Reply)>>,
}

impl InTransit {
    const LONGEST: usize = 100;

    fn new() -> Self {
        Self { steps: (0..=Self::LONGEST).map(|_| Vec::new()).collect() }
    }

    fn send(&mut self, id: ProbeId, hash: u32, reply: Reply) {
        self.steps[2 + hash as usize % (Self::LONGEST - 2)].push((id, reply));
    }

    fn arrived(&mut self) -> Vec<(ProbeId, Reply)> {
        let now = self.steps.pop_front().unwrap_or_default();
        self.steps.push_back(Vec::new());
        now
    }
}

fn run(plan: &Arc<ScanPlan>, network: &Network, probes: u64) -> (u64, u64, Duration) {
    let mut now = Instant::now();
    let config = EngineConfig { max_in_flight: IN_FLIGHT, ..EngineConfig::default() };
    let mut engine = Engine::new(now, Arc::clone(plan), config);
    let blocks = plan.blocks(Shard::WHOLE);
    let mut work = (0..blocks.len()).filter_map(|position| blocks.get(position));
    let mut transit = InTransit::new();
    let mut events = 0;
    let began = Instant::now();
    while engine.tally().sent < probes {
        for (id, reply) in transit.arrived() {
            engine.handle_reply(now, id, reply);
        }
        loop {
            while engine.wants_work()
                && let Some(block) = work.next()
            {
                engine.add_work(block);
            }
            let Some(probe) = engine.poll_probe(now) else { break };
            // By address and port, so that a repeated probe is answered as the first.
            let address = match probe.target.ip() {
                std::net::IpAddr::V4(address) => u32::from(address),
                std::net::IpAddr::V6(_) => 0,
            };
            let hash = (address ^ u32::from(probe.target.port()) << 12).wrapping_mul(0x9e37_79b1);
            let hash = hash ^ hash >> 15;
            if hash % network.answers == 1 {
                let reply = if hash & 0x700 == 0 { Reply::Open } else { Reply::Closed };
                transit.send(probe.id, hash >> 8, reply);
            }
        }
        while engine.poll_event().is_some() {
            events += 1;
        }
        now += STEP;
        engine.handle_timeout(now, |_| None);
        while engine.poll_expired().is_some() {}
    }
    (engine.tally().sent, events, began.elapsed())
}

/// The most memory this process ever had; `VmHWM` of `proc_pid_status(5)`.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib << 10)
}

fn main() {
    // `cargo test --benches` wants to know only whether it runs.
    let probes = if std::env::args().any(|arg| arg == "--bench") { PROBES } else { 1_000 };
    let target: TargetSpec = "10.0.0.0/8".parse().expect("a prefix");
    let targets = target.addresses().expect("not a name");
    let ports = "1-1000".parse().expect("a range");
    let plan = ScanPlan::new(&targets, &ports, Transport::Tcp, 7).expect("it fits");
    let plan = Arc::new(plan);
    println!("plan: {} hosts x {} ports", plan.hosts(), plan.ports().len());
    for network in &NETWORKS {
        let (probes, events, elapsed) = run(&plan, network, probes);
        let rate = probes as f64 / elapsed.as_secs_f64();
        let verdict = if rate >= BAR_RATE { "meets" } else { "MISSES" };
        println!(
            "{:<12} {probes} probes, {events} events in {:.2} s: {:.2} M/s ({verdict} {:.0} M/s)",
            network.name,
            elapsed.as_secs_f64(),
            rate / 1e6,
            BAR_RATE / 1e6
        );
    }
    let peak = peak_memory();
    let verdict = if peak <= BAR_MEMORY { "meets" } else { "MISSES" };
    println!(
        "peak memory {:.1} MiB ({verdict} {} MiB)",
        peak as f64 / f64::from(1 << 20),
        BAR_MEMORY >> 20
    );
}
