//! A scan's findings against the truth.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use ipnet::{IpAddrRange, IpNet, Ipv4AddrRange, Ipv6AddrRange};
use serde::{Deserialize, Serialize};
use simnet::PortList;

use super::findings::{Findings, PortRow};
use super::scenario::{Scenario, Tolerance};
use super::truth::Truth;

/// Examples given of each kind of error.
const EXAMPLES: usize = 5;

/// How right a scan was.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Judgement {
    /// Open ports there are.
    pub(super) open: u64,
    /// Open ports found.
    pub(super) found: u64,
    /// Ports called open that are not.
    pub(super) false_opens: u64,
    /// Ports called closed that are not: as wrong as a false open one.
    pub(super) false_closed: u64,
    /// Other ports whose verdict or reason is wrong.
    pub(super) mistaken: u64,
    /// The most frequent wrong verdicts, with how often.
    pub(super) mistakes: Vec<String>,
    /// What the case fails for.
    pub(super) problems: Vec<String>,
}

/// Judges the findings of a scan of these targets and ports, where `truth` knows each.
pub(super) fn judge(
    scenario: &Scenario,
    truth: impl Fn(IpAddr, u16) -> Truth,
    findings: &Findings,
) -> Result<Judgement> {
    let hosts: HashSet<IpAddr> = addresses(scenario.targets)?.into_iter().collect();
    let ports: PortList = scenario.ports.parse()?;
    let mut judgement = Judgement::default();
    for host in &hosts {
        let is_open = |port: &u16| truth(*host, *port) == Truth::Open;
        judgement.open += ports.iter().filter(is_open).count() as u64;
    }
    let mut seen = HashSet::new();
    let mut mistakes: BTreeMap<String, u64> = BTreeMap::new();
    let (mut false_opens, mut false_closed) = (Vec::new(), Vec::new());
    let mut strays = Vec::new();
    for row in &findings.rows {
        let &PortRow { host, port, ref state, ref reason } = row;
        if !hosts.contains(&host) || !ports.contains(port) || !seen.insert((host, port)) {
            strays.push(format!("{host} port {port}"));
            continue;
        }
        let truth = truth(host, port);
        let right = truth.agrees(scenario.transport, state, reason);
        match (truth, right) {
            (Truth::Open, true) => judgement.found += 1,
            (_, true) => {}
            (_, false) if state == "open" => false_opens.push(format!("{host} port {port}")),
            (_, false) if state == "closed" => false_closed.push(format!("{host} port {port}")),
            (_, false) => {
                judgement.mistaken += u64::from(truth != Truth::Open);
                *mistakes.entry(format!("{truth:?} called {state} ({reason})")).or_default() += 1;
            }
        }
    }
    judgement.false_opens = false_opens.len() as u64;
    judgement.false_closed = false_closed.len() as u64;
    let mut ranked: Vec<_> = mistakes.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    judgement.mistakes =
        ranked.iter().take(EXAMPLES).map(|(what, count)| format!("{count} x {what}")).collect();

    let expected = hosts.len() as u64 * ports.iter().count() as u64;
    let mut problems = account(findings, expected);
    if findings.exit != Some(scenario.exit) {
        let (exit, expected) = (findings.exit.unwrap_or(-1), scenario.exit);
        problems.push(format!("exit code {exit} instead of {expected} {}", findings.errors));
    }
    let examples = |list: &Vec<String>| list[..list.len().min(EXAMPLES)].join(", ");
    for (what, list) in [
        ("verdicts nobody asked for, or given twice", &strays),
        ("false open ports", &false_opens),
        ("false closed ports", &false_closed),
    ] {
        if !list.is_empty() {
            problems.push(format!("{} {what}: {}", list.len(), examples(list)));
        }
    }
    let Tolerance { missed, mistaken } = scenario.tolerance;
    if judgement.open - judgement.found > missed {
        let (found, open) = (judgement.found, judgement.open);
        problems
            .push(format!("{found} of {open} open ports found, at most {missed} may be missed"));
    }
    if judgement.mistaken > mistaken {
        problems.push(format!("{} wrong verdicts on ports not open", judgement.mistaken));
    }
    judgement.problems = problems;
    Ok(judgement)
}

/// Whether the scan's own account fits its rows, and the plan.
fn account(findings: &Findings, expected: u64) -> Vec<String> {
    let (rows, summary) = (&findings.rows, &findings.summary);
    let open = rows.iter().filter(|row| row.state == "open").count() as u64;
    let mut problems = Vec::new();
    for (what, is, should) in [
        ("verdicts written", rows.len() as u64, expected),
        ("verdicts by the summary", summary.probes, expected),
        ("open ports by the summary", summary.open, open),
        ("unfinished by the summary", summary.unfinished, 0),
    ] {
        if is != should {
            problems.push(format!("{what}: {is} instead of {should}"));
        }
    }
    problems
}

/// The addresses that targets mean: addresses and prefixes, first and last included.
fn addresses(targets: &[&str]) -> Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for target in targets {
        let net = match target.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => target.parse().with_context(|| format!("`{target}` is no target"))?,
        };
        addresses.extend(match net {
            IpNet::V4(net) => IpAddrRange::V4(Ipv4AddrRange::new(net.network(), net.broadcast())),
            IpNet::V6(net) => IpAddrRange::V6(Ipv6AddrRange::new(net.network(), net.broadcast())),
        });
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests;
