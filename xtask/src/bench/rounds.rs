//! The measuring itself: everyone in turns, and what each run found against what is there.

use anyhow::Result;

use super::contender::Contender;
use super::findings;
use super::measure::Meter;
use super::summary::{Run, Series};
use super::witness::Witness;
use super::world::World;

/// Every contender once a round, and no one always first: the order turns by one each round.
pub(super) fn measure_rounds(
    rounds: u32,
    contenders: &[Contender],
    world: &World,
    meter: &Meter,
) -> Vec<Series> {
    let mut rows: Vec<Series> = contenders.iter().map(|_| Series::default()).collect();
    for round in 0..rounds {
        print!("round {}/{rounds}:", round + 1);
        for turn in 0..contenders.len() {
            let index = (turn + round as usize) % contenders.len();
            let contender = &contenders[index];
            if !contender.takes_part_in(round) {
                rows[index].skip();
                continue;
            }
            let run = measure_one(contender, world, meter);
            match &run {
                Ok(run) => print!("  {} {:.3} s", contender.name, run.wall_ms / 1e3),
                Err(_) => print!("  {} failed", contender.name),
            }
            rows[index].push(run.map_err(|error| format!("{error:#}")));
        }
        println!();
    }
    rows
}

/// One run.
///
/// # Errors
///
/// Where the program fails, takes too long, or does not say what it found.
pub(super) fn measure_one(contender: &Contender, world: &World, meter: &Meter) -> Result<Run> {
    let before = world.others()?;
    let witness = world.witness();
    let measured = meter.run(&world.prefix(), &contender.program, &contender.arguments);
    let arrivals = witness.map(Witness::finish).transpose()?;
    let measured = measured?;
    let after = world.others()?;
    let found = findings::open_ports(contender.output, &measured.stdout)?;
    let open = world.open();
    Ok(Run {
        wall_ms: measured.wall.as_secs_f64() * 1e3,
        peak_rss_kib: measured.peak_rss_kib,
        found_open: found.intersection(open).count(),
        // Another program's listener is no mistake; one that came or went meanwhile is neither.
        false_opens: found
            .into_iter()
            .filter(|port| !open.contains(port) && !before.contains(port) && !after.contains(port))
            .collect(),
        packets: arrivals.map(|arrivals| arrivals.packets),
        asked_per_s: arrivals
            .filter(|arrivals| !arrivals.span.is_zero())
            .map(|arrivals| f64::from(world.asked()) / arrivals.span.as_secs_f64()),
    })
}
