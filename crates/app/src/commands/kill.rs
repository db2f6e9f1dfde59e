//! `ports kill`: ends who holds a port.

mod consent;
mod end;
mod row;
mod target;

use stats::system::{NoProcess, SystemSockets};

use self::consent::{Consent, ask};
use self::end::{Outcome, end_all};
use self::row::KillLine;
use self::target::{Holders, Target};
use crate::args::{HeldPort, KillArgs};
use crate::exit::{Exit, NotPermitted, UsageError};
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &KillArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<KillLine>(&args.output, terminal.stdout()?)?;
    let holders = Holders::of(args.port)?;
    if holders.is_nobody() {
        rows.finish()?;
        terminal.warn(&format!(
            "nobody waits at {}; who only has a connection there is not ended",
            args.port
        ));
        return Ok(Exit::No);
    }
    if let Some(hidden) = holders.hidden() {
        terminal.warn(&hidden);
    }
    if holders.targets.is_empty() {
        rows.finish()?;
        return Err(match holders.why_none() {
            NoProcess::NotPermitted => {
                NotPermitted(format!("who holds {} is not to be seen: run as root", args.port))
                    .into()
            }
            _ => anyhow::anyhow!(
                "{} is held by no process that can be seen: by the kernel, or in another PID namespace",
                args.port
            ),
        });
    }
    if args.dry_run {
        // One that is spared spares all.
        let is_spared = spared(&holders.targets, args.force).is_some();
        let outcome = if is_spared { Outcome::Spared } else { Outcome::WouldEnd };
        for target in holders.targets {
            rows.write(&KillLine::new(target, &outcome))?;
        }
        rows.finish()?;
        return Ok(Exit::Done);
    }
    if let Some((target, why)) = spared(&holders.targets, args.force) {
        let text =
            format!("{target} holds {} and is {why}: --force ends it all the same", args.port);
        return Err(UsageError(text).into());
    }
    match if args.yes { Consent::Given } else { ask(&holders.targets)? } {
        Consent::Given => {}
        Consent::Refused => {
            rows.finish()?;
            return Ok(Exit::No);
        }
        Consent::NobodyToAsk => {
            let list: Vec<String> = holders.targets.iter().map(ToString::to_string).collect();
            let text = format!("this would end {}: say --yes, or --dry-run", list.join(", "));
            return Err(UsageError(text).into());
        }
    }
    let is_hidden = holders.hidden().is_some();
    let mut exit = if is_hidden { Exit::NotPermitted } else { Exit::Done };
    for (target, outcome) in end_all(holders.targets, args)? {
        exit = worse(exit, outcome.exit());
        if let Some(error) = outcome.error() {
            terminal.error(&anyhow::anyhow!("{error}").context(format!("cannot end {target}")));
        }
        rows.write(&KillLine::new(target, &outcome))?;
    }
    rows.finish()?;
    if exit == Exit::Done {
        exit = look_again(args.port, terminal)?;
    }
    Ok(exit)
}

/// The first that is not ended without being told, and why.
fn spared(targets: &[Target], force: bool) -> Option<(&Target, &'static str)> {
    let spared = targets.iter().find(|target| target.is_spared(force))?;
    Some((spared, spared.why_spared()?))
}

/// What failed outweighs what was not permitted, and that what was done.
const fn worse(a: Exit, b: Exit) -> Exit {
    match (a, b) {
        (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
        (Exit::NotPermitted, _) | (_, Exit::NotPermitted) => Exit::NotPermitted,
        _ => Exit::Done,
    }
}

/// Whoever wants the port wants to know that somebody, such as a supervisor, has taken it again.
fn look_again(port: HeldPort, terminal: Terminal) -> anyhow::Result<Exit> {
    let holders = Holders::of(port)?;
    let Some(target) = holders.targets.first() else { return Ok(Exit::Done) };
    let by = target.supervisor().map(|by| format!(" (started by {by})")).unwrap_or_default();
    terminal.warn(&format!("{port} is held again, by {target}{by}"));
    Ok(Exit::Failed)
}

/// Nothing remembered: each call reads anew.
fn sockets() -> SystemSockets {
    SystemSockets::new()
}
