//! The addresses to scan and to leave out: from arguments, files and standard input.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Context;
use scanner::{AddressSet, Family, ReadTargetsError, ResolvedTargets, TargetList, link_broadcasts};

use crate::args::{ScanArgs, TargetArg};
use crate::exit::UsageError;
use crate::output::Terminal;

/// What the targets resolve to, and how many of them have no address.
pub(super) fn resolved(
    args: &ScanArgs,
    terminal: Terminal,
) -> anyhow::Result<(ResolvedTargets, u64)> {
    let family = match (args.ipv4, args.ipv6) {
        (true, _) => Some(Family::Ipv4),
        (_, true) => Some(Family::Ipv6),
        _ => None,
    };
    if args.targets.iter().filter(|target| **target == TargetArg::StandardInput).count() > 1 {
        return Err(UsageError("standard input can be read only once: one `-`".into()).into());
    }
    let mut list = TargetList::new(family);
    for target in &args.targets {
        match target {
            TargetArg::Spec(target) => list.add(target).map_err(usage)?,
            TargetArg::File(path) => read(&mut list, path)?,
            TargetArg::StandardInput => {
                list.read("standard input", io::stdin().lock()).map_err(unreadable)?;
            }
        }
    }
    if list.is_empty() {
        let texts: Vec<String> = args.targets.iter().map(|target| format!("`{target}`")).collect();
        return Err(UsageError(format!("no target: {} has none", texts.join(", "))).into());
    }
    let broadcasts = link_broadcasts().context("cannot read the networks of this machine")?;
    let resolution = list.resolve(&broadcasts);
    let left_out = resolution.left_out;
    if left_out > 0 {
        let message = format!(
            "{left_out} multicast, broadcast or reserved addresses are left out: \
            they are scanned only where they are named one by one"
        );
        if resolution.targets.addresses.is_empty() && resolution.failed == 0 {
            return Err(UsageError(format!("no address is left to scan: {message}")).into());
        }
        terminal.note(&message);
    }
    let mut failures = resolution.failures.into_iter();
    if resolution.targets.addresses.is_empty()
        && let Some(first) = failures.next()
    {
        for failure in failures {
            terminal.error(&failure.into());
        }
        return Err(first.into());
    }
    for failure in failures {
        terminal.warn(&format!("{:#}", anyhow::Error::from(failure)));
    }
    Ok((resolution.targets, resolution.failed))
}

/// The addresses to leave out.
pub(super) fn excluded(args: &ScanArgs) -> anyhow::Result<AddressSet> {
    let mut list = TargetList::new(None);
    for target in &args.exclude {
        list.add(target).map_err(usage)?;
    }
    for path in &args.exclude_file {
        read(&mut list, path)?;
    }
    Ok(list.covered()?)
}

fn read(list: &mut TargetList, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read `{shown}`"))?;
    list.read(&shown.to_string(), file).map_err(unreadable)
}

/// What stands in a file is the user's to mend, a disk that fails is not.
fn unreadable(error: ReadTargetsError) -> anyhow::Error {
    match error {
        ReadTargetsError::Read { .. } => error.into(),
        error => usage(error),
    }
}

fn usage(error: impl std::error::Error) -> anyhow::Error {
    UsageError(error.to_string()).into()
}
