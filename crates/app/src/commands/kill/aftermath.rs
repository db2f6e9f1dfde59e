//! What is to be told once the holders were signalled: who has taken the port again, or what an
//! interrupted wait leaves behind.

use std::time::{Duration, Instant};

use super::stop::Stop;
use super::{Holders, Outcome, Target};
use crate::args::HeldPort;

/// How long it is looked for somebody who takes the port again, where there may be one: as long as
/// supervisors take by default, and more (systemd 100 ms, Docker 100 ms, runit 1 s).
const DEFAULT_SETTLE: Duration = Duration::from_secs(1);
/// How often.
const LOOK: Duration = Duration::from_millis(50);

/// How long to look, unless the user says so.
pub(super) fn settle(targets: &[Target]) -> Duration {
    let is_supervised = targets.iter().any(Target::is_supervised);
    if is_supervised { DEFAULT_SETTLE } else { Duration::ZERO }
}

/// Looks until somebody holds the port, for as long as `settle`, and once at least: whoever wants the port
/// wants to know that somebody, such as a supervisor, has taken it again. Says who.
pub(super) fn taken_again(
    port: HeldPort,
    settle: Duration,
    stop: &Stop,
) -> anyhow::Result<Option<String>> {
    let started = Instant::now();
    loop {
        // Before the look: the last one is at the end.
        let left = settle.saturating_sub(started.elapsed());
        let holders = Holders::of(port)?;
        if !holders.is_nobody() {
            return Ok(Some(format!("{port} is held again by {}", first(&holders))));
        }
        if left.is_zero() || stop.is_wished() {
            return Ok(None);
        }
        stop.pass(left.min(LOOK))?;
    }
}

fn first(holders: &Holders) -> String {
    let Some(target) = holders.targets.first() else {
        return "a process that cannot be seen".to_owned();
    };
    let by = target.supervisor().map(|by| format!(" (started by {by})")).unwrap_or_default();
    format!("{target}{by}")
}

/// What was done to those that were still waited for, and what they have.
pub(super) fn left_behind(port: HeldPort, outcomes: &[(Target, Outcome)]) -> Vec<String> {
    let holders = Holders::of(port);
    let told = outcomes.iter().filter_map(|(target, outcome)| {
        let signal = match outcome {
            Outcome::Signalled(signal) => signal,
            Outcome::Freed => return Some(format!("{target} has let go of {port}, and goes on")),
            _ => return None,
        };
        let has = match &holders {
            Ok(holders) if holders.has(target) => format!("it still holds {port}"),
            Ok(_) => format!("it no longer holds {port}"),
            Err(error) => format!("whether it holds {port} is not known: {error:#}"),
        };
        Some(format!("interrupted: {} was sent to {target}; {has}", signal.name()))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_seen_holds_it_too() {
        let holders = Holders::of_nobody_seen("tcp 127.0.0.1:80");
        assert!(!holders.is_nobody());
        assert_eq!(first(&holders), "a process that cannot be seen");
    }
}
