//! What is to be told once the holders were signalled: who has taken the port again, or what an
//! interrupted wait leaves behind.

use std::time::{Duration, Instant};

use super::stop::Stop;
use super::{Holders, Outcome, Target};
use crate::args::HeldPort;
use crate::commands::keeper::{Keeper, is_docker_proxy, published};

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
            let stop = holders.targets.first().and_then(|target| Keeper::stop(target.keepers()));
            let stop = stop.map(|command| format!("; to stop that: {command}")).unwrap_or_default();
            return Ok(Some(format!("{port} is held again by {}{stop}", first(&holders))));
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

/// What may become of a port that nobody has taken again yet: a supervisor waits for as long as it is told to,
/// and a container goes on without who passed a port on to it. Each once.
pub(super) fn later(port: HeldPort, outcomes: &[(Target, Outcome)]) -> Vec<String> {
    let number = port.port.number();
    let mut texts = Vec::new();
    for (target, outcome) in outcomes {
        if !matches!(outcome, Outcome::Ended(_) | Outcome::Killed(_)) {
            continue;
        }
        let keepers = target.keepers();
        let text = if is_docker_proxy(&target.name) {
            let command = published(number);
            format!("the container that {port} was passed on to goes on; to see it: {command}")
        } else if keepers.is_empty() {
            continue;
        } else {
            let stop = Keeper::stop(keepers);
            let stop = stop.map(|command| format!("; to prevent that: {command}"));
            let names = Keeper::names(keepers);
            format!("{names} may take {port} again later{}", stop.unwrap_or_default())
        };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
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
    use ports_core::{Port, Transport};

    use super::*;

    #[test]
    fn what_may_become_of_the_port_is_told_once() {
        let port = HeldPort { port: Port::new(80), transport: Some(Transport::Tcp) };
        let ended = |name: &str, cgroup: &str| {
            (Target::made_up(name, cgroup, cgroup), Outcome::Ended(Duration::ZERO))
        };
        let service = "/system.slice/web.service";
        assert_eq!(
            later(port, &[ended("web", service), ended("web", service)]),
            ["unit web.service may take tcp port 80 again later; to prevent that: \
              systemctl stop web.service"]
        );
        assert_eq!(
            later(port, &[ended("docker-proxy", "/system.slice/docker.service")]),
            ["the container that tcp port 80 was passed on to goes on; to see it: \
              docker ps --filter publish=80"]
        );
        assert!(later(port, &[ended("web", "/user.slice/session-3.scope")]).is_empty());
        let (target, _) = ended("web", service);
        assert!(later(port, &[(target, Outcome::Freed)]).is_empty());
    }

    #[test]
    fn one_that_cannot_be_seen_holds_it_too() {
        let holders = Holders::of_nobody_seen("tcp 127.0.0.1:80");
        assert!(!holders.is_nobody());
        assert_eq!(first(&holders), "a process that cannot be seen");
    }
}
