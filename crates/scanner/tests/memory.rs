//! Memory does not grow with the plan: a scan of a /8 costs what a scan of a /16 costs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use ports_core::Transport;
use scanner::{Engine, EngineConfig, MAX_BLOCK_LEN, Reply, ScanPlan, Shard, TargetSpec};

const MIB: u64 = 1 << 20;
/// The least time between two looks at the engine.
const STEP: Duration = Duration::from_millis(1);

fn plan(target: &str) -> ScanPlan {
    let target: TargetSpec = target.parse().unwrap();
    let ports = "1-1000".parse().unwrap();
    ScanPlan::new(&target.addresses().unwrap(), &ports, Transport::Tcp, 7).unwrap()
}

#[test]
fn a_plan_is_as_large_as_its_port_list() {
    for target in ["10.0.0.0/16", "10.0.0.0/8", "fd00::/96"] {
        let used = measure(|| drop(std::hint::black_box(plan(target))));
        assert!(used.bytes_max < 64 << 10, "{target}: {} bytes", used.bytes_max);
    }
    assert_eq!(plan("10.0.0.0/8").len(), (1 << 24) * 1_000);
}

/// Asks every port of some blocks that are spread over the plan. One port in 100 answers, the rest is
/// silent.
fn probe(plan: &Arc<ScanPlan>, count: u64) -> u64 {
    let blocks = plan.blocks(Shard::WHOLE);
    let mut work = (0..count).filter_map(|nth| blocks.get(blocks.len() / count * nth));
    let mut now = Instant::now();
    let mut engine = Engine::new(now, Arc::clone(plan), EngineConfig::default());
    loop {
        while engine.wants_work()
            && let Some(block) = work.next()
        {
            engine.add_work(block);
        }
        while let Some(probe) = engine.poll_probe(now) {
            if probe.target.port() % 100 == 0 {
                engine.handle_reply(now, probe.id, Reply::Closed);
            }
        }
        while engine.poll_event().is_some() {}
        if engine.is_idle() {
            return engine.tally().probes;
        }
        now = engine.poll_timeout().map_or(now, |at| at.max(now)) + STEP;
        engine.handle_timeout(now, |_| None);
        while engine.poll_expired().is_some() {}
    }
}

/// Each block is of other host groups in the large plan, of the same few in the small one.
#[test]
fn an_engine_holds_what_is_in_flight() {
    let used = |target: &str, blocks| {
        let plan = Arc::new(plan(target));
        measure(|| assert_eq!(probe(&plan, blocks), blocks * MAX_BLOCK_LEN)).bytes_max
    };
    let (small, large, longer) =
        (used("10.0.0.0/16", 25), used("10.0.0.0/8", 25), used("10.0.0.0/8", 50));
    assert!(large < 32 * MIB && large < 2 * small, "/16: {small} bytes, /8: {large} bytes");
    assert!(longer < large + large / 2, "25 blocks: {large} bytes, 50 blocks: {longer} bytes");
}
