//! One run of one case: build the network, scan it, judge, take it down.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use simnet::SimulationReport;

use super::findings::Scanner;
use super::judgement::{Judgement, judge};
use super::scenario::Case;
use super::world::World;

/// What came of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) seed: u64,
    pub(super) judgement: Judgement,
    /// Probes that left, by the scanner's account.
    pub(super) sent: u64,
    /// The method the scanner says it used.
    pub(super) method: String,
    pub(super) elapsed_ms: u64,
    /// Answers the kernel dropped before the scanner read them, by its account.
    pub(super) kernel_drops: u64,
    /// Packets that the scanner's network device had no room for.
    pub(super) device_drops: u64,
    /// What the simulated network counted.
    pub(super) simulation: Option<SimulationReport>,
}

/// Runs the case once.
///
/// # Errors
///
/// Where the network cannot be made, or the scan does not end well.
pub(super) fn run(case: &Case, scanner: &Scanner, seed: u64) -> Result<Round> {
    let scenario = &case.scenario;
    let world = World::build(scenario.network)?;
    let findings = scanner.scan(&case.arguments(seed), scenario.patience)?;
    let truth = |host, port| world.truth(scenario.transport, host, port);
    let mut judgement = judge(scenario, truth, &findings)?;
    let remains = world.end()?;
    if let Some(simulation) = &remains.simulation
        && simulation.network.bad_checksum > 0
    {
        let count = simulation.network.bad_checksum;
        judgement.problems.push(format!("{count} packets with a wrong checksum"));
    }
    Ok(Round {
        seed,
        judgement,
        sent: findings.summary.sent,
        method: findings.summary.method,
        elapsed_ms: findings.elapsed.as_millis() as u64,
        kernel_drops: findings.summary.kernel_drops,
        device_drops: remains.device_drops,
        simulation: remains.simulation,
    })
}
