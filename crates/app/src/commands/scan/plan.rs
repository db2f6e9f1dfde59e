//! From the arguments to the scans they ask for.

use std::path::Path;

use anyhow::Context;
use ports_core::{PortSet, Transport, top_ports};
use scanner::{
    AddressSet, Family, Method, ResolvedTargets, ResumeError, Scan, ScanError, TargetSpec,
    own_addresses, resolve, resolve_excluded,
};

use super::{method, resume};
use crate::args::{ScanArgs, StateArg};
use crate::exit::UsageError;
use crate::output::Terminal;

/// Past this many addresses the user has to say that they mean it.
const MANY_ADDRESSES: u128 = 1 << 24;
/// How many ports are asked of other machines without `-p`.
const DEFAULT_TOP: usize = 1_000;

/// The scans that `args` ask for: one, or two where this machine's own addresses are scanned in full
/// and others are not.
pub(super) fn scans(args: &ScanArgs, terminal: Terminal) -> anyhow::Result<Vec<Scan>> {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => None,
    };
    let method = method::choose(args, terminal)?;
    let transport = method.transport();
    let targets = resolve(&args.targets, family)?;
    let excluded = excluded(args)?;
    let count = targets.addresses.difference(&excluded).len();
    if count > MANY_ADDRESSES && !args.yes {
        let message = format!("{count} addresses are many: say --yes if you mean them all");
        return Err(UsageError(message).into());
    }
    let own = own_addresses().context("cannot read this machine's own addresses")?;
    let here = targets.addresses.intersection(&own);
    let elsewhere = targets.addresses.difference(&own);
    let parts = match &args.ports {
        Some(ports) => vec![(targets.addresses.clone(), ports.of(transport)?)],
        None => vec![(here, PortSet::all()), (elsewhere, default_ports_elsewhere(transport))],
    };
    let excluded_ports =
        args.exclude_ports.as_ref().map(|ports| ports.of(transport)).transpose()?;
    let build = |(addresses, ports): (AddressSet, PortSet)| {
        let mut part: PortSet = ports;
        if let Some(excluded) = &excluded_ports {
            part = part.difference(excluded);
        }
        let names = targets.names.clone();
        build(args, method, ResolvedTargets { addresses, names }, &part, &excluded)
    };
    let all_empty = parts.iter().all(|(addresses, _)| addresses.difference(&excluded).is_empty());
    let mut parts = parts;
    parts.retain(|(addresses, _)| all_empty || !addresses.difference(&excluded).is_empty());
    resume::check_parts(args, parts.len())?;
    parts.into_iter().map(build).collect()
}

fn build(
    args: &ScanArgs,
    method: Method,
    targets: ResolvedTargets,
    ports: &PortSet,
    excluded: &AddressSet,
) -> anyhow::Result<Scan> {
    let texts = args.targets.iter().map(|target| target.text().to_owned()).collect();
    let mut scan = Scan::builder()
        .targets(targets, texts)
        .exclude(excluded)
        .ports(ports)
        .method(method)
        .discover(args.discover)
        .report(&StateArg::states(&args.show))
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
        error => error.into(),
    })
}

fn default_ports_elsewhere(transport: Transport) -> PortSet {
    top_ports(transport).iter().take(DEFAULT_TOP).copied().collect()
}

fn excluded(args: &ScanArgs) -> anyhow::Result<AddressSet> {
    let mut targets = args.exclude.clone();
    for path in &args.exclude_file {
        targets.extend(targets_of(path)?);
    }
    Ok(resolve_excluded(&targets)?)
}

fn targets_of(path: &Path) -> anyhow::Result<Vec<TargetSpec>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{shown}`"))?;
    let mut targets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split_whitespace() {
            let target = word.parse::<TargetSpec>();
            let wrong = |error| UsageError(format!("`{shown}` line {}: {error}", number + 1));
            targets.push(target.map_err(wrong)?);
        }
    }
    Ok(targets)
}
