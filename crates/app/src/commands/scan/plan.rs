//! From the arguments to the scans they ask for.

mod targets;

use std::time::Duration;

use anyhow::Context;
use ports_core::{PortSet, Transport, top_ports};
use scanner::{AddressSet, Method, ResolvedTargets, ResumeError, Scan, ScanError, own_addresses};

use super::{method, resume};
use crate::args::ScanArgs;
use crate::exit::UsageError;
use crate::output::Terminal;

/// Past this many addresses the user has to say that they mean it.
const MANY_ADDRESSES: u128 = 1 << 24;
/// How many ports are asked of other machines without `-p`.
const DEFAULT_TOP: usize = 1_000;
/// Probes per second where nothing answers, for the estimate of a long scan.
const BLIND_RATE: u128 = 50_000;

/// What is to be scanned.
pub(super) struct Plan {
    /// One scan, or two where this machine's own addresses are scanned in full and others are not.
    pub(super) scans: Vec<Scan>,
    /// How many targets have no address. The others are scanned.
    pub(super) unresolved: u64,
}

/// The scans that `args` ask for.
pub(super) fn plan(args: &ScanArgs, terminal: Terminal) -> anyhow::Result<Plan> {
    let method = method::choose(args, terminal)?;
    let transport = method.transport();
    let (targets, unresolved) = targets::resolved(args, terminal)?;
    let excluded = targets::excluded(args)?;
    let own = own_addresses().context("cannot read this machine's own addresses")?;
    let here = targets.addresses.intersection(&own);
    let elsewhere = targets.addresses.difference(&own);
    let mut parts = match &args.ports {
        Some(ports) => vec![(targets.addresses, ports.of(transport)?)],
        None => vec![(here, PortSet::all()), (elsewhere, default_ports_elsewhere(transport))],
    };
    let excluded_ports =
        args.exclude_ports.as_ref().map(|ports| ports.of(transport)).transpose()?;
    for (addresses, ports) in &mut parts {
        *addresses = addresses.difference(&excluded);
        if let Some(excluded) = &excluded_ports {
            *ports = ports.difference(excluded);
        }
    }
    check_size(&parts, args.yes)?;
    let all_empty = parts.iter().all(|(addresses, _)| addresses.is_empty());
    parts.retain(|(addresses, _)| all_empty || !addresses.is_empty());
    resume::check_parts(args, parts.len())?;
    let scans = parts.into_iter().map(|(addresses, ports)| {
        let names = targets.names.clone();
        build(args, method, ResolvedTargets { addresses, names }, &ports)
    });
    Ok(Plan { scans: scans.collect::<anyhow::Result<_>>()?, unresolved })
}

/// Refuses what cannot be scanned, and what was hardly meant.
fn check_size(parts: &[(AddressSet, PortSet)], yes: bool) -> Result<(), UsageError> {
    let pairs = |(addresses, ports): &(AddressSet, PortSet)| {
        addresses.len().saturating_mul(ports.len() as u128)
    };
    let addresses: u128 = parts.iter().fold(0, |sum, part| part.0.len().saturating_add(sum));
    if let Some((_, ports)) = parts.iter().find(|part| pairs(part) > u128::from(u64::MAX)) {
        return Err(UsageError(format!(
            "{addresses} addresses x {} ports are more than one scan can hold (2^64 - 1): an IPv6 \
             network is too large to be scanned whole; name its hosts (`@FILE` reads them from a \
             file), or a prefix such as /112",
            ports.len()
        )));
    }
    if addresses > MANY_ADDRESSES && !yes {
        let probes = parts.iter().map(pairs).fold(0, u128::saturating_add);
        let seconds = u64::try_from(probes / BLIND_RATE).unwrap_or(u64::MAX);
        let time = humantime::format_duration(Duration::from_secs(seconds)).to_string();
        let time = time.split(' ').next().unwrap_or_default();
        return Err(UsageError(format!(
            "{addresses} addresses are many (some {time} at {BLIND_RATE} probes per second): say \
             --yes if you mean them all"
        )));
    }
    Ok(())
}

fn build(
    args: &ScanArgs,
    method: Method,
    targets: ResolvedTargets,
    ports: &PortSet,
) -> anyhow::Result<Scan> {
    let texts = args.targets.iter().map(ToString::to_string).collect();
    let mut scan = Scan::builder()
        .targets(targets, texts)
        .ports(ports)
        .method(method)
        .discover(args.discover)
        .show(&args.reported())
        .seed(args.seed)
        .shard(args.shard);
    if let Some(rate) = args.rate {
        scan = scan.rate(rate);
    }
    if let Some(timeout) = args.timeout {
        scan = scan.timeout(timeout);
    }
    if let Some(retries) = args.retries {
        scan = scan.retries(retries);
    }
    if let Some(source) = args.source {
        scan = scan.source(source);
    }
    if let Some(interface) = &args.interface {
        scan = scan.interface(interface.as_str());
    }
    if let Some(path) = &args.resume {
        scan = scan.resume(path);
    }
    scan.build().map_err(|error| match error {
        ScanError::Plan(_)
        | ScanError::SourceFamily { .. }
        | ScanError::Resume(ResumeError::OtherPlan { .. }) => UsageError(error.to_string()).into(),
        ScanError::Interface { name, .. } => {
            UsageError(format!("there is no interface `{name}`")).into()
        }
        error => error.into(),
    })
}

fn default_ports_elsewhere(transport: Transport) -> PortSet {
    top_ports(transport).iter().take(DEFAULT_TOP).copied().collect()
}
